package compat

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"iter"
	"slices"
	"time"
)

const (
	maxBytes = 4 << 20         // of what all sessions of a log remember
	maxUsers = 32              // that a session remembers
	lifetime = 5 * time.Minute // after its first line a session is another one
	overhead = 160             // bytes of a session besides what it remembers
)

// A session is what lines with the same mlfid have told. Thousands are remembered, so
// what they have told is packed.
type session struct {
	hash    uint64 // of the mlfid
	began   time.Time
	spans   []span // by slot
	text    []byte // what they are in
	users   []byte // each behind its length
	nusers  int
	kept    bool // it is one of the log's
	pending bool // a line failed, but nothing has told the address yet
	quiet   int  // lines that were no failure
	lines   int  // lines of the failure that was told last, or is pending
	size    int

	older, newer *session
}

// A span is a part of a session's text. One that ends at 0 is none.
type span struct{ from, to uint32 }

// get returns what a slot has, nil for nothing, valid until the session takes more.
func (v *session) get(slot int) []byte {
	p := v.spans[slot]
	if p.to == 0 {
		return nil
	}
	return v.text[p.from:p.to:p.to]
}

// drop empties a slot.
func (v *session) drop(slot int) { v.spans[slot] = span{} }

// fill makes f what is known.
func (v *session) fill(f fields) {
	for slot := range v.spans {
		f[slot] = v.get(slot)
	}
}

// take takes over what the line tells; buf is for its work.
func (v *session) take(cur fields, buf []byte) []byte {
	buf = append(buf[:0], 0) // so that no part ends at 0
	for slot, b := range cur {
		if b == nil {
			if b = v.get(slot); b == nil {
				continue
			}
		}
		from := len(buf)
		buf = append(buf, b...)
		v.spans[slot] = span{uint32(from), uint32(len(buf))}
	}
	v.text = append(v.text[:0], buf...)
	return buf
}

// meet takes in a user of the session.
func (v *session) meet(user []byte) {
	if len(user) == 0 || v.nusers >= maxUsers {
		return
	}
	for u := range v.each() {
		if bytes.Equal(u, user) {
			return
		}
	}
	v.users = append(binary.AppendUvarint(v.users, uint64(len(user))), user...)
	v.nusers++
}

// each yields the users.
func (v *session) each() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for rest := v.users; len(rest) > 0; {
			n, w := binary.Uvarint(rest)
			end := w + int(n)
			if !yield(rest[w:end]) {
				return
			}
			rest = rest[end:]
		}
	}
}

// Sessions are those of one log, from the oldest to the newest. When there is no
// room for another, the oldest is forgotten: a flood of them costs no memory, and
// can at worst part the lines of a session.
type sessions struct {
	byKey          map[uint64]*session // by the hash of the key: of two with one hash the first is forgotten
	seed           maphash.Seed
	last           uint64 // the hash of the key that was asked for last
	oldest, newest *session
	size           int
	buf            []byte
	free           []*session // to be used again
	loose          *session   // the last one that was not kept: in use until the next line
}

const (
	maxFree  = 64      // sessions that are kept to be used again
	freeText = 1 << 10 // bytes that one of them may hold
)

// load returns the session, nil if there is none at t.
func (s *sessions) load(key []byte, t time.Time) *session {
	s.reuse()
	s.last = s.hash(key)
	v := s.byKey[s.last]
	switch {
	case v == nil:
		return nil
	case t.Sub(v.began).Abs() > lifetime, !bytes.Equal(v.get(slotSession), key):
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

// begin returns a new session of n slots for the key that was asked for last. It is
// not kept yet.
func (s *sessions) begin(t time.Time, n int) *session {
	last := len(s.free) - 1
	if last < 0 {
		s.free, last = append(s.free, new(session)), 0
	}
	v := s.free[last]
	s.free = s.free[:last]
	*v = session{hash: s.last, began: t, spans: slices.Grow(v.spans[:0], n)[:n], text: v.text[:0], users: v.users[:0]}
	clear(v.spans)
	s.loose = v
	return v
}

// reuse takes back a session that was not kept.
func (s *sessions) reuse() {
	if v := s.loose; v != nil && len(s.free) < maxFree && cap(v.text)+cap(v.users) <= freeText {
		s.free = append(s.free, s.loose)
	}
	s.loose = nil
}

func (s *sessions) add(v *session) {
	s.byKey[v.hash], s.loose, v.kept = v, nil, true
	v.older, v.newer = s.newest, nil
	if s.newest != nil {
		s.newest.newer = v
	} else {
		s.oldest = v
	}
	s.newest = v
}

func (s *sessions) remove(v *session) {
	if !v.kept {
		return
	}
	delete(s.byKey, v.hash)
	s.loose, v.kept = v, false
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
	size := overhead + 8*cap(v.spans) + cap(v.text) + cap(v.users)
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
		v = s.sessions.begin(t, len(cur))
		if !forget {
			s.sessions.add(v)
			v.meet(cur[slotUser])
		}
	} else {
		v.meet(cur[slotUser])
		if gained {
			v.pending = false
		}
		if len(v.get(slotNoFail)) == 0 && len(v.get(slotGained)) == 0 && !v.pending {
			v.lines = 0 // told already
		}
		v.drop(slotNoFail)
		v.drop(slotGained)
		if forget {
			s.sessions.remove(v)
		}
	}
	s.sessions.buf = v.take(cur, s.sessions.buf)
	if v.pending || v.nusers > 1 {
		v.drop(slotNoFail)
		v.drop(slotGained)
		v.pending, nofail = false, false
	}
	switch {
	case !nofail:
		v.lines += v.quiet + lines
		v.quiet = 0
	case !forget:
		v.quiet += lines
	}
	if v.kept {
		s.sessions.fit(v)
	}
	return v, nofail
}
