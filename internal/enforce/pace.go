package enforce

import "time"

const (
	firstSlice = 64          // what is sent before it is known how fast that goes
	minSlice   = 8           // what is sent at least
	turn       = time.Second // how long to send before the target is asked again what it holds
	share      = 9           // or this many times what asking takes, if that is longer
)

// A pace says how much of a difference is sent before the target is asked again.
// A resync of thousands takes minutes; sent in slices, it never keeps what is new
// from being seen, and lists take a tenth of the time at most.
type pace struct {
	each time.Duration // what one entry takes
	n    int           // how many were measured
}

// slice is how many entries to send after a look that took so long.
func (p *pace) slice(look time.Duration) int {
	switch {
	case p.n == 0:
		return firstSlice
	case p.each <= 0:
		return 1 << 20
	}
	return max(minSlice, int(max(turn, share*look)/p.each))
}

// took learns from n entries that were sent.
func (p *pace) took(d time.Duration, n int) {
	if n == 0 {
		return
	}
	each := d / time.Duration(n)
	if p.n > 0 {
		each = (p.each + each) / 2
	}
	p.each, p.n = each, n
}

// Sync is how far a target is that needs more than one slice.
type Sync struct {
	Sent, Of int
	Left     time.Duration // about
}

// advance returns how far a target is that lacks so many entries still.
func (s Sync) advance(missing int, each time.Duration) Sync {
	s.Of = max(s.Of, missing)
	return Sync{Sent: s.Of - missing, Of: s.Of, Left: time.Duration(missing) * each}
}
