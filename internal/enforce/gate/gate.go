// Package gate holds bans in memory for targets that a service asks about one client
// at a time, and remembers whom it has refused.
//
// What it says is held as long as the service asks: when it did last is part of what
// it tells.
package gate

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeban/edgeban/internal/enforce"
)

const (
	maxRefused = 10_000        // clients of whom it is remembered when they were refused
	lately     = time.Minute   // a refusal was, of which lines may come
	silent     = 6 * time.Hour // without a question, after which that is said
	opening    = 10 * time.Second
)

// A Gate is a Target that is asked. The zero value is not usable; see New.
type Gate struct {
	who   string // asks, for people
	made  time.Time
	set   atomic.Pointer[set]
	known chan struct{} // closed once the bans are
	once  sync.Once
	mu    sync.Mutex
	asked time.Time // when a question came last; zero for never
	count int       // of refusals
	last  map[netip.Addr]time.Time
}

var (
	_ enforce.Whole  = (*Gate)(nil)
	_ enforce.Prober = (*Gate)(nil)
)

// New returns a Gate that refuses nobody yet, for a service of that name.
func New(who string) *Gate {
	return &Gate{who: who, made: time.Now(), known: make(chan struct{}), last: map[netip.Addr]time.Time{}}
}

// Await waits until it is known who is banned: whoever is answered earlier lets banned
// clients in. Who asks meanwhile waits as well, which is better than being refused the
// connection: services let everybody in then. But nobody waits for ever: it reports
// false if the bans are not known after 10 s, or ctx is done.
func (g *Gate) Await(ctx context.Context) bool {
	late := time.NewTimer(opening)
	defer late.Stop()
	select {
	case <-g.known:
		return true
	case <-late.C:
	case <-ctx.Done():
	}
	return false
}

// Inherit takes over what an earlier Gate of the same service refuses, and remembers.
// That may lack the bans of just now.
func (g *Gate) Inherit(earlier *Gate) {
	earlier.mu.Lock()
	asked, count, last := earlier.asked, earlier.count, maps.Clone(earlier.last)
	earlier.mu.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked, g.count, g.last, g.made = asked, count, last, earlier.made
	g.set.Store(earlier.set.Load())
}

// A set is immutable.
type set struct {
	entries []netip.Prefix // sorted
	in      map[netip.Prefix]bool
	bits4   []int // the lengths that occur
	bits6   []int
}

func newSet(entries []netip.Prefix) *set {
	s := &set{entries: entries, in: make(map[netip.Prefix]bool, len(entries))}
	for _, p := range entries {
		s.in[p] = true
		bits := &s.bits6
		if p.Addr().Is4() {
			bits = &s.bits4
		}
		if !slices.Contains(*bits, p.Bits()) {
			*bits = append(*bits, p.Bits())
		}
	}
	return s
}

func (s *set) contains(a netip.Addr) bool {
	bits := s.bits6
	if a.Is4() {
		bits = s.bits4
	}
	for _, b := range bits {
		if p, err := a.Prefix(b); err == nil && s.in[p] {
			return true
		}
	}
	return false
}

// Keeps returns the Gate itself, to whoever has something around it.
func (g *Gate) Keeps() *Gate { return g }

// Whole says that the bans are set as a whole.
func (g *Gate) Whole() {}

// Fits reports whether p can be asked for: any canonical address or network, but
// never the whole internet.
func (g *Gate) Fits(p netip.Prefix) bool {
	return p.IsValid() && p.Bits() > 0 && p == p.Masked() && !p.Addr().Is4In6()
}

// Held returns whom it refuses now.
func (g *Gate) Held(context.Context) ([]netip.Prefix, error) {
	if s := g.set.Load(); s != nil {
		return s.entries, nil
	}
	return nil, nil
}

// Apply refuses d.Want from now on. As long as the ledger may lack bans, only
// d.Remove is let go.
func (g *Gate) Apply(_ context.Context, d enforce.Diff) error {
	g.Set(d)
	return nil
}

// Set is Apply, and returns who was not refused before. Of the first time nobody is.
func (g *Gate) Set(d enforce.Diff) (fresh []netip.Prefix) {
	g.mu.Lock()
	defer g.mu.Unlock()
	old := g.set.Load()
	want := slices.Clone(d.Want)
	if d.Partial && old != nil {
		for _, p := range old.entries {
			if !slices.Contains(d.Remove, p) {
				want = append(want, p)
			}
		}
	}
	want = slices.DeleteFunc(want, func(p netip.Prefix) bool { return !g.Fits(p) })
	slices.SortFunc(want, netip.Prefix.Compare)
	s := newSet(slices.Compact(want))
	g.set.Store(s)
	g.once.Do(func() { close(g.known) })
	if old == nil {
		return nil
	}
	for _, p := range s.entries {
		if !old.in[p] {
			fresh = append(fresh, p)
		}
	}
	return fresh
}

// Refuses answers whether a client is to be refused. It takes microseconds.
func (g *Gate) Refuses(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	s := g.set.Load()
	refused := s != nil && a.IsValid() && s.contains(a)
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = now
	if refused {
		g.count++
		if len(g.last) >= maxRefused {
			clear(g.last) // whoever goes on is in it again at once
		}
		g.last[a] = now
	}
	return refused
}

// Gap implements enforce.Prober: a gate stops nobody while nobody asks, and lines of
// whom it has just refused may come of that.
func (g *Gate) Gap(_ context.Context, a netip.Addr, since time.Time) (enforce.Gap, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if at, ok := g.last[a.Unmap()]; ok && time.Since(at) < lately {
		return enforce.Gap{Kind: enforce.Refusing, Text: fmt.Sprintf("%s was told to refuse it at %s.", g.who, at.Local().Format("15:04:05"))}, nil
	}
	if g.asked.After(since) {
		return enforce.Gap{}, nil
	}
	if g.made.After(since) {
		since = g.made
	}
	return enforce.Gap{Kind: enforce.Unfetched, Text: fmt.Sprintf("%s has not asked since %s: look at its settings, and at its log.", g.who, since.Local().Format("Jan _2 15:04"))}, nil
}

// Notes says for status whether anybody asks, and what came of it.
func (g *Gate) Notes() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch now := time.Now(); {
	case g.asked.IsZero():
		return []string{"holds only what " + g.who + " asks for: it has not asked since the start"}
	case now.Sub(g.asked) > silent:
		return []string{"holds only what " + g.who + " asks for: it has not asked since " + g.asked.Local().Format("Jan _2 15:04")}
	}
	return []string{fmt.Sprintf("asked last at %s, refused %d times since the start", g.asked.Local().Format("Jan _2 15:04:05"), g.count)}
}

// Asked returns when a question came last; zero for never.
func (g *Gate) Asked() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.asked
}
