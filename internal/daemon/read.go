package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"time"

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

	unsaved map[string]edgeban.Batch // cursors after lines that gave nothing, by stream
	saved   time.Time
}

// A watcher is a jail as its readers see it: what it reads and what it ignores.
type watcher struct {
	c      config.Jail
	filter *filter.Filter
	finder *never.Finder // of the jail's ignoreip
	ignore atomic.Pointer[never.List]
	fits   func(netip.Prefix) bool // every target of the jail can hold it

	scanners map[string]*filter.Scanner // by stream
	counters counters
	vantage  vantage
}

type counters struct {
	lines, failures, successes, ignored, undated atomic.Int64
	skew                                         atomic.Pointer[string]
}

// lazily is how long the cursor of lines that gave nothing may stay unsaved: to
// read them again after a crash changes nothing.
const lazily = time.Second

// run reads until ctx is done or the source ends. Only the ledger's failure ends it early.
func (r *reader) run(ctx context.Context, cursors map[string]string, trouble func(stream string, err error)) error {
	r.unsaved = map[string]edgeban.Batch{}
	for c, err := range r.source.Chunks(ctx, cursors) {
		if err != nil {
			trouble(c.Stream, err)
			continue
		}
		if c.Seen {
			r.recall(c)
			continue
		}
		if err := r.record(ctx, r.batch(c), c); err != nil {
			return fmt.Errorf("source %s: %w", r.name, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	for _, b := range r.unsaved {
		if err := r.ledger.Record(context.WithoutCancel(ctx), b); err != nil {
			return fmt.Errorf("source %s: %w", r.name, err)
		}
	}
	return nil
}

// record saves a batch and its cursor. While the ledger is full it waits: the
// log is the queue.
func (r *reader) record(ctx context.Context, b edgeban.Batch, c edgeban.Chunk) error {
	if len(b.Matches) == 0 && !b.End && c.Read.Sub(r.saved) < lazily {
		r.unsaved[b.Stream] = b
		return nil
	}
	for {
		err := r.ledger.Record(context.WithoutCancel(ctx), b)
		if err == nil {
			delete(r.unsaved, b.Stream)
			r.saved = c.Read
			return nil
		}
		if !errors.Is(err, edgeban.ErrFull) {
			return err
		}
		select {
		case <-ctx.Done():
			delete(r.unsaved, b.Stream) // it is read again
			return nil
		case <-time.After(time.Second):
		}
	}
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
			for range w.scanner(c.Stream).Scan(c) {
			}
		}
	}
}

// reads reports whether the jail watches the log that is known as origin.
func (w *watcher) reads(origin string) bool {
	for _, glob := range w.c.LogPath {
		if glob == origin {
			return true
		}
		if ok, err := filepath.Match(glob, origin); ok && err == nil {
			return true
		}
	}
	return false
}

// scanner returns the jail's scanner of a stream.
func (w *watcher) scanner(stream string) *filter.Scanner {
	s := w.scanners[stream]
	if s == nil {
		s = w.filter.Scanner(filter.Options{Jail: w.c.Name, Zone: w.c.LogTimezone})
		w.scanners[stream] = s
	}
	return s
}

func (w *watcher) scan(c edgeban.Chunk, list *never.List) []edgeban.Match {
	s := w.scanner(c.Stream)
	before := s.Stats()
	f := flood{c: w.c, seen: map[floodKey]*floodState{}}
	for m := range s.Scan(c) {
		w.judgeable(&m, list)
		f.add(m)
	}
	w.counters.add(before, s.Stats(), f)
	if c.End {
		delete(w.scanners, c.Stream)
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
