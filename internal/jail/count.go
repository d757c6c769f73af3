package jail

import "slices"

// A count is the failures of one subject that still matter. Times are Unix
// nanoseconds.
type count struct {
	total       int
	seen        int // all failures: where a rate is counted, total is less of old ones and more of known bad ones
	first, last int64
	stamps      []stamp // the window only, oldest first
}

type stamp struct {
	at int64
	n  int
}

// addWindow counts n failures at t within a true sliding window: what is older
// than the newest by window or more is forgotten. Lines may come out of order.
func (c *count) addWindow(t int64, n int, window int64, enough int) {
	i := len(c.stamps)
	for i > 0 && c.stamps[i-1].at > t {
		i--
	}
	if i > 0 && c.stamps[i-1].at == t {
		c.stamps[i-1].n += n
	} else {
		c.stamps = slices.Insert(c.stamps, i, stamp{t, n})
	}
	c.last = c.stamps[len(c.stamps)-1].at
	drop := 0
	for c.stamps[drop].at <= c.last-window {
		drop++
	}
	if over := len(c.stamps) - enough; over > drop { // the newest of them decide alone
		drop = over
	}
	c.stamps = slices.Delete(c.stamps, 0, drop)
	c.first, c.total = c.stamps[0].at, 0
	for _, s := range c.stamps {
		c.total += s.n
	}
	c.seen = c.total
}

// failures returns how many failures led to the count.
func (c *count) failures() int { return min(c.seen, c.total) }
