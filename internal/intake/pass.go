package intake

import (
	"context"
	"fmt"
	"io"
	"iter"
	"sync"
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
	found iter.Seq[found]
	spare *flood.Spares // nil where what is found is taken at once
}

// found is what the jails have found in some chunks, and why no more follows.
type found struct {
	chunks []findings
	n      int // of the matches
	err    error
}

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

// read yields what is found in each chunk, until ctx is done.
func (p *pass) read(ctx context.Context) iter.Seq[found] {
	return func(yield func(found) bool) {
		in, err := p.log.Open()
		if err != nil {
			yield(found{err: err})
			return
		}
		defer in.Close()
		text := source.NewStdin(in)
		defer text.Close()
		for c, err := range text.Chunks(ctx, nil) {
			if err != nil {
				yield(found{err: fmt.Errorf("%s: %w", p.log.Name, err)})
				return
			}
			c.Live, c.Read, c.Times, c.Stream = false, p.now, nil, "" // no match needs an ID
			p.forms.look(c.Text)
			all := p.gates.scan(&p.panel, c, p.never)
			if !yield(found{chunks: []findings{all}, n: all.len()}) {
				return
			}
		}
	}
}

// maxAhead bounds how many matches are known of logs whose turn has not come: 40 MB
// or so.
const maxAhead = 120_000

// ahead yields what seq does, the findings in the log of that number, and reads on
// meanwhile until room matches are not taken. The goroutine ends with seq, or when ctx
// is done.
func ahead(ctx context.Context, seq iter.Seq[found], room int, turn *turn, number int) iter.Seq[found] {
	box := make(chan found, 1) // holds all that is not taken
	go func() {
		defer close(box)
		for f := range seq {
			select {
			case late := <-box:
				if late.n < room {
					f = found{append(late.chunks, f.chunks...), late.n + f.n, f.err}
				} else {
					box <- late // there is room: nobody else puts anything in
				}
			default:
			}
			turn.found(number) // before it can be folded
			select {
			case box <- f:
			case <-ctx.Done():
				return
			}
			turn.wait(ctx, number)
		}
	}()
	return func(yield func(found) bool) {
		turn.begin(number)
		for f := range box {
			if !yield(f) {
				return
			}
			turn.folded()
		}
	}
}

// A turn is that of the log whose findings are folded. The others are read with what
// time that leaves: else each core has a log to read, the fold waits for one of them,
// and what was found in the last log is folded when nothing is left to do beside it.
type turn struct {
	sync.Mutex
	changed sync.Cond
	log     int  // whose turn it is
	late    bool // something that was found in it is not folded yet
}

// newTurn returns a turn for as long as ctx is not done.
func newTurn(ctx context.Context) *turn {
	t := &turn{}
	t.changed.L = t
	context.AfterFunc(ctx, func() { t.is(0, false) })
	return t
}

func (t *turn) is(log int, late bool) {
	t.Lock()
	defer t.Unlock()
	t.log, t.late = max(t.log, log), late
	t.changed.Broadcast()
}

func (t *turn) begin(log int) { t.is(log, false) }

func (t *turn) folded() { t.is(0, false) }

// found notes that something was found in a log.
func (t *turn) found(log int) {
	t.Lock()
	defer t.Unlock()
	t.late = t.late || t.log == log
}

// wait waits until a log may be read on.
func (t *turn) wait(ctx context.Context, log int) {
	t.Lock()
	defer t.Unlock()
	for t.log < log && t.late && ctx.Err() == nil {
		t.changed.Wait()
	}
}
