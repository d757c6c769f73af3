// Package ahead goes over several sequences at a time, and yields what they hold one
// after the other.
package ahead

import (
	"context"
	"iter"
	"slices"
	"sync"
)

// A Part is some of a sequence.
type Part interface {
	Len() int // how much room it takes until it is used
}

// A Crew goes over sequences. What is made of each part must wait for that of all before
// it, so while the others go over one sequence each, whoever makes it goes over one more,
// in the time that leaves. Were there as many others as cores, all would go over their
// sequences first, and what was found in the last would be used when nothing is left to
// be done beside it. Nobody is woken up for a few parts, either.
type Crew struct {
	Others int  // go over sequences beside whoever uses the parts
	Waits  bool // a sequence may keep whoever goes over it waiting: only the others do
	Room   int  // for the parts of one sequence that are not used
}

// Join yields the parts of n sequences until ctx is done. All that it has begun has ended
// when it returns.
func Join[P Part](ctx context.Context, c Crew, n int, open func(ctx context.Context, i int) iter.Seq[P]) iter.Seq[P] {
	return func(yield func(P) bool) {
		ctx, cancel := context.WithCancel(ctx)
		j := &joined[P]{Crew: c, left: n, open: func(i int) iter.Seq[P] { return open(ctx, i) }}
		j.changed.L = &j.Mutex
		var others sync.WaitGroup
		defer func() {
			cancel() // first: it ends what keeps the others waiting
			j.end()
			others.Wait()
			j.close()
		}()
		j.fill()
		for range c.Others {
			others.Go(j.help)
		}
		for parts := j.take(); len(parts) > 0 && ctx.Err() == nil; parts = j.take() {
			for _, p := range parts {
				if !yield(p) {
					return
				}
			}
		}
	}
}

// joined is the sequences that are gone over, the one whose turn it is first.
type joined[P Part] struct {
	Crew
	sync.Mutex
	changed sync.Cond

	open   func(i int) iter.Seq[P]
	opened int
	left   int // not opened
	queue  []*sequence[P]
	used   []P // by take, to be used again
	over   bool
}

type sequence[P Part] struct {
	next  func() (P, bool)
	stop  func()
	busy  bool // somebody goes over it
	ended bool
	found []P // and not used
	size  int // of these
}

// fill opens as many sequences as there is somebody for. Where they wait, each but the
// first may keep one of the others, and one must be left for the first.
func (j *joined[P]) fill() {
	most := j.Others
	if !j.Waits {
		most++
	}
	for ; len(j.queue) < most && j.left > 0; j.left-- {
		s := &sequence[P]{}
		s.next, s.stop = iter.Pull(j.open(j.opened))
		j.queue = append(j.queue, s)
		j.opened++
	}
}

// take returns the parts that come next, none at the end. They are valid until the
// next call.
func (j *joined[P]) take() []P {
	j.Lock()
	defer j.Unlock()
	for looked := false; len(j.queue) > 0; looked = true {
		first := j.queue[0]
		if len(first.found) > 0 && (looked || j.Waits) {
			return j.empty(first)
		}
		s := j.free(slices.Backward(j.queue)) // the first is for the others
		switch {
		case len(first.found) == 0 && first.ended:
			first.stop()
			j.queue = j.queue[1:]
			j.fill()
			j.changed.Broadcast()
		case s != nil && !j.Waits:
			j.look(s)
		case len(first.found) > 0:
			return j.empty(first)
		default:
			j.changed.Wait()
		}
	}
	return nil
}

// empty takes what was found in a sequence.
func (j *joined[P]) empty(s *sequence[P]) []P {
	clear(j.used)
	all := s.found
	s.found, s.size, j.used = j.used[:0], 0, all
	j.changed.Broadcast() // there is room
	return all
}

// help goes over sequences until all is over.
func (j *joined[P]) help() {
	j.Lock()
	defer j.Unlock()
	for !j.over {
		s := j.free(slices.All(j.queue))
		if s == nil {
			j.changed.Wait()
			continue
		}
		for j.look(s); !j.over && s.free(j.Room); { // stays with it: the core knows it
			j.look(s)
		}
	}
}

// free returns the first of sequences that nobody goes over and that may be, or nil.
func (j *joined[P]) free(all iter.Seq2[int, *sequence[P]]) *sequence[P] {
	for _, s := range all {
		if s.free(j.Room) {
			return s
		}
	}
	return nil
}

func (s *sequence[P]) free(room int) bool { return !s.busy && !s.ended && s.size < room }

// look finds the next part of a sequence, without the lock meanwhile.
func (j *joined[P]) look(s *sequence[P]) {
	s.busy = true
	j.Unlock()
	p, ok := s.next()
	j.Lock()
	s.busy, s.ended = false, !ok
	if ok {
		s.found, s.size = append(s.found, p), s.size+p.Len()
	}
	j.changed.Broadcast()
}

func (j *joined[P]) end() {
	j.Lock()
	defer j.Unlock()
	j.over = true
	j.changed.Broadcast()
}

func (j *joined[P]) close() {
	for _, s := range j.queue {
		s.stop()
	}
}
