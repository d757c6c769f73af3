package sqlite

import (
	"context"
	"fmt"
	"iter"
	"net/netip"
	"slices"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/sorted"
	"github.com/edgeban/edgeban/internal/store/sqlite/row"
)

// A holding is what was said last of one subject at one target. Released ones
// are remembered too, to know a repetition.
type holding struct {
	row.CompactHeld
	seq edgeban.Seq
}

func newHoldings() *sorted.Table[holding] {
	return sorted.NewTable(func(a, b *holding) int { return a.Subject.Compare(b.Subject) })
}

// holding returns what was said last of a subject at a target, or nil.
func (s *Store) holding(target string, subject netip.Prefix) *holding {
	all := s.held[target]
	if all == nil {
		return nil
	}
	return find(&all.View, subject)
}

func find(all *sorted.View[holding], subject netip.Prefix) *holding {
	e := row.EntryOf(subject)
	return all.Find(func(h *holding) int { return h.Subject.Compare(e) })
}

// Note implements edgeban.Ledger. A note that says nothing new of any subject
// is a repetition, and tells nobody.
func (s *Store) Note(ctx context.Context, hs []edgeban.Held, notices []edgeban.Notice) error {
	for _, h := range hs {
		if !h.Subject.IsValid() {
			return fmt.Errorf("note: %s: an entry needs a subject", h.Target)
		}
	}
	d := afterKill
	if slices.ContainsFunc(hs, func(h edgeban.Held) bool { return !h.Sent.IsZero() && h.Held.IsZero() && h.Released.IsZero() }) {
		d = afterBlackout // an intent: without it the entry would be somebody else's
	}
	return s.change(ctx, d, func(_ context.Context, c *change) error {
		fresh := map[string]map[netip.Prefix]edgeban.Held{}
		for _, h := range hs {
			h = row.Normal(h).(edgeban.Held)
			known, ok := fresh[h.Target][h.Subject]
			if last := s.holding(h.Target, h.Subject); !ok && last != nil {
				known = last.Held(h.Target)
			}
			if h == known {
				continue
			}
			if fresh[h.Target] == nil {
				fresh[h.Target] = map[netip.Prefix]edgeban.Held{}
			}
			fresh[h.Target][h.Subject] = h
			c.add(h)
		}
		if len(c.events) > 0 || len(hs) == 0 {
			c.tell(notices)
		}
		return nil
	})
}

// hold remembers what was said of an entry last.
func (s *Store) hold(seq edgeban.Seq, h edgeban.Held) {
	if s.held[h.Target] == nil {
		s.held[h.Target] = newHoldings()
	}
	this := holding{row.CompactHeldOf(h), seq}
	*s.held[h.Target].Edit(this) = this
	s.widths.Note(h.Subject)
}

// A heldView is what was known of a target's entries at one moment.
type heldView struct {
	target string
	all    *sorted.View[holding]
	n      int // of those that are not released
}

// Holdings implements edgeban.Ledger.
func (s *Store) Holdings(ctx context.Context, target string) (edgeban.Holdings, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	all := newHoldings()
	if known := s.held[target]; known != nil {
		all = known
	}
	v := heldView{target: target, all: all.Freeze()}
	s.mu.Unlock()
	for h := range v.all.All() {
		if !h.Released() {
			v.n++
		}
	}
	return v, nil
}

// Len implements edgeban.Holdings.
func (v heldView) Len() int { return v.n }

// All implements edgeban.Holdings.
func (v heldView) All() iter.Seq[edgeban.Held] {
	return func(yield func(edgeban.Held) bool) {
		for h := range v.all.All() {
			if !h.Released() && !yield(h.Held(v.target)) {
				return
			}
		}
	}
}

// Of implements edgeban.Holdings.
func (v heldView) Of(subject netip.Prefix) (edgeban.Held, bool) {
	h := find(v.all, subject)
	if h == nil || h.Released() {
		return edgeban.Held{}, false
	}
	return h.Held(v.target), true
}

// Around returns what is known of the entries of all targets that contain an
// address, released ones left out.
func (s *Store) Around(ctx context.Context, a netip.Addr) (held []edgeban.Held, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range s.widths.Around(a) {
		for target := range s.held {
			if h := s.holding(target, p); h != nil && !h.Released() {
				held = append(held, h.Held(target))
			}
		}
	}
	return held, ctx.Err()
}

// forgetHeld drops a released entry that was pruned, unless it was noted since.
func (s *Store) forgetHeld(target string, subject netip.Prefix, seq edgeban.Seq) {
	if h := s.holding(target, subject); h != nil && h.seq == seq {
		s.held[target].Drop(func(other *holding) int { return other.Subject.Compare(h.Subject) })
	}
}

func (s *Store) loadHeld(ctx context.Context) error {
	_, err := row.List(ctx, s.file, func(r row.Scanner) (none struct{}, err error) {
		e, err := row.Held(r)
		if h, ok := e.Fact.(edgeban.Held); ok && err == nil {
			s.hold(e.Seq, h)
		}
		return none, err
	}, `select `+row.HeldColumns+` from held order by seq`) // the last note of each counts; to ask for only these takes longer than to read all
	for _, all := range s.held {
		all.Pack()
	}
	return err
}
