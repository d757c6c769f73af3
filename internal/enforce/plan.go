package enforce

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/edgeban/edgeban"
)

// grace is how long after it was sent an entry may still arrive.
const grace = 10 * time.Minute

// A plan is what one look at a target asks for. Making it is a pure function of
// what stands, what is listed and what is known.
type plan struct {
	diff    Diff
	notes   []edgeban.Held
	notices []edgeban.Notice
	missing []netip.Prefix // wanted and sent, and not listed
	beyond  int            // as the view has it
	counts  Counts
}

// Counts sums up one look at a target.
type Counts struct {
	Wanted  int // entries that it should hold
	Held    int // of these, listed
	Missing int // of these, not listed: sent now
	Waiting int // of these, beyond the budget: not sent yet
	Refused int // bans that are never sent to it: protected, private, too wide
	Foreign int // entries listed that are not ours
	Kept    int // entries of ours that are not wanted and not removed, because the clock or the ledger is in doubt
}

// A view is what a plan is made from.
type view struct {
	name      string               // of the target, for people
	place     string               // of the target, in the ledger
	tries     map[netip.Prefix]int // changes that no list has shown yet
	now       time.Time
	exclusive bool
	doubt     string                // why nothing may be removed now, or empty
	wanted    wants                 // what it should hold
	beyond    int                   // how many bans it has no room for
	barred    map[netip.Prefix]bool // what stands, and it may not hold
	listed    set                   // what it holds
	known     edgeban.Holdings
	whole     bool                    // the target is set as a whole
	inFlight  map[netip.Prefix]bool   // sent a moment ago: the list may be older
	admit     func(netip.Prefix) bool // the budget, asked once for an entry never sent
}

func (v view) remove() bool { return v.doubt == "" }

func (v view) plan() plan {
	p := plan{beyond: v.beyond}
	p.counts.Wanted, p.counts.Refused, p.counts.Waiting = len(v.wanted)+v.beyond, len(v.barred), v.beyond
	if v.whole {
		p.diff.Want = make([]netip.Prefix, 0, len(v.wanted))
	}
	v.planListed(&p)
	staying := v.listed
	if len(p.diff.Remove) > 0 { // what is about to go covers nothing
		going := newSet(p.diff.Remove)
		staying = newSet(slices.DeleteFunc(slices.Clone(v.listed.entries), going.has))
	}
	for _, w := range v.wanted {
		v.planWanted(&p, staying, w.entry)
	}
	v.planGone(&p)
	p.counts.Missing = len(p.missing)
	v.sortAdds(p.diff.Add)
	slices.SortFunc(p.diff.Want, compare)
	return p
}

// want notes that a target that is set as a whole is to hold e.
func (v view) want(p *plan, e netip.Prefix) {
	if v.whole {
		p.diff.Want = append(p.diff.Want, e)
	}
}

// planWanted looks at an entry that should be held.
func (v view) planWanted(p *plan, listed set, e netip.Prefix) {
	h, known := v.known.Of(e)
	if listed.covers(e) {
		p.counts.Held++
		v.want(p, e)
		switch {
		case !known && v.exclusive && listed.has(e):
			p.notes = append(p.notes, edgeban.Held{Subject: e, Target: v.place, Sent: v.now, Held: v.now})
		case !known: // it, or a network around it, was there before us
			p.notes = append(p.notes, edgeban.Held{Subject: e, Target: v.place, Held: v.now, Foreign: true})
		case h.Held.IsZero():
			h.Held = v.now
			p.notes = append(p.notes, h)
		}
		return
	}
	switch {
	case h.Sent.IsZero() && !v.admit(e):
		p.counts.Waiting++
		return
	case h.Sent.IsZero():
		p.notes = append(p.notes, edgeban.Held{Subject: e, Target: v.place, Sent: v.now})
	case !h.Held.IsZero(): // the target has lost it: that stay is over, and another begins
		h.Released = v.now
		p.notes = append(p.notes, h, edgeban.Held{Subject: e, Target: v.place, Sent: v.now})
	}
	v.want(p, e)
	p.missing = append(p.missing, e)
	if !v.inFlight[e] {
		p.diff.Add = append(p.diff.Add, e)
	}
}

// planListed looks for entries that should not be held, and are ours.
func (v view) planListed(p *plan) {
	for _, e := range v.listed.entries {
		if _, ok := v.wanted.of(e); ok {
			continue
		}
		switch h, known := v.known.Of(e); {
		case !v.exclusive && !(known && h.Ours()):
			p.counts.Foreign++
		case v.remove() || v.barred[e]: // what became protected goes even when in doubt
			p.diff.Remove = append(p.diff.Remove, e)
		default:
			p.counts.Kept++
			v.want(p, e)
		}
	}
}

// planGone looks for entries that are neither wanted nor held any more.
func (v view) planGone(p *plan) {
	for h := range v.known.All() {
		e := h.Subject
		if _, ok := v.wanted.of(e); ok {
			continue
		}
		if !h.Foreign && (v.listed.has(e) || v.inFlight[e] || !v.remove()) {
			continue
		}
		if !h.Foreign && h.Held.IsZero() && v.now.Sub(h.Sent).Abs() < grace {
			continue // it may still be on its way
		}
		h.Released = v.now
		p.notes = append(p.notes, h)
		if !h.Foreign && !h.Held.IsZero() {
			p.notices = append(p.notices, edgeban.Notice{Kind: edgeban.NoticeUnban, Time: v.now, Subject: e, Target: v.name})
		}
	}
}

// sortAdds puts first what was never sent, the newest first, then what stands
// longest.
func (v view) sortAdds(add []netip.Prefix) {
	slices.SortFunc(add, func(a, b netip.Prefix) int {
		if v.tries[a] != v.tries[b] { // what the target does not take must not keep others waiting
			return cmp.Compare(v.tries[a], v.tries[b])
		}
		x, _ := v.wanted.of(a)
		y, _ := v.wanted.of(b)
		heldA, _ := v.known.Of(a)
		heldB, _ := v.known.Of(b)
		newA, newB := heldA.Sent.IsZero(), heldB.Sent.IsZero()
		if newA != newB {
			if newA {
				return -1
			}
			return 1
		}
		if newA {
			return cmp.Or(cmp.Compare(y.since, x.since), compare(a, b))
		}
		return cmp.Or(cmp.Compare(y.until, x.until), compare(a, b))
	})
}
