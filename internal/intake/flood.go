package intake

import (
	"sync"
	"time"

	"github.com/edgeban/edgeban"
)

// A flood gathers what one jail found in one chunk. Matches that cannot change
// what is decided become one with a Count, so that no flood fills the ledger. It is
// used again for the next chunk.
type flood struct {
	enough  int  // as many failures as a ban takes
	own     bool    // what it gathered is taken before the next chunk
	spare   *spares // what it may use again otherwise; nil for nothing
	matches []edgeban.Match
	seen    map[floodKey]int32 // places in states
	states  []floodState
}

type floodKey struct {
	addr [16]byte
	kind edgeban.Kind
	more uint8 // flags: it is an IPv4 address, and it is ignored
}

// floodState is what is kept for a key.
type floodState struct {
	at    time.Time // of the last match
	n     int       // how many of that time are kept
	spill int       // the match that stands for the rest; -1 for none
}

// begin forgets the last chunk. What it gathered is its taker's, unless it is own.
func (f *flood) begin(enough int) {
	f.enough, f.states = enough, f.states[:0]
	if f.seen == nil {
		f.seen = map[floodKey]int32{}
	}
	clear(f.seen)
	if f.own {
		f.matches = f.matches[:0]
		return
	}
	f.matches = f.spare.get(len(f.matches)) // as many as last time are likely
}

// Spares are lists of matches to be used again. They are safe for concurrent use.
type spares struct {
	sync.Mutex
	free [][]edgeban.Match
}

// get returns an empty list, a new one with room for n matches if there is no other.
func (s *spares) get(n int) []edgeban.Match {
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

// put takes lists that nobody needs any more.
func (s *spares) put(f findings) {
	s.Lock()
	defer s.Unlock()
	for _, ms := range f {
		if cap(ms) > 0 {
			s.free = append(s.free, ms)
		}
	}
}

// state returns what is known of the match's key, anew if it is of another time.
func (f *flood) state(m *edgeban.Match, enough int) *floodState {
	k := floodKey{addr: m.Addr.As16(), kind: m.Kind}
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
		f.states = append(f.states, floodState{at: m.Time, spill: -1})
	case enough > 0 && !f.states[i].at.Equal(m.Time):
		f.states[i] = floodState{at: m.Time, spill: -1}
	}
	return &f.states[i]
}

// add keeps a match, or adds it to one that stands for many. What does not count
// is kept once. Of the failures of one address at one time as many are kept as a
// ban takes: whatever the jail knew before, after these the address is banned,
// or nothing of that time counts for it, so the rest changes no verdict.
func (f *flood) add(m *edgeban.Match) {
	m.Count = max(1, m.Count)
	enough := f.enough
	if m.Ignored != "" || m.Kind == edgeban.Success {
		enough = 0
	}
	st := f.state(m, enough)
	switch {
	case st.n < enough:
		st.n++
		f.matches = append(f.matches, *m)
	case st.spill < 0, m.Kind == edgeban.Success && f.matches[st.spill].User != m.User: // whose login it was matters
		st.spill = len(f.matches)
		f.matches = append(f.matches, *m)
	default:
		rest := &f.matches[st.spill]
		rest.Count, rest.Time, rest.User, rest.Text = rest.Count+m.Count, m.Time, m.User, m.Text
	}
}
