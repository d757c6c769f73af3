package compat

import (
	"slices"
	"time"
)

const (
	maxBytes = 8 << 20         // of what all sessions of a log remember
	maxUsers = 32              // that a session remembers
	lifetime = 5 * time.Minute // after its first line a session is another one
	overhead = 256             // bytes of a session besides what it remembers
)

// A session is what lines with the same mlfid have told.
type session struct {
	key     string
	began   time.Time
	vals    fields // its own copies
	users   []string
	pending bool // a line failed, but nothing has told the address yet
	quiet   int  // lines that were no failure
	lines   int  // lines of the failure that was told last, or is pending
	size    int

	older, newer *session
}

// Sessions are those of one log, from the oldest to the newest. When there is no
// room for another, the oldest is forgotten: a flood of them costs no memory, and
// can at worst part the lines of a session.
type sessions struct {
	byKey          map[string]*session
	oldest, newest *session
	size           int
}

// load returns the session, nil if there is none at t.
func (s *sessions) load(key []byte, t time.Time) *session {
	v := s.byKey[string(key)]
	if v != nil && t.Sub(v.began).Abs() > lifetime {
		s.remove(v)
		return nil
	}
	return v
}

func (s *sessions) add(v *session) {
	if s.byKey == nil {
		s.byKey = map[string]*session{}
	}
	s.byKey[v.key] = v
	v.older, v.newer = s.newest, nil
	if s.newest != nil {
		s.newest.newer = v
	} else {
		s.oldest = v
	}
	s.newest = v
}

func (s *sessions) remove(v *session) {
	if s.byKey[v.key] != v {
		return
	}
	delete(s.byKey, v.key)
	s.size -= v.size
	if v.older != nil {
		v.older.newer = v.newer
	} else {
		s.oldest = v.newer
	}
	if v.newer != nil {
		v.newer.older = v.older
	} else {
		s.newest = v.older
	}
	v.older, v.newer = nil, nil
}

// fit takes in that v has grown, and forgets what has no room. What is over stays
// until its key comes again: of two hosts in a log one may have an odd clock, and
// must not end the sessions of the other.
func (s *sessions) fit(v *session) {
	size := overhead + 24*len(v.vals) + len(v.key)
	for _, b := range v.vals {
		size += cap(b)
	}
	for _, u := range v.users {
		size += 16 + len(u)
	}
	s.size += size - v.size
	v.size = size
	for s.oldest != v && s.size > maxBytes {
		s.remove(s.oldest)
	}
}

// merge takes the line in s.groups, of which lines are the evidence, into its
// session. It returns the session, and whether the line is no failure.
func (s *Scanner) merge(t time.Time, lines int) (v *session, nofail bool) {
	cur := s.groups
	gained := len(cur[slotGained]) > 0
	nofail = gained || len(cur[slotNoFail]) > 0
	forget := len(cur[slotForget]) > 0
	cur[slotForget] = nil
	if v = s.sessions.load(cur[slotSession], t); v == nil {
		v = &session{key: string(cur[slotSession]), began: t, vals: make(fields, len(cur))}
		if !forget {
			s.sessions.add(v)
			v.meet(cur[slotUser])
		}
	} else {
		v.meet(cur[slotUser])
		if gained {
			v.pending = false
		}
		if len(v.vals[slotNoFail]) == 0 && len(v.vals[slotGained]) == 0 && !v.pending {
			v.lines = 0 // told already
		}
		v.vals[slotNoFail], v.vals[slotGained] = nil, nil
		if forget {
			s.sessions.remove(v)
		}
	}
	v.take(cur)
	if v.pending || len(v.users) > 1 {
		v.vals[slotNoFail], v.vals[slotGained] = nil, nil
		v.pending, nofail = false, false
	}
	switch {
	case !nofail:
		v.lines += v.quiet + lines
		v.quiet = 0
	case !forget:
		v.quiet += lines
	}
	if s.sessions.byKey[v.key] == v {
		s.sessions.fit(v)
	}
	return v, nofail
}

// take copies what the line tells.
func (v *session) take(cur fields) {
	for i, b := range cur {
		if b == nil {
			continue
		}
		if v.vals[i] == nil {
			v.vals[i] = make([]byte, 0, len(b))
		}
		v.vals[i] = append(v.vals[i][:0], b...)
	}
}

// meet takes in a user of the session.
func (v *session) meet(user []byte) {
	if len(user) > 0 && len(v.users) < maxUsers && !slices.Contains(v.users, string(user)) {
		v.users = append(v.users, string(user))
	}
}
