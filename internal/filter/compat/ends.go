package compat

import (
	"slices"

	"github.com/edgeban/edgeban"
)

// Who logs in and out leaves lines that only end a session, and nearly all of these are of
// sessions that have told nothing that is kept. Such a line changes nothing, whatever a
// failregex takes of it.

// end finds out whether each match of a failregex is no failure, and ends a session that
// the prefregex names.
func (r *rule) end() {
	takes := func(slot int) bool { return r.re.Always(r.re.Group(known[slot])) }
	r.ends = takes(slotForget) && (takes(slotNoFail) || takes(slotGained)) && !r.fills(slotSession)
}

// session returns how a prefregex names the session of a line, nil if it does not, or if
// lines are looked at together.
func (r *rule) session(lines int) *take {
	at := slices.IndexFunc(r.takes, func(t take) bool { return t.slot == slotSession })
	if at < 0 || lines > 1 || len(r.tuples) > 0 {
		return nil
	}
	return &r.takes[at]
}

// fills reports whether a pattern may fill a slot.
func (r *rule) fills(slot int) bool {
	return slices.ContainsFunc(r.takes, func(t take) bool { return t.slot == slot }) ||
		slices.ContainsFunc(r.tuples, func(t tuple) bool { return t.take.slot == slot })
}

// only reports whether the failregexes to be tried only end sessions. Nothing is
// remembered of a text that none but these may match.
func (s *Scanner) only(try []int32) bool {
	if !s.near || s.filter.session == nil {
		return false
	}
	for _, i := range try {
		if !s.filter.fail[i].ends {
			return false
		}
	}
	return true
}

// over reports whether nothing is known of the session that the prefregex has named, so
// that the line may be left if it can only end it.
func (s *Scanner) over(c *edgeban.Chunk) bool {
	key := s.filter.session.value(&s.pre, s.whole.text)
	if key == nil || s.sessions.Knows(key) {
		return false
	}
	_, dated := s.when(c) // else it is counted, if a failregex matches
	return dated
}
