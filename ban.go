package edgeban

import (
	"net/netip"
	"time"
)

// A Key names what a ban is about: a subject in a jail.
type Key struct {
	Jail    string
	Subject netip.Prefix
}

// A Ban is the decision to keep a subject out for a while. Bans are appended
// and never changed: a longer one of the same key prolongs it.
type Ban struct {
	Key
	Since    time.Time  // the failure that decided it; it never gates the ban
	Until    time.Time  // zero means for ever
	Addr     netip.Addr // whose failure decided it: what a target gets that takes no networks; may be zero
	Failures int        // how many failures led to it; 0 for a ban by hand
	Nth      int        // 1 for a first offence
	Cause    Seq        // the event that decided it; 0 for a ban by hand
	Node     string     // who decided
	Reason   string     // words for people; may hold text from logs
}

// Standing reports whether b keeps its subject out at t, unless it was lifted.
func (b Ban) Standing(t time.Time) bool { return b.Until.IsZero() || t.Before(b.Until) }

// Outlasts reports whether b ends later than old.
func (b Ban) Outlasts(old Ban) bool {
	switch {
	case old.Until.IsZero():
		return false
	case b.Until.IsZero():
		return true
	}
	return b.Until.After(old.Until)
}

// A Lift ends every ban of a key by hand. A ban that runs out is not lifted: it
// is no longer wanted, and the next comparison removes it.
type Lift struct {
	Key
	At time.Time
	By string
}

// Held is what is known of one subject at one target.
type Held struct {
	Subject  netip.Prefix
	Target   string
	Sent     time.Time // when the target was told to hold it; zero if never by us
	Held     time.Time // when the target was first seen to list it
	Released time.Time // when the target was seen not to list it any more
	Foreign  bool      // it was there before we wanted it: never removed by us
	Packets  uint64    // dropped by it, where the target counts
}

// Ours reports whether the entry at the target may be removed by us.
func (h Held) Ours() bool { return !h.Sent.IsZero() && !h.Foreign }
