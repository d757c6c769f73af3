package daemon

import (
	"net/netip"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
)

// A flood gathers what one jail found in one chunk. Matches that cannot change
// what is decided become one with a Count, so that no flood fills the ledger.
type flood struct {
	c       config.Jail
	matches []edgeban.Match
	seen    map[floodKey]*floodState
}

type floodKey struct {
	addr    netip.Addr
	kind    edgeban.Kind
	ignored bool
}

// floodState is which matches of the flood are kept for a key.
type floodState struct{ kept []int }

func (f *flood) add(m edgeban.Match) {
	m.Count = max(1, m.Count)
	k := floodKey{m.Addr, m.Kind, m.Ignored != ""}
	st := f.seen[k]
	if st == nil {
		st = &floodState{}
		f.seen[k] = st
	}
	if !f.spare(k, st, m) {
		st.kept = append(st.kept, len(f.matches))
		f.matches = append(f.matches, m)
		return
	}
	last := &f.matches[st.kept[len(st.kept)-1]]
	last.Count += m.Count
	last.User, last.Text = m.User, m.Text
}

// spare reports whether m may be added to the last match of its key without
// changing a verdict. The time of that match stays.
func (f *flood) spare(k floodKey, st *floodState, m edgeban.Match) bool {
	if k.ignored || k.kind == edgeban.Success {
		return len(st.kept) > 0
	}
	enough := f.c.MaxRetry
	if len(st.kept) < enough {
		return false
	}
	last := f.matches[st.kept[len(st.kept)-1]].Time
	if m.Time.Equal(last) {
		return true
	}
	if f.c.Count != config.Window || m.Time.Before(last) {
		return false
	}
	// These alone are a ban that m falls into, so it would not count.
	first := last
	for _, i := range st.kept[len(st.kept)-enough:] {
		if t := f.matches[i].Time; t.Before(first) {
			first = t
		}
	}
	certain := last.Sub(first) < f.c.FindTime
	return certain && (f.c.BanTime == config.Forever || m.Time.Before(last.Add(f.c.BanTime)))
}

// totals returns how many lines failed, succeeded and were ignored.
func (f *flood) totals() (failures, successes, ignored int64) {
	for _, m := range f.matches {
		n := int64(m.Count)
		switch {
		case m.Ignored != "":
			ignored += n
		case m.Kind == edgeban.Success:
			successes += n
		default:
			failures += n
		}
	}
	return failures, successes, ignored
}
