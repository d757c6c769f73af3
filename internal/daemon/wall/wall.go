// Package wall says whether the wall clock is to be believed.
package wall

import (
	"fmt"
	"sync"
	"time"
)

const (
	maxStep = time.Minute      // how far the wall clock may be from the monotonic one
	agreed  = 10 * time.Minute // how long it must agree before it is believed again
)

// A Clock watches the wall clock. While that is in doubt nothing is removed from
// a target and nothing is pruned: a wrong time would end every ban at once.
type Clock struct {
	now func() time.Time

	mu    sync.Mutex
	last  time.Time     // wall
	mono  time.Duration // monotonic, at last
	start time.Time
	doubt string
	since time.Duration // monotonic, of the doubt
}

// New returns a clock that is in doubt from the start if it is older than
// the newest event that the ledger knows.
func New(now func() time.Time, newest time.Time) *Clock {
	c := &Clock{now: now, start: time.Now()}
	c.last = now().Round(0)
	if newest.Sub(c.last) > maxStep {
		c.doubt = fmt.Sprintf("the clock says %s, but the ledger has seen %s", c.last.UTC().Format(time.RFC3339), newest.UTC().Format(time.RFC3339))
	}
	return c
}

// Doubt says why the wall clock is not believed, or returns "".
func (c *Clock) Doubt() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	wall, mono := c.now().Round(0), time.Since(c.start)
	step := wall.Sub(c.last) - (mono - c.mono)
	switch {
	case step.Abs() > maxStep:
		c.doubt, c.since = fmt.Sprintf("the clock jumped by %s", step.Round(time.Second)), mono
	case c.doubt != "" && mono-c.since >= agreed:
		c.doubt = ""
	}
	c.last, c.mono = wall, mono
	return c.doubt
}
