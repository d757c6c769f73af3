// Package leak notices bans that do not work: lines of an address that some
// target has held for a while.
//
// A Detector is a fold over the matches of the ledger. It does no I/O and reads no
// clock. What it keeps is small: whose lines keep coming, and which causes people
// know of. To work out a cause is its caller's.
package leak

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/edgeban/edgeban"
)

const (
	evidence = 2                // lines of one jail, later than that: one alone may be anything
	again    = 10 * time.Minute // after a cause was worked out, lines that go on ask for it anew
	retry    = time.Minute      // after it could not be worked out
	quiet    = time.Hour        // without a line, and nothing leaks any more
	forget   = 24 * time.Hour   // without a line, and a cause that comes back is news
	maxLeaks = 1024             // that are kept: there is room for others when one is silent
	silent   = 10 * time.Minute // without a line, and others may have the place
	crowded  = time.Minute      // between two looks for a place
)

// A Cause is why a ban does not work.
type Cause string

// The causes.
const (
	Inside    Cause = "inside"    // the packets never cross the target
	Rule      Cause = "rule"      // nothing at the target blocks what it lists
	IPv6      Cause = "ipv6"      // what blocks there does not cover IPv6
	Session   Cause = "session"   // a connection from before the ban goes on
	Unfetched Cause = "unfetched" // nobody has taken the list since
	Elsewhere Cause = "elsewhere" // nothing is wrong at the target: they come another way
	Refused   Cause = "refused"   // they come, and are refused: that is no leak
)

// Everybodys reports whether the cause is the same for all that a target holds of a
// family.
func (c Cause) Everybodys() bool { return c == Rule || c == IPv6 || c == Unfetched }

// A Leak is an entry whose lines keep coming although it is held.
type Leak struct {
	Entry netip.Prefix   // what is held
	Addr  netip.Addr     // whose line came last
	Jail  string         // of the line that came last
	Since time.Time      // since when all of At hold it
	At    []string       // the targets that hold it, as the ledger calls them; sorted
	Lines map[string]int // that came since, by jail: several may see the same line
	Proof time.Time      // of the line that made them evidence
	Last  time.Time      // of the last line

	Cause Cause     // empty until it was worked out
	Why   string    // what was seen, and the way out
	Asked time.Time // when that was tried last
	Tries int       // how often it was tried in vain
}

// Count returns how many lines came at least.
func (l *Leak) Count() (n int) {
	for _, lines := range l.Lines {
		n = max(n, lines)
	}
	return n
}

// key names a cause at the targets that it concerns.
func (l *Leak) key() string { return string(l.Cause) + " " + strings.Join(l.At, "\n") }

// A Detector notices leaks. It is not safe for concurrent use.
type Detector struct {
	// Grace is how long after a target holds an entry lines may still be under way.
	Grace time.Duration

	leaks map[netip.Prefix]*Leak
	told  map[string]time.Time // the causes that people know of, and when the last line came for one
	full  time.Time            // of the line for which a place was looked for last
}

// New returns a Detector that has seen nothing.
func New() *Detector {
	return &Detector{Grace: time.Minute, leaks: map[netip.Prefix]*Leak{}, told: map[string]time.Time{}}
}

// Observe takes in a match, and what is known of the entries that contain its
// address at all targets: those that were not released.
func (d *Detector) Observe(m edgeban.Match, holds []edgeban.Held) {
	s, ok := stayOf(holds)
	if start := s.Since.Add(d.Grace); !ok || !m.Time.After(start) || !m.Time.Add(-Late(m.Text)).After(start) {
		return
	}
	l := d.leaks[s.Entry]
	if l == nil && !d.room(m.Time) {
		return
	}
	if l == nil || !l.same(s) {
		l = &Leak{Entry: s.Entry, Since: s.Since, At: s.At, Lines: map[string]int{}}
		d.leaks[s.Entry] = l
	}
	l.Addr, l.Jail = m.Addr, m.Jail
	l.Lines[m.Jail]++
	if m.Time.After(l.Last) {
		l.Last = m.Time
	}
	if l.Lines[m.Jail] == evidence && l.Proof.IsZero() {
		l.Proof = l.Last
	}
	if l.Cause != "" && l.Last.After(d.told[l.key()]) {
		d.told[l.key()] = l.Last
	}
}

// A Stay is how long which targets have held the entries of an address.
type Stay struct {
	Entry netip.Prefix // the widest
	Since time.Time
	At    []string
}

// stayOf sums up what is known of an address. It is held since the last target
// holds it: the packets may come by that one.
func stayOf(holds []edgeban.Held) (s Stay, ok bool) {
	for _, h := range holds {
		if h.Held.IsZero() || !h.Released.IsZero() {
			continue
		}
		if !ok || h.Subject.Bits() < s.Entry.Bits() {
			s.Entry = h.Subject
		}
		if h.Held.After(s.Since) {
			s.Since = h.Held
		}
		s.At = append(s.At, h.Target)
		ok = true
	}
	slices.Sort(s.At)
	s.At = slices.Compact(s.At)
	return s, ok
}

func (l *Leak) same(s Stay) bool {
	return l.Entry == s.Entry && l.Since.Equal(s.Since) && slices.Equal(l.At, s.At)
}

// Holds reports whether a leak's entry is held as it was: what a target has lost
// meanwhile, as a firewall does that reboots, was no leak.
func (l *Leak) Holds(holds []edgeban.Held) bool {
	s, ok := stayOf(holds)
	return ok && l.same(s)
}

// room reports whether there is a place for one more, at the time of a line. Those
// who go on keep theirs: if each took that of another, nobody would ever come to the
// lines that are evidence.
func (d *Detector) room(now time.Time) bool {
	if len(d.leaks) >= maxLeaks && now.Sub(d.full).Abs() >= crowded {
		d.full = now
		maps.DeleteFunc(d.leaks, func(_ netip.Prefix, l *Leak) bool { return now.Sub(l.Last) > silent })
	}
	return len(d.leaks) < maxLeaks
}

// Due returns the leaks whose cause is to be worked out now, the oldest first.
func (d *Detector) Due(now time.Time) (due []Leak) {
	for _, l := range d.leaks {
		switch {
		case l.Count() < evidence, now.Sub(l.Last) > quiet:
		case l.Cause == "" && now.Sub(l.Asked).Abs() < retry:
		case l.Cause != "" && l.Last.Sub(l.Asked) < again:
		default:
			due = append(due, l.clone())
		}
	}
	slices.SortFunc(due, func(a, b Leak) int { return cmp.Or(a.Since.Compare(b.Since), a.Entry.Compare(b.Entry)) })
	return due
}

func (l *Leak) clone() Leak {
	c := *l
	c.Lines = maps.Clone(l.Lines)
	return c
}

// Explain says why an entry leaks, as was worked out at a time. It reports whether
// people are to be told: a cause is told once, whoever else leaks for it.
func (d *Detector) Explain(entry netip.Prefix, c Cause, why string, at time.Time) (tell bool) {
	l := d.leaks[entry]
	if l == nil {
		return false
	}
	l.Cause, l.Why, l.Asked, l.Tries = c, why, at, 0
	last, known := d.told[l.key()]
	if !known || l.Last.After(last) {
		d.told[l.key()] = l.Last
	}
	return !known || l.Last.Sub(last) > forget
}

// Puzzled says that the cause could not be worked out at a time. It returns how
// often that was so in a row.
func (d *Detector) Puzzled(entry netip.Prefix, at time.Time) int {
	l := d.leaks[entry]
	if l == nil {
		return 0
	}
	l.Asked = at
	l.Tries++
	return l.Tries
}

// Drop forgets a leak: its entry is not held any more, or not as it was.
func (d *Detector) Drop(entry netip.Prefix) { delete(d.leaks, entry) }

// Prune forgets what was silent for long, and reports whether that was anything.
func (d *Detector) Prune(now time.Time) bool {
	before := len(d.leaks) + len(d.told)
	maps.DeleteFunc(d.leaks, func(_ netip.Prefix, l *Leak) bool { return now.Sub(l.Last) > forget })
	maps.DeleteFunc(d.told, func(_ string, last time.Time) bool { return now.Sub(last) > 2*forget })
	return len(d.leaks)+len(d.told) != before
}

// All returns everybody of whom a line came since it is held, leak or not.
func (d *Detector) All() (all []Leak) {
	for _, l := range d.leaks {
		all = append(all, l.clone())
	}
	slices.SortFunc(all, func(a, b Leak) int { return a.Entry.Compare(b.Entry) })
	return all
}

// Leaking returns the leaks that go on, the last line first.
func (d *Detector) Leaking(now time.Time) []Leak {
	all := slices.DeleteFunc(d.All(), func(l Leak) bool { return l.Count() < evidence || now.Sub(l.Last) > quiet })
	slices.SortStableFunc(all, func(a, b Leak) int { return b.Last.Compare(a.Last) })
	return all
}

// A state is what a Detector keeps, in JSON.
type state struct {
	Leaks []Leak
	Told  map[string]time.Time
}

// Snapshot returns all that d knows.
func (d *Detector) Snapshot() ([]byte, error) {
	b, err := json.Marshal(state{d.All(), d.told})
	if err != nil {
		return nil, fmt.Errorf("leaks: %w", err)
	}
	return b, nil
}

// Restore returns the Detector that a snapshot was taken of.
func Restore(snapshot []byte) (*Detector, error) {
	var s state
	if err := json.Unmarshal(snapshot, &s); err != nil {
		return nil, fmt.Errorf("leaks: %w", err)
	}
	d := New()
	for _, l := range s.Leaks {
		if l.Lines == nil {
			l.Lines = map[string]int{}
		}
		d.leaks[l.Entry] = &l
	}
	if s.Told != nil {
		d.told = s.Told
	}
	return d, nil
}
