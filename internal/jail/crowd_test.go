package jail

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// The level is what cutting down one after the other would find.
func TestCrowdsAreLevelledTogether(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for range 5000 {
		sizes := make([]int32, 1+r.IntN(6))
		total := 0
		for i := range sizes {
			sizes[i] = int32(1 + r.IntN(9))
			total += int(sizes[i])
		}
		n := 1 + r.IntN(total)
		want := 0
		for limit := range 10 {
			over := 0
			for _, size := range sizes {
				over += max(0, int(size)-limit)
			}
			if over >= n {
				want = limit
			}
		}
		if got := level(sizes, n); got != want {
			t.Fatalf("%v, %d to go: got %d, want %d", sizes, n, got, want)
		}
	}
}

func TestWhoGoesFirstIsFoundWithoutSorting(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for round := range 3000 {
		all := make([]*count, 1+r.IntN(300))
		for i := range all {
			all[i] = &count{total: int32(r.IntN(1 + round%5)), last: int64(r.IntN(1 + round%40))}
			all[i].key[0], all[i].key[1] = byte(i), byte(i>>8)
			if round%3 == 0 {
				all[i].last = int64(i) // in order
			}
		}
		sorted := slices.SortedFunc(slices.Values(all), least)
		k := r.IntN(len(all) + 1)
		first(all, k)
		if got := slices.SortedFunc(slices.Values(all[:k]), least); !slices.Equal(got, sorted[:k]) {
			t.Fatalf("%d of %d: not those that go first", k, len(all))
		}
	}
}
