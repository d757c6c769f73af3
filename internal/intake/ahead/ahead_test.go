package ahead

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// A part of a sequence, of which each takes 10 of the room.
type part struct{ of, nth int }

func (part) Len() int { return 10 }

// counted returns sequences of so many parts, and counts what is read of each.
func counted(lengths []int, read []atomic.Int32) func(context.Context, int) iter.Seq[part] {
	return func(ctx context.Context, i int) iter.Seq[part] {
		return func(yield func(part) bool) {
			for n := 0; n < lengths[i] && ctx.Err() == nil; n++ {
				if read[i].Add(1); !yield(part{i, n}) {
					return
				}
			}
		}
	}
}

func TestPartsComeInTheirOrderHoweverManyRead(t *testing.T) {
	lengths := []int{3, 0, 500, 1, 700, 20}
	var want []part
	for i, length := range lengths {
		for n := range length {
			want = append(want, part{i, n})
		}
	}
	for others := range 8 {
		for _, waits := range []bool{false, others > 0} {
			for _, room := range []int{1, 50, 1000} {
				c := Crew{Others: others, Waits: waits, Room: room}
				got := slices.Collect(Join(t.Context(), c, len(lengths), counted(lengths, make([]atomic.Int32, len(lengths)))))
				if !slices.Equal(got, want) {
					t.Errorf("%+v: got %d parts, want %d, or others", c, len(got), len(want))
				}
			}
		}
	}
}

func TestNobodyReadsAheadWithoutEnd(t *testing.T) {
	const endless = 1 << 30
	for _, c := range []Crew{{Others: 1, Room: 100}, {Others: 2, Waits: true, Room: 100}} {
		synctest.Test(t, func(t *testing.T) {
			read := make([]atomic.Int32, 2)
			next, stop := iter.Pull(Join(t.Context(), c, 2, counted([]int{endless, endless}, read)))
			for taken := range 50 {
				if p, _ := next(); p.of != 0 {
					t.Fatalf("%+v: got %v, want the first sequence, which has no end", c, p)
				}
				synctest.Wait()
				first, second := int(read[0].Load()), int(read[1].Load())
				if first > taken+1+20 || second > 10 {
					t.Fatalf("%+v: %d and %d parts are read when %d are taken, want room for 10 that are not", c, first, second, taken+1)
				}
			}
			stop() // and all others end, or the bubble never does
		})
	}
}

// What was found in a file is told, though nothing comes out of the pipe after it.
func TestASequenceThatWaitsKeepsNobodyFromTheOnesBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		open := func(ctx context.Context, i int) iter.Seq[part] {
			return func(yield func(part) bool) {
				if i == 0 {
					yield(part{i, 0})
				}
				<-ctx.Done()
			}
		}
		var got []string
		for p := range Join(ctx, Crew{Others: 2, Waits: true, Room: 100}, 2, open) {
			got = append(got, fmt.Sprint(p))
			cancel()
		}
		if want := []string{"{0 0}"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// Who has filled the room for the first sequence must not be kept waiting by another while
// nobody goes on with the first.
func TestSequencesThatWaitLeaveSomebodyForTheFirst(t *testing.T) {
	for others := 1; others < 4; others++ {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			open := func(ctx context.Context, i int) iter.Seq[part] {
				return func(yield func(part) bool) {
					for n := 0; i == 0 && n < 50; n++ {
						if !yield(part{i, n}) {
							return
						}
					}
					<-ctx.Done()
				}
			}
			var got atomic.Int32
			go func() {
				for range Join(ctx, Crew{Others: others, Waits: true, Room: 100}, 6, open) {
					got.Add(1)
				}
			}()
			synctest.Wait()
			if n := got.Load(); n != 50 {
				t.Errorf("%d others: %d parts of the first are told while the rest waits, want 50", others, n)
			}
			cancel()
		})
	}
}
