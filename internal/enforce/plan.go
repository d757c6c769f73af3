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
	urgent  int // how many of the removals, the first, do not wait
	notes   []edgeban.Held
	notices []edgeban.Notice
	lacks   []lack         // what to add
	missing []netip.Prefix // wanted and sent, and not listed
	beyond  int            // as the view has it
	counts  Counts

	// What a Keeper makes of it.
	more     bool           // this is not all of the difference
	first    []netip.Prefix // of the additions, those never sent before
	unproven int            // how often a change was sent without any list showing it
}

// Counts sums up one look at a target.
type Counts struct {
	Wanted  int // entries that it should hold
	Held    int // of these, listed
	Missing int // of these, not listed: being sent
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
		v.planWanted(&p, staying, w)
	}
	v.planGone(&p)
	p.counts.Missing = len(p.missing)
	slices.SortFunc(p.lacks, lack.order)
	p.diff.Add = make([]netip.Prefix, 0, len(p.lacks))
	for _, l := range p.lacks {
		p.diff.Add = append(p.diff.Add, l.entry)
	}
	p.lacks = nil
	p.urgent = len(p.diff.Remove)
	if rest := slices.DeleteFunc(slices.Clone(p.diff.Remove), func(e netip.Prefix) bool { return v.barred[e] }); len(rest) > 0 {
		p.urgent -= len(rest)
		p.diff.Remove = append(slices.DeleteFunc(p.diff.Remove, func(e netip.Prefix) bool { return !v.barred[e] }), rest...)
	}
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
func (v view) planWanted(p *plan, listed set, w want) {
	e := w.entry
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
	case !h.Held.IsZero(): // the target has lost it: that stay is over, and another begins when it is sent again
		h.Released = v.now
		p.notes = append(p.notes, h, edgeban.Held{Subject: e, Target: v.place, Sent: h.Sent})
	}
	v.want(p, e)
	p.missing = append(p.missing, e)
	if !v.inFlight[e] {
		p.lacks = append(p.lacks, lack{w, v.tries[e], !h.Sent.IsZero()})
	}
}

// planListed looks for entries that should not be held, and are ours.
func (v view) planListed(p *plan) {
	for _, e := range v.listed.entries {
		if v.wanted.has(e) {
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
		if v.wanted.has(e) {
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

// A lack is an entry to add, and what its turn depends on.
type lack struct {
	want
	tries int
	sent  bool // before, if not now
}

// order puts first what was never sent, the newest first, then what stands
// longest.
func (a lack) order(b lack) int {
	switch {
	case a.tries != b.tries: // what the target does not take must not keep others waiting
		return cmp.Compare(a.tries, b.tries)
	case a.sent != b.sent && b.sent:
		return -1
	case a.sent != b.sent:
		return 1
	case a.sent:
		return cmp.Or(cmp.Compare(b.until, a.until), compare(a.entry, b.entry))
	}
	return cmp.Or(cmp.Compare(b.since, a.since), compare(a.entry, b.entry))
}

// cut leaves of the difference what n calls can do, and reports whether that is
// not all. What became protected goes first; otherwise a quarter is enough for
// what is no longer wanted.
func (p *plan) cut(n int) (more bool) {
	add, remove := len(p.diff.Add), len(p.diff.Remove)
	if add+remove <= n {
		return false
	}
	remove = min(remove, max(n/4, n-add, min(p.urgent, n)))
	p.diff.Remove = p.diff.Remove[:remove]
	p.diff.Add = p.diff.Add[:min(add, n-remove)]
	return true
}

// intents notes what is about to be sent for the first time, or anew.
func (v view) intents(add []netip.Prefix) (notes []edgeban.Held) {
	for _, e := range add {
		if h, _ := v.known.Of(e); h.Sent.IsZero() || v.tries[e] == 0 {
			notes = append(notes, edgeban.Held{Subject: e, Target: v.place, Sent: v.now})
		}
	}
	return notes
}
