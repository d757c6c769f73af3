package enforce

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/edgeban/edgeban"
)

const (
	recount = time.Hour // how often counters that have moved are written down
	counted = 1000      // how many at a time: those that have moved most
)

// A tally is what a target has stopped. The target's counters begin anew with each
// entry and each reboot; what they moved by is added up here, and written down
// now and then and when an entry goes.
type tally struct {
	last    []Count                 // the counters at the last look; nil before the first
	begun   bool                    // there was a look
	counts  bool                    // anything was ever counted: counters may be off
	unsaved map[netip.Prefix]uint64 // what the ledger does not know yet
	saved   time.Time               // when the ledger was last told, by the wall clock
	day     time.Time               // today's midnight, or when counting began
	today   uint64                  // since then
}

// count takes in what the counters say at a look. Counters that were never seen
// have moved by what the ledger does not know of them, which is less than the
// truth where they began anew meanwhile.
func (t *tally) count(now []Count, known edgeban.Holdings, at time.Time) {
	if midnight := midnight(at); t.day.IsZero() {
		t.day, t.saved = at, at
	} else if midnight.After(t.day) {
		t.day, t.today = midnight, 0
	}
	if t.unsaved == nil {
		t.unsaved = map[netip.Prefix]uint64{}
	}
	t.counts = t.counts || len(now) > 0
	i := 0
	for _, c := range now {
		h, ours := known.Of(c.Entry)
		if !ours || !h.Ours() {
			continue
		}
		for i < len(t.last) && compare(t.last[i].Entry, c.Entry) < 0 {
			i++
		}
		was, moved := uint64(0), c.Packets
		switch {
		case i < len(t.last) && t.last[i].Entry == c.Entry:
			was = t.last[i].Packets
		case !t.begun:
			was = min(h.Packets, c.Packets)
		}
		if c.Packets >= was {
			moved = c.Packets - was
		}
		if moved > 0 {
			t.unsaved[c.Entry] += moved
			t.today += moved
		}
	}
	t.last, t.begun = now, true
}

// midnight is when the day of t began, where the daemon is.
func midnight(t time.Time) time.Time {
	t = t.Local()
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.Local)
}

// complete adds to notes what their entries have stopped.
func (t *tally) complete(notes []edgeban.Held) {
	for i, h := range notes {
		if n := t.unsaved[h.Subject]; n > 0 && h.Ours() && !h.Held.IsZero() {
			notes[i].Packets = add(h.Packets, n)
			delete(t.unsaved, h.Subject)
		}
	}
}

// due returns the notes of what has moved, now and then.
func (t *tally) due(known edgeban.Holdings, at time.Time) (notes []edgeban.Held) {
	if len(t.unsaved) == 0 || at.Sub(t.saved).Abs() < recount {
		return nil
	}
	t.saved = at
	return t.notes(known, counted)
}

// notes returns notes of at most so many entries, those that have moved most.
func (t *tally) notes(known edgeban.Holdings, most int) (notes []edgeban.Held) {
	moved := make([]Count, 0, len(t.unsaved))
	for e, n := range t.unsaved {
		moved = append(moved, Count{e, n})
	}
	slices.SortFunc(moved, func(a, b Count) int { return cmp.Or(cmp.Compare(b.Packets, a.Packets), compare(a.Entry, b.Entry)) })
	for _, c := range moved[:min(most, len(moved))] {
		if h, ok := known.Of(c.Entry); ok && h.Ours() && !h.Held.IsZero() {
			notes = append(notes, h)
		} else {
			delete(t.unsaved, c.Entry)
		}
	}
	t.complete(notes)
	return notes
}

func add(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}

// Dropped returns how many packets an entry has stopped that the ledger does not
// know of yet.
func (k *Keeper) Dropped(e netip.Prefix) uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.tally.unsaved[e]
}

// Remember has k take over, when it begins, what an earlier keeper of the same place
// has counted, which has ended by then.
func (k *Keeper) Remember(earlier *Keeper) {
	if earlier.Place == k.Place {
		k.earlier = earlier
	}
}

func (k *Keeper) takeOver() {
	if k.earlier == nil {
		return
	}
	k.earlier.mu.Lock()
	t := k.earlier.tally
	k.earlier.mu.Unlock()
	k.earlier = nil
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tally = t
}
