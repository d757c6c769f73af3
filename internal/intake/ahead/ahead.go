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
//
// A sequence is gone over in two steps, so that two may share one: it is read, and a part
// is found in what was read, while it is read on.
type Crew struct {
	Others int  // go over sequences beside whoever uses the parts
	Waits  bool // a sequence may keep whoever reads it waiting: only the others do, and do not read on before a part is found
	Room   int  // for the parts of one sequence that are not used
}

// Join yields the parts of n sequences until ctx is done. What a sequence yields finds a
// part; it is called once, after those before it. All that Join has begun has ended when it
// returns.
func Join[P Part](ctx context.Context, c Crew, n int, open func(ctx context.Context, i int) iter.Seq[func() P]) iter.Seq[P] {
	return func(yield func(P) bool) {
		ctx, cancel := context.WithCancel(ctx)
		j := &joined[P]{Crew: c, left: n, open: func(i int) iter.Seq[func() P] { return open(ctx, i) }}
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

// depth is how many times a sequence is read before a part is found in what was read
// first. Were it once only, the two who go over it would keep each other waiting.
const depth = 3

// joined is the sequences that are gone over, the one whose turn it is first.
type joined[P Part] struct {
	Crew
	sync.Mutex
	changed sync.Cond

	open   func(i int) iter.Seq[func() P]
	opened int
	left   int // not opened
	queue  []*sequence[P]
	used   []P // by take, to be used again
	idle   int // goroutines that wait for a change
	over   bool
}

type sequence[P Part] struct {
	next    func() (func() P, bool)
	stop    func()
	reading bool // somebody does
	ended   bool
	read    []func() P // and no part was found in it
	finding bool       // somebody does
	found   []P        // and not used
	size    int        // of these
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
		s := j.due(slices.Backward(j.queue)) // the first is for the others
		switch {
		case first.over():
			first.stop()
			j.queue = j.queue[1:]
			j.fill()
			j.changed.Broadcast()
		case s != nil && !j.Waits:
			j.look(s)
		case len(first.found) > 0:
			return j.empty(first)
		default:
			j.wait()
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

// over reports whether nothing comes of the sequence any more.
func (s *sequence[P]) over() bool {
	return s.ended && len(s.read) == 0 && !s.finding && len(s.found) == 0
}

// help goes over sequences until all is over.
func (j *joined[P]) help() {
	j.Lock()
	defer j.Unlock()
	for !j.over {
		s := j.due(slices.All(j.queue))
		if s == nil {
			j.wait()
			continue
		}
		for j.look(s); !j.over && j.isDue(s); { // stays with it: the core knows it
			j.look(s)
		}
	}
}

// due returns the first of sequences with which somebody may go on, or nil.
func (j *joined[P]) due(all iter.Seq2[int, *sequence[P]]) *sequence[P] {
	for _, s := range all {
		if j.isDue(s) {
			return s
		}
	}
	return nil
}

func (j *joined[P]) isDue(s *sequence[P]) bool { return s.findable() || j.readable(s) }

func (s *sequence[P]) findable() bool { return len(s.read) > 0 && !s.finding }

func (j *joined[P]) readable(s *sequence[P]) bool {
	return len(s.read) < depth && !s.reading && !s.ended && s.size < j.Room && !(j.Waits && (s.finding || len(s.read) > 0))
}

func (j *joined[P]) wait() {
	j.idle++
	j.changed.Wait()
	j.idle--
}

// look takes the next step with a sequence, without the lock meanwhile. To find is left to
// whoever waits for something to do, and comes too late if all is done at once.
func (j *joined[P]) look(s *sequence[P]) {
	if s.findable() && (j.idle == 0 || !j.readable(s)) {
		find := s.read[0]
		s.read, s.finding = s.read[1:], true
		j.changed.Broadcast() // it may be read on
		j.Unlock()
		p := find()
		j.Lock()
		s.finding = false
		s.found, s.size = append(s.found, p), s.size+p.Len()
	} else {
		s.reading = true
		j.Unlock()
		find, ok := s.next()
		j.Lock()
		s.reading, s.ended = false, !ok
		if ok {
			s.read = append(s.read, find)
		}
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
