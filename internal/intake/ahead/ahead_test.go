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
func counted(lengths []int, read []atomic.Int32) func(context.Context, int) iter.Seq[func() part] {
	return func(ctx context.Context, i int) iter.Seq[func() part] {
		return func(yield func(func() part) bool) {
			for n := 0; n < lengths[i] && ctx.Err() == nil; n++ {
				if read[i].Add(1); !yield(func() part { return part{i, n} }) {
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

// Two share a sequence: it is read while a part is found in what was read before, so far
// ahead and no further.
func TestASequenceIsReadWhileAPartIsFound(t *testing.T) {
	for others := 1; others < 4; others++ {
		synctest.Test(t, func(t *testing.T) {
			read, find := 0, make(chan struct{})
			open := func(context.Context, int) iter.Seq[func() part] {
				return func(yield func(func() part) bool) {
					for n := 0; n < 50; n++ {
						if read++; !yield(func() part { <-find; return part{0, n} }) {
							return
						}
					}
				}
			}
			next, stop := iter.Pull(Join(t.Context(), Crew{Others: others, Room: 100}, 1, open))
			defer stop()
			var got []part
			go func() {
				for p, ok := next(); ok; p, ok = next() {
					got = append(got, p)
				}
			}()
			for n := range 50 {
				synctest.Wait()
				if want := min(50, n+1+depth); read != want {
					t.Fatalf("%d others: it was read %d times when %d parts are found, want %d", others, read, n, want)
				}
				find <- struct{}{}
			}
			synctest.Wait()
			if len(got) != 50 || !slices.IsSortedFunc(got, func(a, b part) int { return a.nth - b.nth }) {
				t.Errorf("%d others: got %v, want all 50 in their order", others, got)
			}
		})
	}
}

// What was found in a file is told, though nothing comes out of the pipe after it.
func TestASequenceThatWaitsKeepsNobodyFromTheOnesBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		open := func(ctx context.Context, i int) iter.Seq[func() part] {
			return func(yield func(func() part) bool) {
				if i == 0 {
					yield(func() part { return part{i, 0} })
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
			open := func(ctx context.Context, i int) iter.Seq[func() part] {
				return func(yield func(func() part) bool) {
					for n := 0; i == 0 && n < 50; n++ {
						if !yield(func() part { return part{i, n} }) {
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
