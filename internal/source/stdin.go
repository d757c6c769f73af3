package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/edgeban/edgeban"
)

// Stdin reads lines that are piped in. They cannot be asked for again, so it has
// no cursors; the sequence ends with the input.
type Stdin struct{ r io.Reader }

var _ Source = (*Stdin)(nil)

// NewStdin returns the source that reads r, once.
func NewStdin(r io.Reader) *Stdin { return &Stdin{r: r} }

// Chunks yields the lines of the input as they come, also a last one that has no
// \n; lines that are too long are skipped. It returns as soon as ctx is done: a
// read that is under way then is left to itself, only closing the input ends it.
func (s *Stdin) Chunks(ctx context.Context, _ map[string]string) iter.Seq2[edgeban.Chunk, error] {
	return func(yield func(edgeban.Chunk, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		p := pump{in: s.r, pieces: make(chan piece), taken: make(chan struct{})}
		go p.run(ctx) // ends with ctx, or with the read that it is in

		chunk := edgeban.Chunk{Source: "stdin", Stream: streamName("stdin", newGeneration()), Origin: "stdin", Live: true}
		for {
			var got piece
			select {
			case <-ctx.Done():
				return
			case got = <-p.pieces:
			}
			chunk.Text, chunk.Base, chunk.Read, chunk.End = got.text, got.base, time.Now(), got.err != nil
			if !yield(chunk, nil) {
				return
			}
			if got.err != nil {
				if !errors.Is(got.err, io.EOF) {
					yield(edgeban.Chunk{}, edgeban.Permanent(fmt.Errorf("stdin: %w: start what is piped in again", got.err)))
				}
				return
			}
			select {
			case <-ctx.Done():
				return
			case p.taken <- struct{}{}:
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

// A pump waits for input where waiting cannot be cancelled. The text of a piece
// is the pump's again once it was taken.
type pump struct {
	in     io.Reader
	pieces chan piece
	taken  chan struct{}
}

func (p *pump) run(ctx context.Context) {
	buf := make([]byte, maxChunk+1) // one more for the \n of a last line without
	var have int                    // bytes in buf, the first of which is the start of a line
	var base int64
	var skipping bool
	for {
		n, err := p.in.Read(buf[have:maxChunk])
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
			if n > 0 && !p.give(ctx, piece{text: buf[:n], base: base}) {
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
			p.give(ctx, last)
			return
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// drop takes n bytes off the front of what is in buf, and returns what is left.
func drop(buf []byte, have, n int) int { return copy(buf, buf[n:have]) }

// give hands a piece over and waits until its text is free again.
func (p *pump) give(ctx context.Context, got piece) bool {
	select {
	case <-ctx.Done():
		return false
	case p.pieces <- got:
	}
	if got.err != nil {
		return false
	}
	select {
	case <-ctx.Done():
		return false
	case <-p.taken:
		return true
	}
}
