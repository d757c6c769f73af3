package clock

import (
	"fmt"
	"slices"
	"time"
)

// Skew is how far the stamps of live lines lie off the clock.
type Skew struct {
	Offset time.Duration // negative for stamps behind the clock; zero if there is no skew
	Lines  int           // how many lines in a row have agreed on it
	Zone   bool          // it is likely a zone, not a clock
}

// String says it in words for people, or nothing if there is no skew.
func (k Skew) String() string {
	if k.Offset == 0 {
		return ""
	}
	where, off := "ahead of", k.Offset
	if off < 0 {
		where, off = "behind", -off
	}
	advice := "set the clock of the machine that writes them"
	if k.Zone {
		advice = "likely their zone: set logtimezone"
	}
	return fmt.Sprintf("lines are %v %s the clock since %d lines; %s", off, where, k.Lines, advice)
}

const (
	sightings = 16               // how many offsets are remembered
	quarter   = 15 * time.Minute // zones differ by multiples of it
	farthest  = 14 * time.Hour   // no zone is farther from another's people
)

// A Gauge keeps the offsets of the last live stamps. Its zero value is ready.
type Gauge struct {
	ring [sightings]time.Duration
	n    int // how many there ever were
	same int // how many in a row lie near the middle one
}

// Note takes in by how much a live line's stamp is ahead of its reading.
func (g *Gauge) Note(off time.Duration) {
	g.ring[g.n%sightings] = off
	g.n++
	if middle := g.middle(); (off - middle).Abs() <= Near {
		g.same++
		return
	}
	g.same = 0
}

// middle is the median, so that a few odd stamps do not matter.
func (g *Gauge) middle() time.Duration {
	seen := g.ring
	all := seen[:min(g.n, sightings)]
	slices.Sort(all)
	return all[len(all)/2]
}

// Skew returns what the offsets agree on.
func (g *Gauge) Skew() Skew {
	if g.n == 0 {
		return Skew{}
	}
	off := g.middle()
	if off.Abs() <= Near || g.same == 0 {
		return Skew{}
	}
	zone := off.Round(quarter)
	if (off-zone).Abs() <= Near && zone != 0 && zone.Abs() <= farthest {
		return Skew{Offset: zone, Lines: g.same, Zone: true}
	}
	return Skew{Offset: off.Round(time.Second), Lines: g.same}
}
