package table

import (
	"math/rand/v2"
	"testing"
)

// The fear is a bit that is set or found in the word, or the row, beside it: a search
// would then leave out a way that leads to a match.
func TestBitsAreThoseOfTheirPlaces(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var tab Table
	for range 300 {
		rows, last := 1+r.IntN(4), r.IntN(200)
		tab.Clear(rows, last)
		want := make([][]bool, rows)
		for k := range want {
			want[k] = make([]bool, last+1)
		}
		for range r.IntN(6) {
			row, from, to := r.IntN(rows), r.IntN(last+1), r.IntN(last+1)
			tab.Set(int32(row), int32(from), int32(to))
			for i := from; i <= to; i++ {
				want[row][i] = true
			}
		}
		tab.Set(-1, 0, int32(last))
		for row := range want {
			for i := range want[row] {
				if tab.Has(int32(row), i) != want[row][i] {
					t.Fatalf("row %d, place %d of %d: not %v", row, i, last, want[row][i])
				}
			}
			from, to := r.IntN(last+1), r.IntN(last+1)
			first := -1
			for i := to; i >= from; i-- {
				if want[row][i] {
					first = i
				}
			}
			if got := tab.Find(int32(row), from, to); got != first {
				t.Fatalf("row %d from %d to %d: found %d, want %d", row, from, to, got, first)
			}
		}
	}
}
