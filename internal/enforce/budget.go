package enforce

import (
	"net/netip"
	"time"
)

// A budget bounds how many entries that were never sent before are sent in a
// minute. What is beyond it waits; it is never lost.
type budget struct {
	perMinute int
	tokens    float64
	last      time.Time
	swept     time.Time
	admitted  map[netip.Prefix]time.Time // so that asking twice costs once
}

func newBudget(perMinute int) *budget {
	return &budget{perMinute: perMinute, tokens: float64(perMinute), admitted: map[netip.Prefix]time.Time{}}
}

// admit reports whether e may be sent at now. The caller holds the keeper's lock.
func (b *budget) admit(e netip.Prefix, now time.Time) bool {
	if gone := now.Sub(b.last); gone > 0 {
		b.tokens = min(float64(b.perMinute), b.tokens+gone.Minutes()*float64(b.perMinute))
	}
	if now.Sub(b.swept) > time.Hour {
		b.swept = now
		for p, at := range b.admitted {
			if now.Sub(at) > time.Hour {
				delete(b.admitted, p)
			}
		}
	}
	b.last = now
	if _, ok := b.admitted[e]; ok {
		return true
	}
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	b.admitted[e] = now
	return true
}
