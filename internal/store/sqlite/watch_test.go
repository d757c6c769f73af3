package sqlite

import (
	"fmt"
	"iter"
	"testing"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/store/sqlite/tail"
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
	if b.all.Covered != 0 {
		t.Errorf("40,000 events behind: those up to %d are on disk only", b.all.Covered)
	}
	for i := range 60 {
		record(i + 41)
	}
	if n := len(b.all.All()); n > tail.Most+2*tail.Least {
		t.Errorf("100,000 events behind: %d are in memory, want some %d", n, tail.Most)
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
	if n := len(b.all.All()); n > 4*tail.Least {
		t.Errorf("%d events are in memory for a watcher that is not far behind", n)
	}
	b.must(b.Close())
}

// Whoever sends each ban to a firewall waits for that firewall. Meanwhile a flood
// of matches must not put the next ban behind all of them, or on the disk alone.
func TestDecisionsAreNotBehindAFlood(t *testing.T) {
	const each = 1000
	b := newBench(t, Options{})
	b.must(b.Impose(t.Context(), edgeban.Verdict{Ban: banOf(0)}))
	next, stop := iter.Pull2(b.Decisions(t.Context(), 0))
	defer stop()
	next()
	for i := range 80 { // more than is kept in memory for a watcher that is behind
		b.must(b.Record(t.Context(), batch(i*each, each, fmt.Sprint(i))))
		b.must(b.Impose(t.Context(), edgeban.Verdict{Ban: banOf(i + 1)}))
	}
	if b.decided.Covered != 0 {
		t.Errorf("80 bans among 80,000 matches: those up to %d are on disk only", b.decided.Covered)
	}
	events, err, _ := next()
	b.must(err)
	if len(events) != 80 {
		t.Errorf("told of %d events, want the 80 bans at once", len(events))
	}
	b.must(b.Close())
}
