package enforce

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/edgeban/edgeban"
)

// There may be hundreds of thousands of entries, of which each look makes lists
// and throws them away: they are sorted, which takes a third of a map's memory.
// What the ledger knows is not copied.

// compare orders masked prefixes by address, wider ones first. Prefix.Compare
// says the same, but masks both each time.
func compare(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

// wants are what a target should hold, sorted.
type wants []want

// A want is an entry, and why. Times are Unix nanoseconds.
type want struct {
	entry netip.Prefix
	until int64 // when the last ban ends; math.MaxInt64 for never
	since int64 // when the newest ban began
}

func wantOf(e netip.Prefix, b edgeban.Ban) want {
	w := want{e, math.MaxInt64, b.Since.UnixNano()}
	if !b.Until.IsZero() {
		w.until = b.Until.UnixNano()
	}
	return w
}

// newWants sorts what each ban wants, and makes one of those of an entry.
func newWants(all []want) wants {
	slices.SortFunc(all, func(a, b want) int { return compare(a.entry, b.entry) }) // most are in order already
	out := all[:0]
	for _, w := range all {
		if last := len(out) - 1; last >= 0 && out[last].entry == w.entry {
			out[last].until, out[last].since = max(out[last].until, w.until), max(out[last].since, w.since)
		} else {
			out = append(out, w)
		}
	}
	return out
}

func (ws wants) has(e netip.Prefix) bool {
	_, ok := slices.BinarySearchFunc(ws, e, func(w want, e netip.Prefix) int { return compare(w.entry, e) })
	return ok
}

// fresh is how long a ban counts as new where there is no room for all.
const fresh = time.Hour

// foremost returns the n entries that matter most, and how many are left out: those
// of the last hour, the newest first, then those that are banned longest.
func (ws wants) foremost(n int, now time.Time) (wants, int) {
	if len(ws) <= n {
		return ws, 0
	}
	recent := now.Add(-fresh).UnixNano()
	order := slices.Clone(ws)
	slices.SortStableFunc(order, func(a, b want) int {
		switch newA, newB := a.since > recent, b.since > recent; {
		case newA && newB:
			return cmp.Compare(b.since, a.since)
		case newA:
			return -1
		case newB:
			return 1
		}
		return cmp.Or(cmp.Compare(b.until, a.until), cmp.Compare(b.since, a.since))
	})
	left := len(order) - n
	order = order[:n]
	slices.SortFunc(order, func(a, b want) int { return compare(a.entry, b.entry) })
	return order, left
}

// A set answers whether a prefix is in it, or inside one that is.
type set struct {
	entries []netip.Prefix // sorted
	bits4   []int          // the lengths that occur
	bits6   []int
}

// newSet returns a set of ps, which stay as they are if they are sorted.
func newSet(ps []netip.Prefix) set {
	if !slices.IsSortedFunc(ps, compare) {
		ps = slices.SortedFunc(slices.Values(ps), compare)
	}
	s := set{entries: ps}
	var seen4, seen6 [129]bool
	for _, p := range ps {
		if p.Addr().Is4() {
			seen4[p.Bits()] = true
		} else {
			seen6[p.Bits()] = true
		}
	}
	for b := range 129 {
		if seen4[b] {
			s.bits4 = append(s.bits4, b)
		}
		if seen6[b] {
			s.bits6 = append(s.bits6, b)
		}
	}
	return s
}

func (s set) has(p netip.Prefix) bool {
	_, ok := slices.BinarySearchFunc(s.entries, p, compare)
	return ok
}

func (s set) covers(p netip.Prefix) bool {
	lengths := s.bits6
	if p.Addr().Is4() {
		lengths = s.bits4
	}
	for _, b := range lengths {
		if b > p.Bits() {
			return false
		}
		if wider, err := p.Addr().Prefix(b); err == nil && s.has(wider) {
			return true
		}
	}
	return false
}
