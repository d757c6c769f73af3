package intake

import (
	"net/netip"
	"time"

	"github.com/edgeban/edgeban"
)

// A flood gathers what one jail found in one chunk. Matches that cannot change
// what is decided become one with a Count, so that no flood fills the ledger.
type flood struct {
	enough  int // as many failures as a ban takes
	matches []edgeban.Match
	seen    map[floodKey]*floodState
}

type floodKey struct {
	addr    netip.Addr
	kind    edgeban.Kind
	ignored bool
}

// floodState is what is kept for a key.
type floodState struct {
	at    time.Time // of the last match
	n     int       // how many of that time are kept
	spill int       // the match that stands for the rest; -1 for none
}

// add keeps a match, or adds it to one that stands for many. What does not count
// is kept once. Of the failures of one address at one time as many are kept as a
// ban takes: whatever the jail knew before, after these the address is banned,
// or nothing of that time counts for it, so the rest changes no verdict.
func (f *flood) add(m edgeban.Match) {
	m.Count = max(1, m.Count)
	k := floodKey{m.Addr, m.Kind, m.Ignored != ""}
	enough := f.enough
	if k.ignored || k.kind == edgeban.Success {
		enough = 0
	}
	st := f.seen[k]
	if st == nil || enough > 0 && !st.at.Equal(m.Time) {
		st = &floodState{at: m.Time, spill: -1}
		f.seen[k] = st
	}
	switch {
	case st.n < enough:
		st.n++
		f.matches = append(f.matches, m)
	case st.spill < 0:
		st.spill = len(f.matches)
		f.matches = append(f.matches, m)
	default:
		rest := &f.matches[st.spill]
		rest.Count, rest.Time, rest.User, rest.Text = rest.Count+m.Count, m.Time, m.User, m.Text
	}
}
