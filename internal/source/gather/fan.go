package gather

import (
	"context"
	"sync"

	"github.com/edgeban/edgeban"
)

// A Fan makes one sequence of what several goroutines read. Each has one chunk
// under way, so that memory is bounded and whoever is read waits.
type Fan struct {
	offers  chan offer
	workers sync.WaitGroup
}

type offer struct {
	chunk edgeban.Chunk
	err   error
	taken chan<- bool
}

// NewFan returns a Fan of nobody.
func NewFan() *Fan { return &Fan{offers: make(chan offer)} }

// Go runs a worker, which must end when the context of Run is done.
func (f *Fan) Go(work func()) { f.workers.Go(work) }

// Give yields a chunk or an error, and returns when the next one was asked for: the
// text is the worker's again, and the cursor is recorded. It is false if that did
// not happen before ctx was done.
func (f *Fan) Give(ctx context.Context, c edgeban.Chunk, err error) bool {
	taken := make(chan bool, 1)
	select {
	case <-ctx.Done():
		return false
	case f.offers <- offer{c, err, taken}:
		return <-taken
	}
}

// Run yields what the workers give until ctx is done or yield is. The workers start
// with start, and have ended when Run returns.
func (f *Fan) Run(ctx context.Context, start func(context.Context), yield func(edgeban.Chunk, error) bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer f.workers.Wait()
	defer cancel()
	start(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case o := <-f.offers:
			more := yield(o.chunk, o.err)
			o.taken <- more
			if !more {
				return
			}
		}
	}
}
