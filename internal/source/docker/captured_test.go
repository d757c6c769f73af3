package docker

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/filter"
)

// found is what a built-in filter finds in chunks that were written before they were
// read, but for the times.
func found(t *testing.T, name string, chunks ...edgeban.Chunk) (all []string) {
	t.Helper()
	f, err := filter.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	s := f.Scanner(filter.Options{Jail: name, Zone: time.UTC})
	for _, c := range chunks {
		for m := range s.Scan(c) {
			all = append(all, fmt.Sprintf("%v %v %d %q", m.Kind, m.Addr, m.Count, m.User))
		}
	}
	return all
}

// What real containers wrote gives by the engine's API what it gives as a file.
func TestCapturedLogsGiveTheMatchesOfThePlainLog(t *testing.T) {
	for name, log := range map[string]string{"dovecot": "dovecot.pp.log", "postfix": "postfix.pp.log", "traefik": "traefik-access.pp.log"} {
		data, err := os.ReadFile("../../filter/testdata/captured/" + log)
		if err != nil {
			t.Fatal(err)
		}
		read := time.Date(2026, 11, 22, 13, 0, 0, 0, time.UTC)
		want := found(t, name, edgeban.Chunk{Stream: "s", Text: data, Read: read})
		if len(want) < 10 {
			t.Fatalf("the plain log has only %d matches", len(want))
		}
		e := newEngine(t)
		c := e.run("mail-"+name+"-1", 1)
		n := 0
		for line := range strings.Lines(string(data)) {
			e.write(c, time.Now().Add(-time.Hour+time.Duration(n)*time.Millisecond), strings.TrimSuffix(line, "\n"))
			n++
		}
		w := watching(t, e, "docker/mail-*")
		w.until("all is read", func() bool { return len(w.lines["docker/mail-"+name+"-1"]) >= n })
		for i := range w.got {
			w.got[i].Read = time.Now()
		}
		if got := found(t, name, w.got...); !slices.Equal(got, want) {
			t.Errorf("%s: got %d matches\n%s\nwant %d\n%s", name, len(got), strings.Join(got, "\n"), len(want), strings.Join(want, "\n"))
		}
		w.end()
	}
}
