// Package flood gathers what a jail found, so that a flood of it is little.
package flood

import (
	"hash/maphash"
	"net/netip"
	"strings"
	"time"

	"github.com/edgeban/edgeban"
)

// A Flood gathers what one jail found in one chunk. Matches that cannot change
// what is decided become one with a Count, so that no flood fills the ledger. It is
// used again for the next chunk.
type Flood struct {
	Matches []edgeban.Match

	enough int // as many failures as a ban takes
	added  int
	seed   maphash.Seed
	seen   []int32 // one more than a place in states, or 0; a power of 2, more than twice as many
	states []state
}

type key struct {
	addr    netip.Addr
	kind    edgeban.Kind
	ignored bool
}

// state is what is kept for a key.
type state struct {
	key   key
	at    time.Time // of the last match
	n     int       // how many of that time are kept
	spill int       // the match that stands for the rest; -1 for none
}

// Begin forgets the last chunk: what it gathered is its taker's. Matches are gathered in
// room as far as it goes, or if it is nil in memory of their own.
func (f *Flood) Begin(enough int, room []edgeban.Match) {
	f.enough, f.added = enough, 0
	f.forget()
	if room == nil {
		room = make([]edgeban.Match, 0, len(f.Matches)) // as many as last time are likely
	}
	f.Matches = room[:0]
}

// few is for how many keys there is room at least.
const few = 256

// forget forgets all keys. After a flood of addresses it keeps no room for so many.
func (f *Flood) forget() {
	switch {
	case len(f.seen) == 0:
		f.seed = maphash.MakeSeed()
		f.seen = make([]int32, 2*few)
	case len(f.seen) > 2*few && len(f.states) <= few/2:
		f.seen, f.states = make([]int32, 2*few), nil
	default:
		clear(f.seen)
	}
	f.states = f.states[:0]
}

// slot returns where a key is seen, or would be.
func (f *Flood) slot(k *key) *int32 {
	last := len(f.seen) - 1
	a := k.addr.As16() // most have one kind only
	for i := int(maphash.Bytes(f.seed, a[:])); ; i++ {
		at := &f.seen[i&last]
		if *at == 0 || f.states[*at-1].key == *k {
			return at
		}
	}
}

// state returns what is known of the match's key, anew if it is of another time.
func (f *Flood) state(m *edgeban.Match, enough int) *state {
	k := key{m.Addr, m.Kind, m.Ignored != ""}
	at := f.slot(&k)
	if *at > 0 {
		s := &f.states[*at-1]
		if enough > 0 && !s.at.Equal(m.Time) {
			*s = state{key: k, at: m.Time, spill: -1}
		}
		return s
	}
	f.states = append(f.states, state{key: k, at: m.Time, spill: -1})
	*at = int32(len(f.states))
	if 2*len(f.states) > len(f.seen) {
		f.seen = make([]int32, 2*len(f.seen))
		for i := range f.states {
			*f.slot(&f.states[i].key) = int32(i + 1)
		}
	}
	return &f.states[len(f.states)-1]
}

// End is called when all of a chunk was added. Where few of these are failures that count,
// what is kept gets strings of its own: others lie beside them (filter.Evidence), and would
// stay as long as they.
func (f *Flood) End() {
	count := 0
	for i := range f.Matches {
		if m := &f.Matches[i]; m.Kind == edgeban.Failure && m.Ignored == "" {
			count++
		}
	}
	if 2*count >= f.added {
		return
	}
	for i := range f.Matches {
		m := &f.Matches[i]
		m.ID, m.User, m.Text = strings.Clone(m.ID), strings.Clone(m.User), strings.Clone(m.Text)
	}
}

// Add keeps a match, or adds it to one that stands for many. What does not count
// is kept once. Of the failures of one address at one time as many are kept as a
// ban takes: whatever the jail knew before, after these the address is banned,
// or nothing of that time counts for it, so the rest changes no verdict.
func (f *Flood) Add(m *edgeban.Match) {
	m.Count = max(1, m.Count)
	f.added++
	enough := f.enough
	if m.Ignored != "" || m.Kind == edgeban.Success {
		enough = 0
	}
	st := f.state(m, enough)
	switch {
	case st.n < enough:
		st.n++
		f.Matches = append(f.Matches, *m)
	case st.spill < 0, m.Kind == edgeban.Success && f.Matches[st.spill].User != m.User: // whose login it was matters
		st.spill = len(f.Matches)
		f.Matches = append(f.Matches, *m)
	default:
		rest := &f.Matches[st.spill]
		rest.Count, rest.Time, rest.User, rest.Text = rest.Count+m.Count, m.Time, m.User, m.Text
	}
}
