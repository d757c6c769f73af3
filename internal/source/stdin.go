package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/source/whole"
)

// Stdin reads lines that are piped in. They cannot be asked for again, so it has
// no cursors, and one Stdin serves every sequence that is asked of it: what was
// not taken from one is the first of the next. The sequence ends with the input.
type Stdin struct {
	pump   pump
	start  sync.Once
	stop   sync.Once
	stream string
	held   *whole.Piece // handed out, and not known to be recorded
	ended  bool
}

var _ Source = (*Stdin)(nil)

// NewStdin returns the source that reads r, once.
func NewStdin(r io.Reader) *Stdin {
	return &Stdin{
		pump:   pump{in: r, pieces: make(chan whole.Piece), taken: make(chan struct{}), quit: make(chan struct{})},
		stream: streamName("stdin", newGeneration()),
	}
}

// Close lets go of the input. A read that is under way is left to itself; only
// closing the input ends it.
func (s *Stdin) Close() { s.stop.Do(func() { close(s.pump.quit) }) }

// Chunks yields the lines of the input as they come, also a last one that has no
// \n; lines that are too long are skipped. It returns as soon as ctx is done.
// What was yielded last then comes again, as the same lines of the same stream.
// One sequence may run at a time.
func (s *Stdin) Chunks(ctx context.Context, _ map[string]string) iter.Seq2[edgeban.Chunk, error] {
	return func(yield func(edgeban.Chunk, error) bool) {
		s.start.Do(func() { go s.pump.run() }) // ends with Close, or with the read that it is in
		chunk := edgeban.Chunk{Source: "stdin", Stream: s.stream, Origin: "stdin", Live: true}
		for !s.ended {
			if s.held == nil {
				select {
				case <-ctx.Done():
					return
				case got := <-s.pump.pieces:
					s.held = &got
				}
			}
			got := *s.held
			if !show(got, &chunk, yield) {
				return
			}
			s.held = nil
			if got.Err == nil {
				select {
				case s.pump.taken <- struct{}{}:
				case <-s.pump.quit:
					return
				}
				continue
			}
			s.ended = true
			if broken(got.Err) {
				yield(edgeban.Chunk{}, edgeban.Permanent(fmt.Errorf("stdin: %w: start what is piped in again", got.Err)))
			}
		}
	}
}

// Read yields the lines of r as a Stdin does, but is what reads: for files, which keep
// nobody waiting. It looks at ctx before each read. The text of a chunk is in the buffer
// that next has returned last.
func Read(ctx context.Context, r io.Reader, next func() *whole.Buffer) iter.Seq2[edgeban.Chunk, error] {
	return func(yield func(edgeban.Chunk, error) bool) {
		chunk := edgeban.Chunk{Source: "stdin", Stream: streamName("stdin", newGeneration()), Origin: "stdin", Live: true}
		for got := range whole.Pieces(until{ctx.Done(), r}, next) {
			if ctx.Err() != nil || !show(got, &chunk, yield) {
				return
			}
			if broken(got.Err) {
				yield(edgeban.Chunk{}, edgeban.Permanent(got.Err))
			}
		}
	}
}

// until is a reader that ends when something is done: a line may have no end.
type until struct {
	done <-chan struct{}
	io.Reader
}

func (u until) Read(p []byte) (int, error) {
	select {
	case <-u.done:
		return 0, io.EOF
	default:
		return u.Reader.Read(p)
	}
}

// show yields a piece as a chunk.
func show(p whole.Piece, c *edgeban.Chunk, yield func(edgeban.Chunk, error) bool) bool {
	c.Text, c.Base, c.Read, c.End = p.Text, p.Base, time.Now(), p.Err != nil
	return yield(*c, nil)
}

// broken reports whether an input could not be read to its end.
func broken(err error) bool { return err != nil && !errors.Is(err, io.EOF) }

// A pump waits for input where waiting cannot be cancelled. The text of a piece
// is the pump's again once it was taken.
type pump struct {
	in     io.Reader
	pieces chan whole.Piece
	taken  chan struct{}
	quit   chan struct{}
}

func (p *pump) run() {
	var buf whole.Buffer // the last piece is taken before the next is asked for
	for got := range whole.Pieces(until{p.quit, p.in}, func() *whole.Buffer { return &buf }) {
		if !p.give(got) {
			return
		}
	}
}

// give hands a piece over and waits until its text is free again.
func (p *pump) give(got whole.Piece) bool {
	select {
	case <-p.quit:
		return false // what was cut there is no line
	default:
	}
	select {
	case <-p.quit:
		return false
	case p.pieces <- got:
	}
	if got.Err != nil {
		return false
	}
	select {
	case <-p.quit:
		return false
	case <-p.taken:
		return true
	}
}
