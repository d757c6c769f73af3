package intake

import (
	"context"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/intake/forms"
	"github.com/edgeban/edgeban/internal/intake/parcel"
	"github.com/edgeban/edgeban/internal/intake/spare"
	"github.com/edgeban/edgeban/internal/intake/tray"
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
	log   Log
	waits bool // see Replay
	never *never.List
	now   time.Time
	panel panel // the jails, in their order
	gates gates
	forms forms.Forms
	trays tray.Set
	once  bool // what is found is used before the next chunk
	used  *spare.Stack[*parcel.Parcel]
	usual int // matches in a chunk
}

// found is what the jails have found in a chunk, or at the end of a log whether it was
// read to there.
type found struct {
	findings                // valid until the next chunk
	parcel   *parcel.Parcel // in place of them, where they must wait longer
	end      bool
	err      error
	by       *pass
}

// Len returns how many bytes wait.
func (f found) Len() int {
	if f.parcel == nil {
		return 0
	}
	return f.parcel.Size()
}

// pass prepares to read a log. Once is that what is found in a chunk is not needed any
// more at the next one.
func (r *Replay) pass(l Log, once bool) *pass {
	p := &pass{log: l, waits: r.Waits, never: r.Never, now: r.Now, gates: gates{lender: &r.lender}, trays: tray.Set{All: &r.trays}, once: once, used: &r.parcels}
	for _, t := range r.Trials {
		p.panel.watchers = append(p.panel.watchers, t.watcher.twin())
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
func (p *pass) read(ctx context.Context) iter.Seq[func() found] {
	return func(yield func(func() found) bool) {
		end := func(err error) { yield(func() found { return found{end: true, err: err, by: p} }) }
		in, err := p.log.open(ctx)
		if err != nil {
			end(err)
			return
		}
		defer in.Close()
		for c, err := range p.chunks(ctx, in) {
			if err != nil {
				end(fmt.Errorf("%s: %w", p.log.Name, err))
				return
			}
			c.Live, c.Read, c.Times, c.Stream = false, p.now, nil, "" // no match needs an ID
			p.forms.Look(c.Text)
			t := p.trays.Last
			p.gates.sift(&p.panel, c.Text, &t.Search)
			if !yield(func() found { return p.find(c, t) }) {
				return
			}
		}
		p.gates.lender.take(&p.panel)
		end(nil)
	}
}

// chunks yields the lines of a log, for each of which there is a tray.
func (p *pass) chunks(ctx context.Context, in io.Reader) iter.Seq2[edgeban.Chunk, error] {
	if !p.waits {
		return source.Read(ctx, in, p.trays.Next)
	}
	return func(yield func(edgeban.Chunk, error) bool) {
		piped := source.NewStdin(in)
		defer piped.Close()
		piped.Chunks(ctx, nil)(func(c edgeban.Chunk, err error) bool {
			p.trays.Next()
			return yield(c, err)
		})
	}
}

// find looks through a chunk that was sifted. All jails share one piece of memory for what
// they find, and where that waits, it does so packed.
func (p *pass) find(c edgeban.Chunk, t *tray.Tray) found {
	defer p.trays.Put(t)
	f := found{findings: p.panel.scan(c, &t.Search, p.never, t.Room(p.usual+p.usual/8+1)), by: p}
	p.usual = f.findings.len()
	if p.usual > 0 && !p.once {
		f.parcel, f.findings = p.pack(f.findings), nil
	}
	return f
}

func (p *pass) pack(f findings) *parcel.Parcel {
	packed, ok := p.used.Take(func(old *parcel.Parcel) bool { return old.Fits(p.usual) })
	if !ok {
		packed = parcel.New(p.usual)
	}
	packed.Pack(f)
	return packed
}
