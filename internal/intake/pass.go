package intake

import (
	"context"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/edgeban/edgeban/internal/intake/flood"
	"github.com/edgeban/edgeban/internal/never"
	"github.com/edgeban/edgeban/internal/source"
)

// A Log is opened when its turn comes.
type Log struct {
	Name string
	Open func() (io.ReadCloser, error)
}

// A pass reads one log for all jails of a Replay.
type pass struct {
	log   Log
	never *never.List
	now   time.Time
	panel panel // the jails, in their order
	gates gates
	forms forms
	spare *flood.Spares // nil where what is found is taken at once
}

// found is what the jails have found in a chunk, or at the end of a log whether it was
// read to there.
type found struct {
	findings
	end bool
	err error
	by  *pass
}

// Len returns how many matches they are.
func (f found) Len() int { return f.findings.len() }

// pass prepares to read a log. What is found in a chunk is not needed any more at the
// next one if it is taken at once.
func (r *Replay) pass(l Log, once bool) *pass {
	p := &pass{log: l, never: r.Never, now: r.Now}
	if !once {
		p.spare = &r.spare
	}
	for _, t := range r.Trials {
		w := t.watcher.twin()
		w.flood.Own, w.flood.Spare = once, p.spare
		p.panel.watchers = append(p.panel.watchers, w)
	}
	return p
}

// twin returns a Watcher of the same jail that may read another log at the same
// time: they share the filter and the counts.
func (w *Watcher) twin() *Watcher {
	t := &Watcher{Jail: w.Jail, set: w.set, filter: w.filter, finder: w.finder, scanners: map[string]*scanning{}, counters: w.counters, mail: w.mail}
	t.ignore.Store(w.ignore.Load())
	return t
}

// read yields what is found in each chunk until ctx is done.
func (p *pass) read(ctx context.Context) iter.Seq[found] {
	return func(yield func(found) bool) {
		in, err := p.log.Open()
		if err != nil {
			yield(found{end: true, err: err, by: p})
			return
		}
		defer in.Close()
		text := source.NewStdin(in)
		defer text.Close()
		for c, err := range text.Chunks(ctx, nil) {
			if err != nil {
				yield(found{end: true, err: fmt.Errorf("%s: %w", p.log.Name, err), by: p})
				return
			}
			c.Live, c.Read, c.Times, c.Stream = false, p.now, nil, "" // no match needs an ID
			p.forms.look(c.Text)
			all := p.gates.scan(&p.panel, c, p.never)
			if !yield(found{findings: all, by: p}) {
				return
			}
		}
		yield(found{end: true, by: p})
	}
}
