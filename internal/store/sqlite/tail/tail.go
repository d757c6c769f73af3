// Package tail keeps the last events of a ledger in memory, for those who watch it.
package tail

import (
	"cmp"
	"math"
	"slices"

	"github.com/edgeban/edgeban"
)

const (
	Least = 4096   // how many of the last events are kept at least
	Most  = 65_536 // and how many for a watcher that is behind: the disk would hold it up more
	Page  = 1000   // how many are given at once
)

// A Tail is the last events that were added. It is not safe for concurrent use,
// but what it gives stays as it is.
type Tail struct {
	Covered edgeban.Seq // of the events up to here some may be missing

	events []edgeban.Event
	wakes  map[chan struct{}]edgeban.Seq // the watchers, and what each was told
}

// New returns a Tail of what comes after a place.
func New(after edgeban.Seq) *Tail {
	return &Tail{Covered: after, wakes: map[chan struct{}]edgeban.Seq{}}
}

// Subscribe returns a channel that gets a value whenever something was added. The
// waiter makes it, not the store: so a store that was opened outside of a bubble of
// testing/synctest works inside of it.
func (t *Tail) Subscribe() chan struct{} {
	wake := make(chan struct{}, 1)
	t.wakes[wake] = math.MaxInt64
	return wake
}

// Unsubscribe ends what Subscribe began.
func (t *Tail) Unsubscribe(wake chan struct{}) { delete(t.wakes, wake) }

// Next returns some events after a place, and whether those are all. Before Covered
// there may have been more.
func (t *Tail) Next(after edgeban.Seq) (events []edgeban.Event, all bool) {
	events = t.events[upTo(t.events, after):]
	if len(events) > Page {
		return events[:Page:Page], false
	}
	return slices.Clip(events), true
}

// Told says up to where the watcher that has a channel was told.
func (t *Tail) Told(wake chan struct{}, after edgeban.Seq) { t.wakes[wake] = after }

// All returns all events that are kept.
func (t *Tail) All() []edgeban.Event { return t.events }

// Add adds events, of which those up to saved need not be kept, and wakes the
// watchers.
func (t *Tail) Add(events []edgeban.Event, saved edgeban.Seq) {
	t.events = append(t.events, events...)
	t.trim(saved)
	for wake := range t.wakes {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// trim shortens the tail when it has doubled. What the disk has not taken stays,
// and for a while what some watcher was not told.
func (t *Tail) trim(saved edgeban.Seq) {
	all := len(t.events)
	if all < 2*Least {
		return
	}
	told := edgeban.Seq(math.MaxInt64)
	for _, after := range t.wakes {
		told = min(told, after)
	}
	n := min(all-Least, max(upTo(t.events, told), all-Most), upTo(t.events, saved))
	if n < Least {
		return
	}
	t.Covered = t.events[n-1].Seq
	t.events = slices.Clone(t.events[n:]) // watchers may still be reading the old one
}

// Forget drops events.
func (t *Tail) Forget(gone func(edgeban.Event) bool) {
	if slices.ContainsFunc(t.events, gone) {
		t.events = slices.DeleteFunc(slices.Clone(t.events), gone)
	}
}

// upTo returns how many events there are up to a place.
func upTo(events []edgeban.Event, seq edgeban.Seq) int {
	i, _ := slices.BinarySearchFunc(events, seq+1, func(e edgeban.Event, seq edgeban.Seq) int { return cmp.Compare(e.Seq, seq) })
	return i
}
