package doctor_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/doctor"
	"github.com/edgeban/edgeban/internal/web"
)

// A source from which nothing comes looks like a day without attacks.
func TestSourcesThatAreSilentAreNamed(t *testing.T) {
	now := time.Now()
	syslog := config.Source{Name: "syslog", Syslog: &config.Syslog{Listen: []string{"udp://0.0.0.0:5514"}}}
	gateway := config.Source{Name: "journal", Journal: &config.Journal{URL: "http://172.30.5.1:19531"}}
	from := func(origin string, lines uint64) web.Stream {
		source, _, _ := strings.Cut(origin, "/")
		return web.Stream{Source: source, Origin: origin, Lines: lines, Read: now.Add(-time.Minute)}
	}
	for _, c := range []struct {
		name, reads  string
		source       config.Source
		streams      []web.Stream
		link         string
		grade        edgeban.Grade
		evidence, to string
	}{
		{"lines come", "syslog/172.30.5.1", syslog, []web.Stream{{Source: "syslog", Origin: "syslog"}, from("syslog/172.30.5.1", 7)}, "lines", edgeban.Good, "7 since the daemon started, the last 1m ago, from syslog/172.30.5.1", ""},
		{"it listens", "syslog/*", syslog, []web.Stream{{Source: "syslog", Origin: "syslog"}}, "listening", edgeban.Good, "udp://0.0.0.0:5514", ""},
		{"the port is taken", "syslog/*", syslog, []web.Stream{{Source: "syslog", Origin: "syslog", Error: "source syslog: udp://0.0.0.0:5514: address already in use"}}, "listening", edgeban.Broken, "udp://0.0.0.0:5514: address already in use", "write another as listen:"},
		{"nobody sends", "syslog/*", syslog, []web.Stream{{Source: "syslog", Origin: "syslog"}}, "lines", edgeban.Warning, "none came since the daemon started", "logger --server ADDRESS-OF-EDGEBAN --port 5514 --udp"},
		{"somebody else sends", "syslog/172.30.5.1", syslog, []web.Stream{from("syslog/172.30.5.9", 7)}, "lines", edgeban.Warning, "none came, but from syslog/172.30.5.9", "write source: syslog/172.30.5.9"},
		{"who sends is not allowed to", "syslog/*", syslog, []web.Stream{{Source: "syslog", Origin: "syslog", Note: "3 refused, the last from 172.30.5.9"}}, "allow", edgeban.Warning, "the last from 172.30.5.9", "allow:"},
		{"lines are lost", "syslog/*", syslog, []web.Stream{{Source: "syslog", Origin: "syslog/172.30.5.1", Lines: 9, Dropped: 4}}, "lost", edgeban.Warning, "4 lines", "tcp://"},
		{"a quiet unit", "journal/ssh.service", gateway, nil, "lines", edgeban.Untried, "nothing was written", ""},
		{"messages that a gateway leaves out", "journal/*", gateway, []web.Stream{{Source: "journal", Origin: "journal", Skipped: 2}}, "too long", edgeban.Warning, "2 lines", "4 KiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conf := config.Default()
			conf.State = t.TempDir()
			j := config.NewJail("dovecot")
			j.Source = []string{c.reads}
			conf.Jails, conf.Sources = []config.Jail{j}, []config.Source{c.source}
			var got edgeban.Finding
			found := doctor.Examine(t.Context(), doctor.Options{
				Config: conf, Now: now,
				Networks: func() ([]netip.Prefix, error) { return nil, nil },
				Daemon:   func(context.Context) (web.Status, error) { return web.Status{Started: now, Streams: c.streams}, nil },
			})
			for _, f := range found {
				if f.Part == "source "+c.source.Name && f.Link == c.link {
					got = f
				}
			}
			if got.Link == "" || got.Grade != c.grade || !strings.Contains(got.Evidence, c.evidence) || !strings.Contains(got.Fix, c.to) {
				t.Errorf("got %s, want %s, %q, and to do %q", tell([]edgeban.Finding{got}), c.grade, c.evidence, c.to)
			}
		})
	}
}
