// Package spare keeps memory that is used again.
package spare

import (
	"slices"
	"sync"
)

// A Stack has things that nobody uses. What was put there last is taken first: the
// processor may know it still. Its zero value is empty and ready, and it is safe for
// concurrent use.
type Stack[T any] struct {
	mu  sync.Mutex
	all []T
}

// Take returns the last thing that fits, and reports whether there is one. If none fits,
// the last is let go, so that what fits nobody does not stay.
func (s *Stack[T]) Take(fits func(T) bool) (t T, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, t := range slices.Backward(s.all) {
		if fits(t) {
			s.all = slices.Delete(s.all, i, i+1)
			return t, true
		}
	}
	s.all = slices.Delete(s.all, max(0, len(s.all)-1), len(s.all))
	return t, false
}

// Put gives a thing back.
func (s *Stack[T]) Put(t T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, t)
}
