package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/filter"
	"github.com/edgeban/edgeban/internal/jail"
	"github.com/edgeban/edgeban/internal/never"
	"github.com/edgeban/edgeban/internal/source"
)

// A reader carries the chunks of one source to the ledger.
type reader struct {
	name   string
	source source.Source
	jails  []*watcher
	ledger edgeban.Ledger
	never  *atomic.Pointer[never.List]

	mu     sync.Mutex
	parked []edgeban.Batch // cursors after lines that gave nothing, in the order of their chunks
}

// A watcher is a jail as its readers see it: what it reads and what it ignores.
type watcher struct {
	c      config.Jail
	filter *filter.Filter
	finder *never.Finder // of the jail's ignoreip
	ignore atomic.Pointer[never.List]
	fits   func(netip.Prefix) bool // every target of the jail can hold it

	mu       sync.Mutex           // a jail may be read by two sources at once
	scanners map[string]*scanning // by origin
	counters counters
	vantage  vantage
}

// A scanning is what the jail's filter remembers of one log: dates and sessions go
// on from one file to the next when that is rotated.
type scanning struct {
	*filter.Scanner
	streams map[string]bool // those that have not ended
}

type counters struct {
	lines, failures, successes, ignored, undated atomic.Int64
	skew                                         atomic.Pointer[string]
}

// lazily is how long the cursor of lines that gave nothing may stay unsaved: to
// read them again after a crash changes nothing, and most lines give nothing.
const lazily = time.Second

// run reads until ctx is done or the source ends. Only the ledger's failure ends it early.
func (r *reader) run(ctx context.Context, cursors map[string]string, trouble func(stream string, err error)) error {
	ended := make(chan struct{})
	var g errgroup.Group
	g.Go(func() error { return r.unpark(ctx, ended) })
	g.Go(func() error {
		defer close(ended)
		return r.read(ctx, cursors, trouble)
	})
	if err := g.Wait(); err != nil {
		return fmt.Errorf("source %s: %w", r.name, err)
	}
	return nil
}

func (r *reader) read(ctx context.Context, cursors map[string]string, trouble func(stream string, err error)) error {
	for c, err := range r.source.Chunks(ctx, cursors) {
		switch {
		case err != nil:
			trouble(c.Stream, err)
		case c.Seen:
			r.recall(c)
		default:
			if err := r.record(ctx, r.batch(c), len(c.Text) > 0); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return nil
		}
	}
	return nil
}

// unpark saves what is parked every so often, and once more at the end.
func (r *reader) unpark(ctx context.Context, ended <-chan struct{}) error {
	tick := time.NewTicker(lazily)
	defer tick.Stop()
	for {
		last := false
		select {
		case <-ended:
			last = true
		case <-tick.C:
		}
		r.mu.Lock()
		err := r.save(ctx)
		r.mu.Unlock()
		if err != nil || last {
			return err
		}
	}
}

// record saves a batch and its cursor, and whatever is parked before it: the
// source counts on the order of its cursors. The cursor of lines that gave
// nothing is parked.
func (r *reader) record(ctx context.Context, b edgeban.Batch, text bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.parked); n > 0 && r.parked[n-1].Stream == b.Stream && len(r.parked[n-1].Matches) == 0 && !r.parked[n-1].End {
		r.parked = r.parked[:n-1] // b's cursor is after it
	}
	r.parked = append(r.parked, b)
	if len(b.Matches) == 0 && !b.End && text {
		return nil
	}
	return r.save(ctx)
}

// save records what is parked. While the ledger is full it waits: the log is the
// queue. What is left when ctx is done is read again.
func (r *reader) save(ctx context.Context) error {
	for len(r.parked) > 0 {
		err := r.ledger.Record(context.WithoutCancel(ctx), r.parked[0])
		switch {
		case err == nil:
			r.parked = r.parked[1:]
			continue
		case !errors.Is(err, edgeban.ErrFull):
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
	return nil
}

// batch scans a chunk with every jail that reads it.
func (r *reader) batch(c edgeban.Chunk) edgeban.Batch {
	b := edgeban.Batch{Source: c.Source, Stream: c.Stream, To: c.To, End: c.End, Read: c.Read}
	list := r.never.Load()
	for _, w := range r.jails {
		if w.reads(c.Origin) {
			b.Matches = append(b.Matches, w.scan(c, list)...)
		}
	}
	return b
}

// recall shows the filters lines that were recorded before a restart, so that
// what follows finds the sessions and the dates that it refers to.
func (r *reader) recall(c edgeban.Chunk) {
	for _, w := range r.jails {
		if w.reads(c.Origin) {
			w.recall(c)
		}
	}
}

func (w *watcher) recall(c edgeban.Chunk) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for range w.scanner(c).Scan(c) {
	}
}

// reads reports whether the jail watches the log that is known as origin.
func (w *watcher) reads(origin string) bool {
	for _, glob := range w.c.LogPath {
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
func (w *watcher) scanner(c edgeban.Chunk) *scanning {
	s := w.scanners[c.Origin]
	if s == nil {
		s = &scanning{w.filter.Scanner(filter.Options{Jail: w.c.Name, Zone: w.c.LogTimezone}), map[string]bool{}}
		w.scanners[c.Origin] = s
	}
	s.streams[c.Stream] = true
	return s
}

func (w *watcher) scan(c edgeban.Chunk, list *never.List) []edgeban.Match {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.scanner(c)
	before := s.Stats()
	f := flood{c: w.c, seen: map[floodKey]*floodState{}}
	for m := range s.Scan(c) {
		w.judgeable(&m, list)
		f.add(m)
	}
	w.counters.add(before, s.Stats(), f)
	if c.End {
		if delete(s.streams, c.Stream); len(s.streams) == 0 {
			delete(w.scanners, c.Origin)
		}
	}
	return f.matches
}

// judgeable settles what must be settled before the ledger, so that the fold is
// pure: what would be banned, and whether the match counts.
func (w *watcher) judgeable(m *edgeban.Match, list *never.List) {
	alone := never.Private(m.Addr)
	m.Subject = jail.Subject(w.c, m.Addr, alone)
	if !m.Subject.IsSingleIP() && !w.fits(m.Subject) {
		m.Subject = jail.Subject(w.c, m.Addr, true)
	}
	if why, ok := list.Contains(m.Addr); ok {
		m.Ignored = why
	} else if why, ok := w.ignore.Load().Contains(m.Addr); ok {
		m.Ignored = why
	}
	if why := w.vantage.look(*m); why != "" && m.Ignored == "" {
		m.Ignored = why
	}
	m.Subject = list.Narrow(m.Subject, m.Addr)
	m.Subject = w.ignore.Load().Narrow(m.Subject, m.Addr)
}

func (c *counters) add(before, after filter.Stats, f flood) {
	failures, successes, ignored := f.totals()
	c.lines.Add(after.Lines - before.Lines)
	c.undated.Add(after.Undated - before.Undated)
	c.failures.Add(failures)
	c.successes.Add(successes)
	c.ignored.Add(ignored)
	if text := after.Skew.String(); text != "" {
		c.skew.Store(&text)
	} else if before.Skew.String() != "" {
		c.skew.Store(nil)
	}
}
