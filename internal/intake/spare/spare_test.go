package spare

import "testing"

func TestWhatFitsIsTakenLastFirstAndOnce(t *testing.T) {
	var s Stack[int]
	take := func(least, want int) {
		t.Helper()
		if got, ok := s.Take(func(n int) bool { return n >= least }); got != want || ok != (want > 0) {
			t.Errorf("of at least %d: got %d and %v, want %d", least, got, ok, want)
		}
	}
	take(1, 0)
	for _, n := range []int{5, 3, 4, 1} {
		s.Put(n)
	}
	take(3, 4)
	take(5, 5)
	take(7, 0) // and 1 is gone
	take(1, 3)
	take(1, 0)
}
