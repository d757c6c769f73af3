// Package session remembers what the lines of a session have told: those of one log
// that fail2ban's mlfid ties together. It must not decide what a line means.
package session

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"iter"
	"slices"
	"time"
)

// MaxBytes bounds what all sessions of a log remember.
const MaxBytes = 4 << 20

const (
	maxUsers = 32              // that a session remembers
	lifetime = 5 * time.Minute // after its first line a session is another one
	overhead = 160             // bytes of a session besides what it remembers
)

// A Session is what lines with the same mlfid have told. Thousands are remembered, so
// what they have told is packed.
type Session struct {
	hash   uint64 // of the mlfid
	began  time.Time
	spans  []span // by slot
	text   []byte // what they are in
	users  []byte // each behind its length
	nusers int
	kept   bool // it is one of the log's
	size   int

	older, newer *Session

	Pending bool // a line failed, but nothing has told the address yet
	Quiet   int  // lines that were no failure
	Lines   int  // lines of the failure that was told last, or is pending
}

// A span is a part of a session's text. One that ends at 0 is none.
type span struct{ from, to uint32 }

// Get returns what a slot has, nil for nothing, valid until the session takes more.
func (v *Session) Get(slot int) []byte {
	p := v.spans[slot]
	if p.to == 0 {
		return nil
	}
	return v.text[p.from:p.to:p.to]
}

// Drop empties a slot.
func (v *Session) Drop(slot int) { v.spans[slot] = span{} }

// Fill makes f, by slot, what is known.
func (v *Session) Fill(f [][]byte) {
	for slot := range v.spans {
		f[slot] = v.Get(slot)
	}
}

// Meet takes in a user of the session.
func (v *Session) Meet(user []byte) {
	if len(user) == 0 || v.nusers >= maxUsers {
		return
	}
	for u := range v.Users() {
		if bytes.Equal(u, user) {
			return
		}
	}
	v.users = append(binary.AppendUvarint(v.users, uint64(len(user))), user...)
	v.nusers++
}

// Several reports whether more than one user was met.
func (v *Session) Several() bool { return v.nusers > 1 }

// Users yields them.
func (v *Session) Users() iter.Seq[[]byte] {
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

// A Store has the sessions of one log, from the oldest to the newest. When there is no
// room for another, the oldest is forgotten: a flood of them costs no memory, and
// can at worst part the lines of a session.
type Store struct {
	byKey          map[uint64]*Session // by the hash of the key: of two with one hash the first is forgotten
	seed           maphash.Seed
	last           uint64 // the hash of the key that was asked for last
	oldest, newest *Session
	size           int
	buf            []byte
	free           []*Session // to be used again
	loose          *Session   // the last one that was not kept: in use until the next line
}

const (
	maxFree  = 64      // sessions that are kept to be used again
	freeText = 1 << 10 // bytes that one of them may hold
)

// Load returns the session of a key, which its slot has; nil if there is none at t.
func (s *Store) Load(slot int, key []byte, t time.Time) *Session {
	s.reuse()
	s.last = s.hash(key)
	v := s.byKey[s.last]
	switch {
	case v == nil:
		return nil
	case t.Sub(v.began).Abs() > lifetime, !bytes.Equal(v.Get(slot), key):
		s.Remove(v)
		s.reuse()
		return nil
	}
	return v
}

// Knows reports whether there may be a session of a key.
func (s *Store) Knows(key []byte) bool { return s.byKey[s.hash(key)] != nil }

func (s *Store) hash(key []byte) uint64 {
	if s.byKey == nil {
		s.byKey, s.seed = map[uint64]*Session{}, maphash.MakeSeed()
	}
	return maphash.Bytes(s.seed, key)
}

// Begin returns a new session of n slots for the key that was asked for last. It is
// not kept yet.
func (s *Store) Begin(t time.Time, n int) *Session {
	last := len(s.free) - 1
	if last < 0 {
		s.free, last = append(s.free, new(Session)), 0
	}
	v := s.free[last]
	s.free = s.free[:last]
	*v = Session{hash: s.last, began: t, spans: slices.Grow(v.spans[:0], n)[:n], text: v.text[:0], users: v.users[:0]}
	clear(v.spans)
	s.loose = v
	return v
}

// reuse takes back a session that was not kept.
func (s *Store) reuse() {
	if v := s.loose; v != nil && len(s.free) < maxFree && cap(v.text)+cap(v.users) <= freeText {
		s.free = append(s.free, s.loose)
	}
	s.loose = nil
}

// Add keeps a session.
func (s *Store) Add(v *Session) {
	s.byKey[v.hash], s.loose, v.kept = v, nil, true
	v.older, v.newer = s.newest, nil
	if s.newest != nil {
		s.newest.newer = v
	} else {
		s.oldest = v
	}
	s.newest = v
}

// Remove forgets a session, which is valid until the next Load.
func (s *Store) Remove(v *Session) {
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

// Take has a session take over what a line tells, by slot; nil for nothing. What has no
// room any more is forgotten. What is over stays until its key comes again: of two hosts
// in a log one may have an odd clock, and must not end the sessions of the other.
func (s *Store) Take(v *Session, cur [][]byte) {
	buf := append(s.buf[:0], 0) // so that no part ends at 0
	for slot, b := range cur {
		if b == nil {
			if b = v.Get(slot); b == nil {
				continue
			}
		}
		from := len(buf)
		buf = append(buf, b...)
		v.spans[slot] = span{uint32(from), uint32(len(buf))}
	}
	s.buf, v.text = buf, append(v.text[:0], buf...)
	if !v.kept {
		return
	}
	size := overhead + 8*cap(v.spans) + cap(v.text) + cap(v.users)
	s.size += size - v.size
	v.size = size
	for s.oldest != v && s.size > MaxBytes {
		s.Remove(s.oldest)
		s.reuse()
	}
}

// Size returns how many bytes all sessions remember.
func (s *Store) Size() int { return s.size }
