package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"

	"github.com/edgeban/edgeban"
)

// Stdin reads lines that are piped in. They cannot be asked for again, so it has
// no cursors, and one Stdin serves every sequence that is asked of it: what was
// not taken from one is the first of the next. The sequence ends with the input.
type Stdin struct {
	pump   pump
	start  sync.Once
	stop   sync.Once
	stream string
	held   *piece // handed out, and not known to be recorded
	ended  bool
}

var _ Source = (*Stdin)(nil)

// NewStdin returns the source that reads r, once.
func NewStdin(r io.Reader) *Stdin {
	return &Stdin{
		pump:   pump{in: r, pieces: make(chan piece), taken: make(chan struct{}), quit: make(chan struct{})},
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
			if !got.show(&chunk, yield) {
				return
			}
			s.held = nil
			if got.err == nil {
				select {
				case s.pump.taken <- struct{}{}:
				case <-s.pump.quit:
					return
				}
				continue
			}
			s.ended = true
			if got.broken() {
				yield(edgeban.Chunk{}, edgeban.Permanent(fmt.Errorf("stdin: %w: start what is piped in again", got.err)))
			}
		}
	}
}

// Read yields the lines of r as a Stdin does, but is what reads: for files, which keep
// nobody waiting. It looks at ctx before each chunk.
func Read(ctx context.Context, r io.Reader) iter.Seq2[edgeban.Chunk, error] {
	return func(yield func(edgeban.Chunk, error) bool) {
		chunk := edgeban.Chunk{Source: "stdin", Stream: streamName("stdin", newGeneration()), Origin: "stdin", Live: true}
		for got := range pieces(r) {
			if ctx.Err() != nil || !got.show(&chunk, yield) {
				return
			}
			if got.broken() {
				yield(edgeban.Chunk{}, edgeban.Permanent(got.err))
			}
		}
	}
}

// A piece is some whole lines, or the last of them and why no more follow.
type piece struct {
	text []byte
	base int64
	err  error
}

// show yields a piece as a chunk.
func (p *piece) show(c *edgeban.Chunk, yield func(edgeban.Chunk, error) bool) bool {
	c.Text, c.Base, c.Read, c.End = p.text, p.base, time.Now(), p.err != nil
	return yield(*c, nil)
}

// broken reports whether the input could not be read to its end.
func (p *piece) broken() bool { return p.err != nil && !errors.Is(p.err, io.EOF) }

// pieces yields what in holds. The text of a piece is used again for the next.
func pieces(in io.Reader) iter.Seq[piece] {
	return func(yield func(piece) bool) {
		buf := make([]byte, maxChunk+1) // one more for the \n of a last line without
		var have int                    // bytes in buf, the first of which is the start of a line
		var base int64
		var skipping bool
		for {
			n, err := in.Read(buf[have:maxChunk])
			have += n
			for {
				if skipping {
					n := bytes.IndexByte(buf[:have], '\n') + 1
					skipping = n == 0
					if skipping {
						n = have
					}
					have, base = drop(buf, have, n), base+int64(n)
				}
				n, long := wholeLines(buf[:have])
				if n > 0 && !yield(piece{text: buf[:n], base: base}) {
					return
				}
				have, base = drop(buf, have, n), base+int64(n)
				if !long {
					break
				}
				skipping = true
			}
			if err != nil {
				last := piece{base: base, err: err}
				if have > 0 {
					last.text = append(buf[:have], '\n')
				}
				yield(last)
				return
			}
		}
	}
}

// drop takes n bytes off the front of what is in buf, and returns what is left.
func drop(buf []byte, have, n int) int { return copy(buf, buf[n:have]) }

// A pump waits for input where waiting cannot be cancelled. The text of a piece
// is the pump's again once it was taken.
type pump struct {
	in     io.Reader
	pieces chan piece
	taken  chan struct{}
	quit   chan struct{}
}

func (p *pump) run() {
	for got := range pieces(p.in) {
		if !p.give(got) {
			return
		}
	}
}

// give hands a piece over and waits until its text is free again.
func (p *pump) give(got piece) bool {
	select {
	case <-p.quit:
		return false
	case p.pieces <- got:
	}
	if got.err != nil {
		return false
	}
	select {
	case <-p.quit:
		return false
	case <-p.taken:
		return true
	}
}
