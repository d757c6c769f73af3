// Package intake carries chunks of sources to matches in the ledger: it shows
// them to the filters of the jails that read them, settles what does not count,
// gathers floods, and saves the matches with the cursor.
//
// It decides no ban, and keeps nothing but what the ledger and the filters keep.
package intake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/never"
	"github.com/edgeban/edgeban/internal/source"
)

// A Reader carries the chunks of one source to the ledger.
type Reader struct {
	Name   string
	Source source.Source
	Jails  []*Watcher // those whose logs are read
	Ledger edgeban.Ledger
	Never  func() *never.List // who is never banned now

	gates  gates
	panels map[string]*panel // by the origin of what they read

	mu     sync.Mutex
	parked []edgeban.Batch // cursors after lines that gave nothing, in the order of their chunks
}

// lazily is how long the cursor of lines that gave nothing may stay unsaved: to
// read them again after a crash changes nothing, and most lines give nothing.
const lazily = time.Second

// Run reads from the cursors on until ctx is done or the source ends. What cannot
// be read is told to trouble; only the ledger's failure ends it early.
func (r *Reader) Run(ctx context.Context, cursors map[string]string, trouble func(stream string, err error)) error {
	ended, saved := make(chan struct{}), make(chan error, 1)
	go func() { saved <- r.unpark(ctx, ended) }()
	err := r.read(ctx, cursors, trouble)
	close(ended)
	if err := cmp.Or(err, <-saved); err != nil {
		return fmt.Errorf("source %s: %w", r.Name, err)
	}
	return nil
}

func (r *Reader) read(ctx context.Context, cursors map[string]string, trouble func(stream string, err error)) error {
	for c, err := range r.Source.Chunks(ctx, cursors) {
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
func (r *Reader) unpark(ctx context.Context, ended <-chan struct{}) error {
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
func (r *Reader) record(ctx context.Context, b edgeban.Batch, text bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.parked); n > 0 && r.parked[n-1].Stream == b.Stream && len(r.parked[n-1].Matches) == 0 && !r.parked[n-1].End {
		b.From = r.parked[n-1].From
		r.parked = r.parked[:n-1] // b's cursor is after it
	}
	r.parked = append(r.parked, b)
	if len(b.Matches) == 0 && !b.End && text {
		return nil
	}
	return r.save(ctx)
}

// save records what is parked. What is left when ctx is done is read again.
func (r *Reader) save(ctx context.Context) error {
	for len(r.parked) > 0 {
		if done, err := record(ctx, r.Ledger, r.parked[0]); !done {
			return err
		}
		r.parked = r.parked[1:]
	}
	return nil
}

// record records a batch, and reports whether it did before ctx was done. While
// the ledger is full it waits: the log is the queue.
func record(ctx context.Context, l edgeban.Ledger, b edgeban.Batch) (bool, error) {
	for {
		err := l.Record(context.WithoutCancel(ctx), b)
		if !errors.Is(err, edgeban.ErrFull) {
			return err == nil, err
		}
		select {
		case <-ctx.Done():
			return false, nil
		case <-time.After(time.Second):
		}
	}
}

// batch scans a chunk with every jail that reads it.
func (r *Reader) batch(c edgeban.Chunk) edgeban.Batch {
	b := edgeban.Batch{Source: c.Source, Stream: c.Stream, From: c.From, To: c.To, End: c.End, Read: c.Read}
	b.Matches = r.gates.scan(r.panel(c.Origin), c, r.Never()).one()
	if c.End {
		delete(r.panels, c.Origin)
	}
	return b
}

// panel returns the jails that read a log.
func (r *Reader) panel(origin string) *panel {
	p := r.panels[origin]
	if p == nil {
		p = &panel{}
		for _, w := range r.Jails {
			if w.reads(origin) {
				p.watchers = append(p.watchers, w)
			}
		}
		if r.panels == nil {
			r.panels = map[string]*panel{}
		}
		r.panels[origin] = p
	}
	return p
}

// recall shows the filters lines that were recorded before a restart, so that
// what follows finds the sessions and the dates that it refers to.
func (r *Reader) recall(c edgeban.Chunk) {
	for _, w := range r.panel(c.Origin).watchers {
		w.recall(c)
	}
}
