package daemon

import (
	"reflect"
	"slices"
	"sync"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/source"
	"github.com/edgeban/edgeban/internal/source/docker"
	"github.com/edgeban/edgeban/internal/source/journal"
	"github.com/edgeban/edgeban/internal/source/syslog"
)

// A feeder is a source that is no file.
type feeder struct {
	name string
	source.Source
	status func() []source.Status
}

// addSource knows every kind of source that is no file. One that no jail reads is
// left alone.
func (g *generation) addSource(c config.Source) {
	globs := g.c.Reading(c.Name)
	if len(globs) == 0 {
		return
	}
	f := feeder{name: c.Name}
	switch {
	case c.Syslog != nil:
		s := g.daemon.senders.on(c)
		g.syslogs = append(g.syslogs, taking{c, s})
		f.Source, f.status = s, s.Status
	case c.Docker != nil:
		s := docker.New(docker.Config{Name: c.Name, URL: c.Docker.URL, Globs: globs, Log: g.Log})
		f.Source, f.status = s, s.Status
	case c.Journal != nil:
		s := journal.New(c.Name, *c.Journal)
		f.Source, f.status = s, s.Status
	}
	g.feeders = append(g.feeders, f)
}

// A taking is a syslog source and what it was made of.
type taking struct {
	c config.Source
	*syslog.Source
}

// senders keeps what listens for syslog across a reload: a sender that is cut off
// loses lines.
type senders struct {
	mu   sync.Mutex
	open []taking
}

// on returns the source that is open already and is just the same, or a new one.
func (s *senders) on(c config.Source) *syslog.Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.open {
		if reflect.DeepEqual(t.c, c) {
			return t.Source
		}
	}
	return syslog.New(c.Name, *c.Syslog)
}

// keep closes all but some, which it knows from then on.
func (s *senders) keep(some []taking) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.open {
		if !slices.ContainsFunc(some, func(k taking) bool { return k.Source == t.Source }) {
			t.Close()
		}
	}
	s.open = some
}

// A reading is how far a source is.
type reading struct {
	source string
	source.Status
}

// readings returns how far all sources are.
func (g *generation) readings() (all []reading) {
	if g.files != nil {
		for _, s := range g.files.Status() {
			all = append(all, reading{"file", s})
		}
	}
	for _, f := range g.feeders {
		for _, s := range f.status() {
			all = append(all, reading{f.name, s})
		}
	}
	return all
}
