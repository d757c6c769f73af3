package compat

import (
	"time"

	"github.com/edgeban/edgeban/internal/filter/compat/session"
)

// merge takes the line in s.groups, of which lines are the evidence, into its
// session. It returns the session, and whether the line is no failure.
func (s *Scanner) merge(t time.Time, lines int) (v *session.Session, nofail bool) {
	cur := s.groups
	gained := len(cur[slotGained]) > 0
	nofail = gained || len(cur[slotNoFail]) > 0
	forget := len(cur[slotForget]) > 0
	cur[slotForget] = nil
	if v = s.sessions.Load(slotSession, cur[slotSession], t); v == nil {
		v = s.sessions.Begin(t, len(cur))
		if !forget {
			s.sessions.Add(v)
			v.Meet(cur[slotUser])
		}
	} else {
		v.Meet(cur[slotUser])
		if gained {
			v.Pending = false
		}
		if len(v.Get(slotNoFail)) == 0 && len(v.Get(slotGained)) == 0 && !v.Pending {
			v.Lines = 0 // told already
		}
		v.Drop(slotNoFail)
		v.Drop(slotGained)
		if forget {
			s.sessions.Remove(v)
		}
	}
	s.sessions.Take(v, cur)
	if v.Pending || v.Several() {
		v.Drop(slotNoFail)
		v.Drop(slotGained)
		v.Pending, nofail = false, false
	}
	switch {
	case !nofail:
		v.Lines += v.Quiet + lines
		v.Quiet = 0
	case !forget:
		v.Quiet += lines
	}
	return v, nofail
}
