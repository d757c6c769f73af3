package enforce

import (
	"net/netip"
	"time"
)

// A budget bounds how many bans a minute are new. What is beyond it waits; it is
// never lost. Time counts when a ban is first seen, not when it can be sent: an
// hour's bans may all be sent at once when the target comes back.
type budget struct {
	perMinute int
	tokens    float64
	last      time.Time
	admitted  map[netip.Prefix]bool // so that asking twice costs once
}

func newBudget(perMinute int) *budget {
	return &budget{perMinute: perMinute, tokens: float64(perMinute), admitted: map[netip.Prefix]bool{}}
}

// admit reports whether e may be sent at now. The caller holds the keeper's lock.
func (b *budget) admit(e netip.Prefix, now time.Time) bool {
	if gone := now.Sub(b.last); gone > 0 {
		b.tokens = min(float64(b.perMinute), b.tokens+gone.Minutes()*float64(b.perMinute))
	}
	b.last = now
	if b.admitted[e] {
		return true
	}
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	b.admitted[e] = true
	return true
}

// forget drops the admission of what is not wanted any more.
func (b *budget) forget(wanted wants) {
	for e := range b.admitted {
		if !wanted.has(e) {
			delete(b.admitted, e)
		}
	}
}
