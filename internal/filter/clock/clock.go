// Package clock decides when a line counts as having happened, from what the
// line and the chunk say, and notices stamps that lie off the clock. It never
// asks the time itself.
package clock

import (
	"time"

	edgeban "github.com/edgeban/edgeban"
)

// Near is how far the stamp of a live line may lie from the clock, and how long
// a stamp holds for lines without one.
const Near = time.Minute

// When returns a line's own time, and when it counts as having happened. The
// stamp is zero for a line without one; last is the stamp of a line before it,
// zero if there is none. ok is false if nothing says when it happened.
func When(c *edgeban.Chunk, stamp, last time.Time) (own, t time.Time, ok bool) {
	if !stamp.IsZero() {
		return stamp, Clamp(c, stamp), true
	}
	known := !last.IsZero()
	switch {
	case !c.Live:
		return last, Clamp(c, last), known
	case known && c.Read.Sub(last).Abs() < Near:
		return last, Clamp(c, last), true
	}
	return c.Read, c.Read, true
}

// Clamp keeps a stamp from lying after the reading, and a live line's from lying
// far off: its clock, or the zone that it is read in, is wrong.
func Clamp(c *edgeban.Chunk, t time.Time) time.Time {
	if t.After(c.Read) || c.Live && c.Read.Sub(t).Truncate(time.Second) > Near { // whole seconds, as fail2ban has it
		return c.Read
	}
	return t
}
