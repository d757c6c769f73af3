package ntfytest

import (
	"net/http"
	"net/netip"
	"time"
)

// What the real server was seen to allow by default.
const (
	requestBurst = 60
	requestEvery = 5 * time.Second
	authBurst    = 30
	authEvery    = time.Minute
)

// A visitor is an IPv4 address or an IPv6 /64, whatever its tokens.
type visitor struct {
	requests, failures bucket
	day                string // of messages, UTC
	messages           int
}

// visitor returns whoever sent r.
func (s *Server) visitor(r *http.Request) *visitor {
	key := r.RemoteAddr
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		addr, bits := ap.Addr().Unmap(), 64
		if addr.Is4() {
			bits = 32
		}
		key = netip.PrefixFrom(addr.WithZone(""), bits).Masked().String()
	}
	v := s.visitors[key]
	if v == nil {
		v = &visitor{
			requests: bucket{burst: requestBurst, every: requestEvery, used: 0},
			failures: bucket{burst: authBurst, every: authEvery, used: 0},
		}
		s.visitors[key] = v
	}
	return v
}

// allowed counts a message of today, and reports whether it was one too many.
func (v *visitor) allowed(daily int, now time.Time) bool {
	if today := now.UTC().Format(time.DateOnly); v.day != today {
		v.day, v.messages = today, 0
	}
	if daily > 0 && v.messages >= daily {
		return false
	}
	v.messages++
	return true
}

// A bucket holds burst tokens; one comes back every so often.
type bucket struct {
	burst int
	every time.Duration
	used  time.Duration // what is missing, in the time that it takes to come back
	at    time.Time
}

func (b *bucket) has(now time.Time) bool {
	b.used = max(0, b.used-now.Sub(b.at))
	b.at = now
	return b.used+b.every <= time.Duration(b.burst)*b.every
}

func (b *bucket) take(now time.Time) bool {
	if !b.has(now) {
		return false
	}
	b.used += b.every
	return true
}
