package intake

import (
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
)

// A container's line holds its program's date, and the engine knows its time. Patterns
// in the way of fail2ban see the line without that date, as they do in a file; native
// filters take the engine's time, which names its zone.
func TestLineOfAContainerIsFoundByEitherKindOfJail(t *testing.T) {
	at := time.Date(2026, 11, 22, 11, 29, 49, 0, time.UTC)
	native := config.NewJail("dovecot")
	native.Source = []string{"docker/mail-*"}
	own := config.NewJail("own")
	own.Filter, own.Source, own.LogTimezone = "", native.Source, time.UTC
	own.Rules = config.NewRules()
	own.Rules.FailRegex = []string{`^\s*auth: Info: passwd-file\(<F-USER>[^,]*</F-USER>,<HOST>,\S+\): Password mismatch$`}
	for _, j := range []config.Jail{native, own} {
		w, err := NewWatcher(j, Settings{})
		if err != nil {
			t.Fatal(err)
		}
		c := edgeban.Chunk{
			Source: "docker", Stream: "s", Origin: "docker/mail-dovecot-1", Read: at.Add(time.Hour), Stamped: true,
			Text:  []byte("Nov 22 11:29:49 auth: Info: passwd-file(alice,203.0.113.10,<x>): Password mismatch\n"),
			Times: []time.Time{at},
		}
		if !w.reads(c.Origin) || w.reads("docker/db") || w.reads("mail-1") {
			t.Errorf("jail %s does not read what it names", j.Name)
		}
		g := gates{}
		ms := g.scan(&panel{watchers: []*Watcher{w}}, c, nil).one()
		if len(ms) != 1 || ms[0].Addr.String() != "203.0.113.10" || ms[0].User != "alice" || !ms[0].Time.Equal(at) {
			t.Errorf("jail %s: got %+v, want one failure of alice at %v", j.Name, ms, at)
		}
	}
}
