// Package flood gathers what a jail found, so that a flood of it is little.
package flood

import (
	"sync"
	"time"

	"github.com/edgeban/edgeban"
)

// A Flood gathers what one jail found in one chunk. Matches that cannot change
// what is decided become one with a Count, so that no flood fills the ledger. It is
// used again for the next chunk.
type Flood struct {
	Matches []edgeban.Match
	Own     bool    // they are taken before the next chunk
	Spare   *Spares // what it may use again otherwise; nil for nothing

	enough int           // as many failures as a ban takes
	seen   map[key]int32 // places in states
	states []state
}

type key struct {
	addr [16]byte
	kind edgeban.Kind
	more uint8 // flags: it is an IPv4 address, and it is ignored
}

// state is what is kept for a key.
type state struct {
	at    time.Time // of the last match
	n     int       // how many of that time are kept
	spill int       // the match that stands for the rest; -1 for none
}

// Begin forgets the last chunk. What it gathered is its taker's, unless it is own.
func (f *Flood) Begin(enough int) {
	f.enough, f.states = enough, f.states[:0]
	if f.seen == nil {
		f.seen = map[key]int32{}
	}
	clear(f.seen)
	if f.Own {
		f.Matches = f.Matches[:0]
		return
	}
	f.Matches = f.Spare.get(len(f.Matches)) // as many as last time are likely
}

// Spares are lists of matches to be used again. They are safe for concurrent use.
type Spares struct {
	sync.Mutex
	free [][]edgeban.Match
}

// get returns an empty list, a new one with room for n matches if there is no other.
func (s *Spares) get(n int) []edgeban.Match {
	if s != nil {
		s.Lock()
		defer s.Unlock()
		if last := len(s.free) - 1; last >= 0 {
			ms := s.free[last]
			s.free = s.free[:last]
			return ms[:0]
		}
	}
	return make([]edgeban.Match, 0, n)
}

// Put takes lists that nobody needs any more.
func (s *Spares) Put(lists [][]edgeban.Match) {
	s.Lock()
	defer s.Unlock()
	for _, ms := range lists {
		if cap(ms) > 0 {
			s.free = append(s.free, ms)
		}
	}
}

// state returns what is known of the match's key, anew if it is of another time.
func (f *Flood) state(m *edgeban.Match, enough int) *state {
	k := key{addr: m.Addr.As16(), kind: m.Kind}
	if m.Addr.Is4() {
		k.more = 1
	}
	if m.Ignored != "" {
		k.more |= 2
	}
	i, ok := f.seen[k]
	switch {
	case !ok:
		i = int32(len(f.states))
		f.seen[k] = i
		f.states = append(f.states, state{at: m.Time, spill: -1})
	case enough > 0 && !f.states[i].at.Equal(m.Time):
		f.states[i] = state{at: m.Time, spill: -1}
	}
	return &f.states[i]
}

// Add keeps a match, or adds it to one that stands for many. What does not count
// is kept once. Of the failures of one address at one time as many are kept as a
// ban takes: whatever the jail knew before, after these the address is banned,
// or nothing of that time counts for it, so the rest changes no verdict.
func (f *Flood) Add(m *edgeban.Match) {
	m.Count = max(1, m.Count)
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
