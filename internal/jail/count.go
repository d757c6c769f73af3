package jail

import (
	"math"
	"slices"
)

// A count is the failures of one subject that still matter. There may be a
// million of them: times are Unix nanoseconds, and most have failed once.
type count struct {
	key         key
	used        bool  // else it is the place of none
	total       int32 //
	seen        int32 // all failures: where a rate is counted, total is less of old ones and more of known bad ones
	first, last int64
	mark        uint64   // of the last failure; see Match
	stamps      *[]stamp // the window only, oldest first; nil while all its failures are of the time last
}

type stamp struct {
	at int64
	n  int32
}

// addWindow counts n failures at t within a true sliding window: what is older
// than the newest by window or more is forgotten. Lines may come out of order.
func (c *count) addWindow(t int64, n int32, window int64, enough int) {
	if c.total == 0 {
		c.first, c.last, c.total, c.seen = t, t, n, n
		return
	}
	all := c.window()
	i := len(all)
	for i > 0 && all[i-1].at > t {
		i--
	}
	if i > 0 && all[i-1].at == t {
		all[i-1].n = plus(all[i-1].n, n)
	} else {
		all = slices.Insert(all, i, stamp{t, n})
	}
	c.last = all[len(all)-1].at
	drop := 0
	for all[drop].at <= c.last-window {
		drop++
	}
	if over := len(all) - enough; over > drop { // the newest of them decide alone
		drop = over
	}
	c.setWindow(slices.Delete(all, 0, drop))
}

// window returns the failures by their time.
func (c *count) window() []stamp {
	switch {
	case c.stamps != nil:
		return *c.stamps
	case c.total == 0:
		return nil
	}
	return []stamp{{c.last, c.total}}
}

// setWindow counts these failures and no others.
func (c *count) setWindow(all []stamp) {
	c.first, c.last, c.total, c.stamps = all[0].at, all[len(all)-1].at, 0, nil
	for _, s := range all {
		c.total = plus(c.total, s.n)
	}
	c.seen = c.total
	if len(all) > 1 {
		c.stamps = &all
	}
}

// plus adds as far as there are numbers.
func plus(a, b int32) int32 { return int32(min(int64(a)+int64(b), math.MaxInt32)) }

// number returns n as far as there are numbers.
func number(n int) int32 { return int32(max(0, min(n, math.MaxInt32))) }

// failures returns how many failures led to the count.
func (c *count) failures() int { return int(min(c.seen, c.total)) }
