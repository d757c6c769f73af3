package ring

import (
	"fmt"
	"slices"
	"testing"
)

// Whoever fails slowly is shown with the lines of long ago, while others come and go.
func TestEvidenceIsBoundedAndKeepsTheSlow(t *testing.T) {
	var r Ring
	var slow, quick uint64 // their last failures
	for i := range 5 * Size {
		if i%(Size/2) == 0 {
			n := r.Next()
			r.Add(slow, fmt.Sprint("slow ", i), 5)
			slow = n
		}
		n := r.Next()
		r.Add(quick, fmt.Sprint("quick ", i), 5)
		quick = n
	}
	if n := len(r.pages) * len(page{}); n > Size {
		t.Errorf("%d lines are kept, want %d at most", n, Size)
	}
	if got, want := r.Last(slow, 5), []string{"slow 250000", "slow 300000", "slow 350000", "slow 400000", "slow 450000"}; !slices.Equal(got, want) {
		t.Errorf("of the slow one there is %q, want %q", got, want)
	}
	if got, want := r.Last(quick, 2), []string{"quick 499998", "quick 499999"}; !slices.Equal(got, want) {
		t.Errorf("of the quick one there is %q, want %q", got, want)
	}
	if got := r.Last(1, 5); len(got) > 0 {
		t.Errorf("a line of long ago is another one now: %q", got)
	}
}
