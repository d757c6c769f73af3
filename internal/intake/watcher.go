package intake

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/filter"
	"github.com/edgeban/edgeban/internal/filter/scan"
	"github.com/edgeban/edgeban/internal/intake/flood"
	"github.com/edgeban/edgeban/internal/jail"
	"github.com/edgeban/edgeban/internal/never"
)

// A Watcher is a jail as its readers see it: what it reads and what it ignores.
type Watcher struct {
	Jail config.Jail

	set    Settings
	filter *Filter
	finder *never.Finder // of the jail's ignoreip
	ignore atomic.Pointer[never.List]

	mu       sync.Mutex           // a jail may be read by two sources at once
	scanners map[string]*scanning // by origin
	flood    flood.Flood
	counters *counters
	skew     atomic.Pointer[string] // how the stamps lie off the clock; nil if they do not
	spentAt  atomic.Int64           // when a search last gave up, in Unix nanoseconds; 0 for never
	vantage  vantage
	mail     bool // its services may take the PROXY protocol
}

// Settings is what a Watcher needs from outside.
type Settings struct {
	Fits   func(netip.Prefix) bool // whether every target of the jail can hold it; nil for yes
	Inside func(netip.Prefix) bool // whether it is in a network of the owner's; nil for the private ones
	Names  *Names                  // looks up the names that a jail with usedns yes finds; nil to count none
	Memory string                  // the file of what the names in ignoreip resolved to; empty for none
	Log    *slog.Logger            // nil for none
}

// A scanning is what the jail's filter remembers of one log: dates and sessions go
// on from one file to the next when that is rotated.
type scanning struct {
	Scanner
	streams map[string]bool // those that have not ended
}

// NewWatcher returns a Watcher of a jail. Errors are its filter's.
func NewWatcher(c config.Jail, s Settings) (*Watcher, error) {
	f, err := Open(c)
	if err != nil {
		return nil, err
	}
	w := &Watcher{Jail: c, set: s, filter: f, finder: never.NewIgnore(c.IgnoreIP, s.Log), scanners: map[string]*scanning{}, counters: &counters{}}
	w.finder.Memory = s.Memory
	dovecot, postfix := programs([]config.Jail{c})
	w.mail = dovecot || postfix
	return w, nil
}

// Protect finds whom the jail ignores; it is called before anything is read.
func (w *Watcher) Protect(ctx context.Context) { w.ignore.Store(w.finder.Find(ctx)) }

// Remember takes over whom an earlier Watcher of the jail knew to ignore, and goes
// on counting where that is, which may still read.
func (w *Watcher) Remember(earlier *Watcher) {
	w.finder.Remember(earlier.finder)
	w.counters = earlier.counters
}

// Run looks every so often whom the jail ignores, until ctx is done.
func (w *Watcher) Run(ctx context.Context, every time.Duration) error {
	return w.finder.Run(ctx, every, func(l *never.List) { w.ignore.Store(l) })
}

// reads reports whether the jail watches the log that is known as origin.
func (w *Watcher) reads(origin string) bool {
	if w.Jail.Reads(origin) {
		return true
	}
	for _, glob := range w.Jail.LogPath {
		if glob == origin || glob == config.Stdin && origin == "stdin" {
			return true
		}
		if ok, err := filepath.Match(glob, origin); ok && err == nil {
			return true
		}
	}
	return false
}

// scanner returns the jail's scanner for a chunk's log.
func (w *Watcher) scanner(c edgeban.Chunk) *scanning {
	s := w.scanners[c.Origin]
	if s == nil {
		s = &scanning{w.filter.Scanner(w.options()), map[string]bool{}}
		w.scanners[c.Origin] = s
	}
	s.streams[c.Stream] = true
	return s
}

func (w *Watcher) options() filter.Options {
	o := filter.Options{Jail: w.Jail.Name, Zone: w.Jail.LogTimezone}
	if w.set.Names != nil {
		o.Named = func(host string, m edgeban.Match) { w.set.Names.ask(named{w, host, m}) }
	}
	return o
}

// Take judges what a source has found itself, as if the jail had read it in lines.
func (w *Watcher) Take(found []edgeban.Match, list *never.List) []edgeban.Match {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flood.Begin(w.Jail.Threshold(true), nil)
	for _, m := range found {
		m.Jail, m.ID = w.Jail.Name, w.Jail.Name+" "+m.ID
		w.judgeable(&m, list)
		w.flood.Add(&m)
	}
	w.counters.lines.Add(int64(len(found)))
	w.counters.matched(w.flood.Matches)
	return w.flood.Matches
}

func (w *Watcher) recall(c edgeban.Chunk) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for range w.scanner(c).Scan(w.dated(c)) {
	}
}

// dated returns the chunk as the jail's filter dates it. Patterns in the way of
// fail2ban see a line without its date: where lines have one of their own it must be
// looked for, and what the transport knows is put aside.
func (w *Watcher) dated(c edgeban.Chunk) edgeban.Chunk {
	if c.Stamped && w.Jail.Rules != nil {
		c.Times = nil
	}
	return c
}

// scan returns what the jail finds in a chunk, of which a panel may know the lines
// that it may find something in; see Flood.Begin for room.
func (w *Watcher) scan(c edgeban.Chunk, h *scan.Hits, list *never.List, room []edgeban.Match) []edgeban.Match {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.scanner(c)
	before := s.Stats()
	matches := s.Scan
	if h != nil && w.filter.needs != nil {
		matches = func(c edgeban.Chunk) iter.Seq[edgeban.Match] { return s.ScanHits(c, *h) }
	}
	if w.mail {
		w.vantage.read(c)
	}
	w.flood.Begin(w.Jail.Threshold(true), room)
	for m := range matches(w.dated(c)) {
		w.judgeable(&m, list)
		w.flood.Add(&m)
	}
	w.flood.End()
	w.scanned(before, s.Stats(), c.Read)
	w.counters.matched(w.flood.Matches)
	if c.End {
		if delete(s.streams, c.Stream); len(s.streams) == 0 {
			delete(w.scanners, c.Origin)
		}
	}
	return w.flood.Matches
}

// judgeable settles what must be settled before the ledger, so that the fold is
// pure: what would be banned, and whether the match counts.
func (w *Watcher) judgeable(m *edgeban.Match, list *never.List) {
	alone := never.Private(m.Addr) || w.set.Inside != nil && w.set.Inside(netip.PrefixFrom(m.Addr, m.Addr.BitLen()))
	m.Subject = jail.Subject(w.Jail, m.Addr, alone)
	if !m.Subject.IsSingleIP() && w.set.Fits != nil && !w.set.Fits(m.Subject) {
		m.Subject = jail.Subject(w.Jail, m.Addr, true)
	}
	role := never.Stranger
	if why, ok := list.Contains(m.Addr); ok {
		m.Ignored, role = why, list.Role(m.Addr)
	} else if why, ok := w.ignore.Load().Contains(m.Addr); ok {
		m.Ignored = why
	}
	if why := w.vantage.look(m, role, alone); why != "" {
		m.Ignored = why // rather than that it is protected
	}
	if !m.Subject.IsSingleIP() {
		m.Subject = list.Narrow(m.Subject, m.Addr)
		m.Subject = w.ignore.Load().Narrow(m.Subject, m.Addr)
	}
}

// Skewed says how the stamps of the jail's lines lie off the clock, or returns "".
func (w *Watcher) Skewed() string {
	if s := w.Stats().Skew; s != "" {
		return fmt.Sprintf("jail %s: %s", w.Jail.Name, s)
	}
	return ""
}
