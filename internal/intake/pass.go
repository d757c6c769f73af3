package intake

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/never"
	"github.com/edgeban/edgeban/internal/source"
)

// A Log is opened when its turn comes.
type Log struct {
	Name string
	Open func() (io.ReadCloser, error)
}

// open opens the log. It does not wait for it when ctx is done: a pipe may have nobody
// who writes into it.
func (l Log) open(ctx context.Context) (io.ReadCloser, error) {
	type opened struct {
		in  io.ReadCloser
		err error
	}
	got := make(chan opened, 1)
	go func() {
		in, err := l.Open()
		got <- opened{in, err}
	}()
	select {
	case o := <-got:
		return o.in, o.err
	case <-ctx.Done():
		go func() {
			if o := <-got; o.err == nil {
				o.in.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

// A pass reads one log for all jails of a Replay.
type pass struct {
	log    Log
	waits  bool // see Replay
	never  *never.List
	now    time.Time
	panel  panel // the jails, in their order
	gates  gates
	forms  forms
	lender *lender
	spare  *spares // nil where what is found is taken at once
}

// found is what the jails have found in a chunk, or at the end of a log whether it was
// read to there.
type found struct {
	findings
	end   bool
	err   error
	by    *pass
	block []edgeban.Match // that holds the findings; nil where they are the filters' own
}

// Len returns how many matches they are.
func (f found) Len() int { return f.findings.len() }

// pass prepares to read a log. What is found in a chunk is not needed any more at the
// next one if it is taken at once.
func (r *Replay) pass(l Log, once bool) *pass {
	p := &pass{log: l, waits: r.Waits, never: r.Never, now: r.Now, lender: &r.lender}
	if !once {
		p.spare = &r.spare
	}
	for _, t := range r.Trials {
		w := t.watcher.twin()
		w.flood.Own = true
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
		in, err := p.log.open(ctx)
		if err != nil {
			yield(found{end: true, err: err, by: p})
			return
		}
		defer in.Close()
		p.lender.lend(&p.panel)
		for c, err := range p.chunks(ctx, in) {
			if err != nil {
				yield(found{end: true, err: fmt.Errorf("%s: %w", p.log.Name, err), by: p})
				return
			}
			c.Live, c.Read, c.Times, c.Stream = false, p.now, nil, "" // no match needs an ID
			p.forms.look(c.Text)
			all := p.gates.scan(&p.panel, c, p.never)
			f := found{findings: all, by: p}
			if p.spare != nil {
				f.block = p.spare.keep(all)
			}
			if !yield(f) {
				return
			}
		}
		p.lender.take(&p.panel)
		yield(found{end: true, by: p})
	}
}

// chunks yields the lines of a log.
func (p *pass) chunks(ctx context.Context, in io.Reader) iter.Seq2[edgeban.Chunk, error] {
	if !p.waits {
		return source.Read(ctx, in)
	}
	return func(yield func(edgeban.Chunk, error) bool) {
		piped := source.NewStdin(in)
		defer piped.Close()
		piped.Chunks(ctx, nil)(yield)
	}
}

// spares are memory for findings that is used again. They are safe for concurrent use.
type spares struct {
	mu   sync.Mutex
	free [][]edgeban.Match
}

// keep moves findings to a block of their own, for they are the filters' until the next
// chunk only. All jails share one: as lists of each they would take twice the room, for
// what was used for many matches of one jail would then hold a few of another.
func (s *spares) keep(f findings) (block []edgeban.Match) {
	n := f.len()
	if n == 0 {
		return nil
	}
	block = s.get(n)
	for i, ms := range f {
		from := len(block)
		block = append(block, ms...)
		f[i] = block[from:len(block):len(block)]
	}
	return block
}

// get returns an empty block with room for n matches. Where none has it, one of those that
// have not is let go.
func (s *spares) get(n int) []edgeban.Match {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, block := range slices.Backward(s.free) {
		if cap(block) >= n {
			s.free = slices.Delete(s.free, i, i+1)
			return block[:0]
		}
	}
	s.free = s.free[:max(0, len(s.free)-1)]
	const step = 64 // so that it suits the next chunk as well
	return make([]edgeban.Match, 0, (n+step-1)/step*step)
}

// put takes a block that nobody needs any more.
func (s *spares) put(block []edgeban.Match) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, block)
}
