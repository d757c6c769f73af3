package sqlite

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/store/sqlite/row"
)

// A holding is what was said last of one subject at one target. Released ones
// are remembered too, to know a repetition.
type holding struct {
	row.CompactHeld
	seq edgeban.Seq
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
			if last, noted := s.held[h.Target][h.Subject]; !ok && noted {
				known = last.Held(h.Target, h.Subject)
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
		s.held[h.Target] = map[netip.Prefix]holding{}
	}
	s.held[h.Target][h.Subject] = holding{row.CompactHeldOf(h), seq}
	s.widths.Note(h.Subject)
}

// Holdings implements edgeban.Ledger. They come in no order.
func (s *Store) Holdings(ctx context.Context, target string) ([]edgeban.Held, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]edgeban.Held, 0, len(s.held[target]))
	for subject, h := range s.held[target] {
		if !h.Released() {
			out = append(out, h.Held(target, subject))
		}
	}
	return out, nil
}

// Around returns what is known of the entries of all targets that contain an
// address, released ones left out.
func (s *Store) Around(ctx context.Context, a netip.Addr) (held []edgeban.Held, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range s.widths.Around(a) {
		for target, all := range s.held {
			if h, ok := all[p]; ok && !h.Released() {
				held = append(held, h.Held(target, p))
			}
		}
	}
	return held, ctx.Err()
}

// forgetHeld drops a released entry that was pruned, unless it was noted since.
func (s *Store) forgetHeld(target string, subject netip.Prefix, seq edgeban.Seq) {
	if s.held[target][subject].seq == seq {
		delete(s.held[target], subject)
	}
}

func (s *Store) loadHeld(ctx context.Context) error {
	words := row.Words{}
	_, err := row.List(ctx, s.file, func(r row.Scanner) (none struct{}, err error) {
		e, err := row.Held(r)
		if h, ok := e.Fact.(edgeban.Held); ok && err == nil {
			h.Target = words.One(h.Target)
			s.hold(e.Seq, h)
		}
		return none, err
	}, `select `+row.HeldColumns+` from held where seq in (select max(seq) from held group by subject, target)`)
	return err
}
