package sqlite

import (
	"fmt"
	"iter"
	"testing"

	"github.com/edgeban/edgeban"
)

// A flood must not send those who judge it to the disk, where they would fall
// behind for good; nor may it fill the memory.
func TestWatcherThatIsBehindIsToldFromMemory(t *testing.T) {
	const each = 1000
	b := newBench(t, Options{})
	record := func(i int) { b.must(b.Record(t.Context(), batch(i*each, each, fmt.Sprint(i)))) }
	record(0)
	next, stop := iter.Pull2(b.Watch(t.Context(), 0))
	defer stop()
	events, _, _ := next()
	for i := range 40 {
		record(i + 1)
	}
	if b.covered != 0 {
		t.Errorf("40,000 events behind: those up to %d are on disk only", b.covered)
	}
	for i := range 60 {
		record(i + 41)
	}
	if n := len(b.tail); n > tailMax+2*tailLen {
		t.Errorf("100,000 events behind: %d are in memory, want some %d", n, tailMax)
	}
	last := edgeban.Seq(0)
	for last < 101*each {
		for _, e := range events {
			if last++; e.Seq != last {
				t.Fatalf("place %d, want %d", e.Seq, last)
			}
		}
		if last < 101*each {
			events, _, _ = next()
		}
	}
	record(101)
	if _, _, ok := next(); !ok {
		t.Error("the watcher has ended")
	}
	for i := range 10 {
		record(i + 102)
	}
	if n := len(b.tail); n > 4*tailLen {
		t.Errorf("%d events are in memory for a watcher that is not far behind", n)
	}
	b.must(b.Close())
}
