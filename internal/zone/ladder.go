package zone

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/edgeban/edgeban/internal/config"
)

const (
	least    = 24 * time.Hour     // that a step stands: who leaks today leaks tomorrow
	told     = 7 * 24 * time.Hour // after its end, for people who ask why
	maxSteps = 4096               // that are kept; the oldest go first
)

// A Step is a target that holds a ban as well, because it leaks at those before.
type Step struct {
	Entry netip.Prefix // what leaked
	At    time.Time
	Until time.Time // zero for ever
	From  string    // where it leaked, for people
	To    string    // the name of the target
	Why   string    // what was found out
}

func (s Step) stands(now time.Time) bool { return s.Until.IsZero() || now.Before(s.Until) }

// A Ladder remembers the steps that were taken. It is safe for concurrent use.
type Ladder struct {
	mu     sync.Mutex
	steps  map[netip.Prefix][]Step // of an entry, in their order
	n      int                     // of them all
	pruned time.Time
}

// NewLadder returns a Ladder on which no step was taken.
func NewLadder() *Ladder { return &Ladder{steps: map[netip.Prefix][]Step{}} }

// Raised reports whether a step has brought the bans of an entry to a target.
func (l *Ladder) Raised(entry netip.Prefix, target string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.steps[entry], func(s Step) bool { return s.To == target && s.stands(now) })
}

// Next returns the target that is to hold an entry of a zone next; "" for none that
// is left.
func (l *Ladder) Next(z *config.Zone, entry netip.Prefix, now time.Time) string {
	if z == nil {
		return ""
	}
	for _, name := range z.Escalate {
		if !l.Raised(entry, name, now) {
			return name
		}
	}
	return ""
}

// Raise takes a step for a ban that ends at a time; zero for never.
func (l *Ladder) Raise(s Step, ban time.Time) {
	if !ban.IsZero() {
		s.Until = s.At.Add(least)
		if ban.After(s.Until) {
			s.Until = ban
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.steps[s.Entry] = append(l.steps[s.Entry], s)
	l.n++
	l.prune(s.At)
}

// prune forgets what is over for long, and the oldest if there are too many, but not
// at every step: that takes time. The caller holds the lock.
func (l *Ladder) prune(now time.Time) {
	if l.n <= maxSteps && now.Sub(l.pruned).Abs() < time.Hour {
		return
	}
	l.pruned = now
	all := slices.DeleteFunc(l.all(), func(s Step) bool { return !s.stands(now.Add(-told)) })
	if len(all) > maxSteps {
		all = all[len(all)-maxSteps*3/4:]
	}
	l.set(all)
}

// set makes steps all that are known. The caller holds the lock.
func (l *Ladder) set(steps []Step) {
	l.n, l.steps = len(steps), map[netip.Prefix][]Step{}
	for _, s := range steps {
		l.steps[s.Entry] = append(l.steps[s.Entry], s)
	}
}

// all returns every step, the oldest first. The caller holds the lock.
func (l *Ladder) all() (all []Step) {
	for _, steps := range l.steps {
		all = append(all, steps...)
	}
	slices.SortFunc(all, func(a, b Step) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return a.Entry.Compare(b.Entry)
	})
	return all
}

// About returns the steps of whatever contains p or lies in it, the oldest first.
func (l *Ladder) About(p netip.Prefix) []Step {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(l.all(), func(s Step) bool { return !s.Entry.Overlaps(p) })
}

// Snapshot returns all that l knows.
func (l *Ladder) Snapshot() ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, err := json.Marshal(l.all())
	if err != nil {
		return nil, fmt.Errorf("escalations: %w", err)
	}
	return b, nil
}

// Restore returns the Ladder that a snapshot was taken of.
func Restore(snapshot []byte) (*Ladder, error) {
	var all []Step
	if err := json.Unmarshal(snapshot, &all); err != nil {
		return nil, fmt.Errorf("escalations: %w", err)
	}
	l := NewLadder()
	l.set(all)
	return l, nil
}
