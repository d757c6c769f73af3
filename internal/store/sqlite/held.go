package sqlite

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/store/sqlite/known"
	"github.com/edgeban/edgeban/internal/store/sqlite/row"
)

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
			before, ok := fresh[h.Target][h.Subject]
			if last := s.entries(h.Target).Last(h.Subject); !ok && last != nil {
				before = last.Held(h.Target)
			}
			if h == before {
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

// entries returns what is known of those of a target.
func (s *Store) entries(target string) known.Entries {
	all, ok := s.held[target]
	if !ok {
		all = known.NewEntries()
	}
	return all
}

// hold remembers what was said of an entry last.
func (s *Store) hold(seq edgeban.Seq, h edgeban.Held) {
	all := s.entries(h.Target)
	all.Note(seq, h)
	s.held[h.Target] = all
	s.widths.Note(h.Subject)
}

// Holdings implements edgeban.Ledger.
func (s *Store) Holdings(ctx context.Context, target string) (edgeban.Holdings, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.entries(target).Holdings(target), nil
}

// Around returns what is known of the entries of all targets that contain an
// address, released ones left out.
func (s *Store) Around(ctx context.Context, a netip.Addr) (held []edgeban.Held, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range s.widths.Around(a) {
		for target, all := range s.held {
			if h := all.Last(p); h != nil && !h.Released() {
				held = append(held, h.Held(target))
			}
		}
	}
	return held, ctx.Err()
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
