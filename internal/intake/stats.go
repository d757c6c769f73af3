package intake

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/filter"
)

// Stats is what a jail has seen.
type Stats struct {
	Lines, Failures, Successes, Ignored, Undated int64

	Names int64  // failures that named a host in place of an address, and do not count
	Spent int64  // searches that gave up: what they would have found is missing
	Skew  string // how the stamps lie off the clock; empty if they do not
}

// counters go on from one Watcher of a jail to the next.
type counters struct {
	lines, failures, successes, ignored, undated, names, spent atomic.Int64
}

// Stats returns what was seen until now.
func (w *Watcher) Stats() Stats {
	c := w.counters
	s := Stats{
		Lines: c.lines.Load(), Failures: c.failures.Load(), Successes: c.successes.Load(), Ignored: c.ignored.Load(),
		Undated: c.undated.Load(), Names: c.names.Load(), Spent: c.spent.Load(),
	}
	if p := w.skew.Load(); p != nil {
		s.Skew = *p
	}
	return s
}

// degraded is how long after a search gave up a jail counts as degraded.
const degraded = 10 * time.Minute

// Degraded says that searches give up at now, or returns "".
func (w *Watcher) Degraded(now time.Time) string {
	n, at := w.counters.spent.Load(), w.spentAt.Load()
	if n == 0 || at == 0 || now.Sub(time.Unix(0, at)) > degraded {
		return ""
	}
	return fmt.Sprintf("jail %s: its patterns gave up on %d searches, and what those lines tell is not counted: "+
		"somebody may write lines that make them search without end. Take a newer version of the filter, or simplify its failregex.", w.Jail.Name, n)
}

// scanned takes in what a scanner has seen between two looks, in lines read at a time.
func (w *Watcher) scanned(before, after filter.Stats, read time.Time) {
	c := w.counters
	c.lines.Add(after.Lines - before.Lines)
	c.undated.Add(after.Undated - before.Undated)
	c.names.Add(after.Names - before.Names)
	if n := after.Spent - before.Spent; n > 0 {
		c.spent.Add(n)
		w.spentAt.Store(read.UnixNano())
	}
	if text := after.Skew.String(); text != "" {
		w.skew.Store(&text)
	} else if before.Skew.String() != "" {
		w.skew.Store(nil)
	}
}

// matched takes in matches. It adds them up first: others count beside it.
func (c *counters) matched(ms []edgeban.Match) {
	var failures, successes, ignored int64
	for i := range ms {
		m := &ms[i]
		n := int64(m.Count)
		switch {
		case m.Ignored != "":
			ignored += n
		case m.Kind == edgeban.Success:
			successes += n
		default:
			failures += n
		}
	}
	c.failures.Add(failures)
	c.successes.Add(successes)
	c.ignored.Add(ignored)
}
