package docker

import (
	"strings"
	"testing"

	"github.com/edgeban/edgeban"
)

// Who asks the doctor wants to know what to do, not what went wrong.
func TestDoctorNamesTheWayOut(t *testing.T) {
	for _, c := range []struct {
		name         string
		fault        func(e *engine, c *fake)
		glob         string
		link         string
		grade        edgeban.Grade
		evidence, to string
	}{
		{"all is well", func(*engine, *fake) {}, "docker/mail-*", "containers", edgeban.Good, "docker/mail-*: mail-postfix-1", ""},
		{"no such container", func(*engine, *fake) {}, "docker/postfix", "containers", edgeban.Broken, "no container is called so, of mail-postfix-1", "Compose puts the project before its name"},
		{"it has ended", func(e *engine, c *fake) { e.die(c) }, "docker/mail-*", "containers", edgeban.Warning, "mail-postfix-1 does not run", "docker start mail-postfix-1"},
		{"its log cannot be read", func(e *engine, c *fake) { e.change(func() { c.unread = true }) }, "docker/mail-*", "log", edgeban.Broken, "that of container mail-postfix-1", "log driver"},
		{"a proxy refuses", func(e *engine, _ *fake) { e.change(func() { e.forbidden = true }) }, "docker/mail-*", "engine", edgeban.Broken, "403", "CONTAINERS=1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEngine(t)
			c.fault(e, e.run("mail-postfix-1", 1))
			var got, engine edgeban.Finding
			for _, f := range New(Config{Name: "docker", URL: e.at, Globs: []string{c.glob}}).Check(t.Context()) {
				if f.Link == c.link {
					got = f
				}
				if f.Link == "engine" {
					engine = f
				}
			}
			if got.Grade != c.grade || !strings.Contains(got.Evidence, c.evidence) || !strings.Contains(got.Fix, c.to) {
				t.Errorf("got %+v, want %s, %q, and to do %q", got, c.grade, c.evidence, c.to)
			}
			if c.link != "engine" && engine.Grade != edgeban.Good {
				t.Errorf("engine: got %+v, want good", engine)
			}
		})
	}
	if got := New(Config{Name: "docker", URL: "unix:///nonexistent/docker.sock"}).Check(t.Context()); len(got) != 1 || !strings.Contains(got[0].Fix, "mount the socket") {
		t.Errorf("without a socket: got %+v, want to be told to mount it", got)
	}
}
