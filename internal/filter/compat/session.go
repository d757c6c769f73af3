package compat

import (
	"bytes"
	"hash/maphash"
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
	key     []byte
	hash    uint64
	began   time.Time
	vals    fields   // its own copies, in
	bufs    [][]byte // these
	users   [][]byte
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
	byKey          map[uint64]*session // by the hash of the key: of two with one hash the first is forgotten
	seed           maphash.Seed
	oldest, newest *session
	size           int
	free           []*session // to be used again
	loose          *session   // the last one that was not kept: in use until the next line
}

// maxFree is how many sessions are kept to be used again.
const maxFree = 64

// load returns the session, nil if there is none at t.
func (s *sessions) load(key []byte, t time.Time) *session {
	s.reuse()
	v := s.byKey[s.hash(key)]
	switch {
	case v == nil:
		return nil
	case t.Sub(v.began).Abs() > lifetime, !bytes.Equal(v.key, key):
		s.remove(v)
		s.reuse()
		return nil
	}
	return v
}

func (s *sessions) hash(key []byte) uint64 {
	if s.byKey == nil {
		s.byKey, s.seed = map[uint64]*session{}, maphash.MakeSeed()
	}
	return maphash.Bytes(s.seed, key)
}

// begin returns a new session of n slots, which is not kept yet.
func (s *sessions) begin(key []byte, t time.Time, n int) *session {
	v := &session{}
	if last := len(s.free) - 1; last >= 0 {
		v, s.free = s.free[last], s.free[:last]
	}
	*v = session{
		key: append(v.key[:0], key...), hash: s.hash(key), began: t, users: v.users[:0],
		vals: slices.Grow(v.vals[:0], n)[:n], bufs: slices.Grow(v.bufs[:0], n)[:n],
	}
	clear(v.vals)
	s.loose = v
	return v
}

// reuse takes back a session that was not kept.
func (s *sessions) reuse() {
	if s.loose != nil && len(s.free) < maxFree {
		s.free = append(s.free, s.loose)
	}
	s.loose = nil
}

// kept reports whether v is.
func (s *sessions) kept(v *session) bool { return s.byKey[v.hash] == v }

func (s *sessions) add(v *session) {
	s.byKey[v.hash], s.loose = v, nil
	v.older, v.newer = s.newest, nil
	if s.newest != nil {
		s.newest.newer = v
	} else {
		s.oldest = v
	}
	s.newest = v
}

func (s *sessions) remove(v *session) {
	if !s.kept(v) {
		return
	}
	delete(s.byKey, v.hash)
	s.loose = v
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
	size := overhead + 48*len(v.vals) + cap(v.key)
	for _, b := range v.bufs {
		size += cap(b)
	}
	for _, u := range v.users[:cap(v.users)] {
		size += 24 + cap(u)
	}
	s.size += size - v.size
	v.size = size
	for s.oldest != v && s.size > maxBytes {
		s.remove(s.oldest)
		s.reuse()
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
		v = s.sessions.begin(cur[slotSession], t, len(cur))
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
	if s.sessions.kept(v) {
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
		if v.bufs[i] == nil {
			v.bufs[i] = make([]byte, 0, len(b))
		}
		v.bufs[i] = append(v.bufs[i][:0], b...)
		v.vals[i] = v.bufs[i]
	}
}

// meet takes in a user of the session.
func (v *session) meet(user []byte) {
	same := func(b []byte) bool { return bytes.Equal(b, user) }
	n := len(v.users)
	if len(user) == 0 || n >= maxUsers || slices.ContainsFunc(v.users, same) {
		return
	}
	v.users = slices.Grow(v.users, 1)[:n+1]
	v.users[n] = append(v.users[n][:0], user...)
}
