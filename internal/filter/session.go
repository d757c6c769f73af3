package filter

import (
	"bytes"
	"hash/maphash"
	"time"

	edgeban "github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/filter/pattern"
)

const (
	maxSessions = 4096            // of each of the two halves
	idle        = 5 * time.Minute // after which a session is another one
	together    = 2 * time.Second // within which several speakers tell of one attempt
	mostCount   = 1000            // that one line may stand for
)

// Sessions remember what was counted of each session. When the young half is
// full it becomes the old one, and what was in that is forgotten: memory is
// bounded, and a flood of sessions can at worst make a failure count twice.
type sessions struct {
	seed       maphash.Seed
	young, old map[uint64]session
	spoke      speech
}

// A session is one connection's tally.
type session struct {
	counted int
	credit  bool // a line has told of the first failure before its own line
	at      time.Time
}

// A speech is the last line that told who says so.
type speech struct {
	what, who uint64
	at        time.Time
}

func newSessions() *sessions {
	return &sessions{seed: maphash.MakeSeed(), young: map[uint64]session{}}
}

func (s *sessions) load(key uint64, t time.Time) session {
	v, ok := s.young[key]
	if !ok {
		v, ok = s.old[key]
	}
	if !ok || t.Sub(v.at).Abs() > idle {
		return session{}
	}
	return v
}

func (s *sessions) store(key uint64, v session) {
	if len(s.young) >= maxSessions {
		s.young, s.old = map[uint64]session{}, s.young
	}
	s.young[key] = v
}

// count returns how many failures a line adds to those that its session has
// counted already.
func (s *Scanner) count(r *rule, m edgeban.Match, stamp time.Time, pid []byte) int {
	n := number(s.groups[pattern.Count], 1, mostCount)
	if s.repeated(r, m, stamp) {
		return 0
	}
	text := s.groups[pattern.Session]
	if len(text) == 0 {
		if r.kind == 0 {
			return 0
		}
		return n
	}
	key := s.sessions.key(m, text, pid)
	v := s.sessions.load(key, stamp)
	added := v.add(r, n)
	if r.counts == total && s.before(stamp) {
		added = 0 // its own lines may have been counted before
	}
	v.at = stamp
	s.sessions.store(key, v)
	return added
}

// add takes in a line that tells of n failures and returns how many are new.
func (v *session) add(r *rule, n int) int {
	switch {
	case r.kind == 0:
		v.counted += n
		return 0
	case r.counts == once && v.counted > 0:
		return 0
	case r.counts == once:
		v.counted, v.credit = 1, true
		return 1
	case r.counts == total:
		n = max(0, n-v.counted)
		v.credit = false
	case v.credit:
		v.credit = false
		n--
	}
	v.counted += n
	return n
}

// before reports whether the line's session began before the place where
// reading resumed.
func (s *Scanner) before(stamp time.Time) bool {
	age := s.groups[pattern.Age]
	if s.resumed.IsZero() || age == nil {
		return false
	}
	return stamp.Add(-time.Duration(number(age, 0, 1<<20)) * time.Second).Before(s.resumed)
}

// repeated reports whether another speaker has just told of the same attempt.
func (s *Scanner) repeated(r *rule, m edgeban.Match, stamp time.Time) bool {
	who := s.groups[pattern.By]
	if len(who) == 0 || r.kind != edgeban.Failure {
		return false
	}
	last := &s.sessions.spoke
	now := speech{
		what: s.sessions.key(m, s.groups[pattern.Session], s.groups[pattern.User]),
		who:  maphash.Bytes(s.sessions.seed, who),
		at:   stamp,
	}
	if last.what == now.what && last.who != now.who && stamp.Sub(last.at).Abs() < together {
		return true
	}
	*last = now
	return false
}

func (s *sessions) key(m edgeban.Match, text, more []byte) uint64 {
	return maphash.Bytes(s.seed, bytes.Join([][]byte{m.Addr.AppendTo(nil), text, more}, []byte{0}))
}
