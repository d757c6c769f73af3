package sqlite

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/sorted"
	"github.com/edgeban/edgeban/internal/store/sqlite/row"
)

// Bans are remembered by subject, those of one subject in their order. But for the
// mark of one that was lifted they never change.
func newBans() *sorted.Table[row.CompactBan] {
	return sorted.NewTable(func(a, b *row.CompactBan) int { return placeOf(b).order(a) })
}

// A place is where a ban is remembered.
type place struct {
	subject row.Entry
	seq     edgeban.Seq
}

func placeOf(b *row.CompactBan) place { return place{b.Subject, b.Seq} }

// order says where a ban is from p.
func (p place) order(b *row.CompactBan) int {
	if c := b.Subject.Compare(p.subject); c != 0 {
		return c
	}
	return cmp.Compare(b.Seq, p.seq)
}

// Impose implements edgeban.Ledger.
func (s *Store) Impose(ctx context.Context, vs ...edgeban.Verdict) error {
	for _, v := range vs {
		if !v.Subject.IsValid() {
			return fmt.Errorf("impose: %s: a ban needs a subject", v.Jail)
		}
	}
	return s.change(ctx, afterBlackout, func(_ context.Context, c *change) error {
		type decision struct {
			edgeban.Key
			cause edgeban.Seq
		}
		these := map[decision]bool{}
		for _, v := range vs {
			b := v.Ban
			b.Subject = b.Subject.Masked()
			b.Node = cmp.Or(b.Node, s.o.Node)
			if b.Cause != 0 && (seen(these, decision{b.Key, b.Cause}) || s.decided(b.Key, b.Cause)) {
				continue
			}
			c.add(b)
			c.tell(v.Notices)
		}
		return nil
	})
}

// decided reports whether there is a ban of a key and a cause.
func (s *Store) decided(k edgeban.Key, cause edgeban.Seq) bool {
	for b := range s.bansOf(k) {
		if b.Cause == cause {
			return true
		}
	}
	return false
}

// stands reports whether any ban of a key does at t.
func (s *Store) stands(k edgeban.Key, t time.Time) bool {
	for b := range s.bansOf(k) {
		if better(b, nil, t) {
			return true
		}
	}
	return false
}

// Lift implements edgeban.Ledger.
func (s *Store) Lift(ctx context.Context, l edgeban.Lift) error {
	l.Subject = l.Subject.Masked()
	return s.change(ctx, afterBlackout, func(_ context.Context, c *change) error {
		if !s.stands(l.Key, l.At) {
			return fmt.Errorf("lift %s in %s: %w", l.Subject, l.Jail, edgeban.ErrNotFound)
		}
		c.add(l)
		return nil
	})
}

// bansOf yields the bans of one key, oldest first.
func (s *Store) bansOf(k edgeban.Key) iter.Seq[*row.CompactBan] {
	return func(yield func(*row.CompactBan) bool) {
		subject := row.EntryOf(k.Subject)
		for b := range s.bans.From(place{subject, 0}.order) {
			if b.Subject != subject || b.Jail() == k.Jail && !yield(b) {
				return
			}
		}
	}
}

// remember takes in a ban, which is later than all others.
func (s *Store) remember(b row.CompactBan) {
	s.bans.Edit(b)
	if b.Seq > s.pinned {
		s.bare = append(s.bare, placeOf(&b))
	}
}

// lift marks every ban of k that is there.
func (s *Store) lift(k edgeban.Key) {
	for _, b := range slices.Collect(s.bansOf(k)) {
		s.bans.Edit(*b).Lifted = true
	}
}

// better reports whether b stands at t, and ends later than another one of its key, if any.
func better(b, than *row.CompactBan, t time.Time) bool {
	return !b.Lifted && b.Standing(t) && (than == nil || b.Outlasts(than))
}

// Standing implements edgeban.Ledger.
func (s *Store) Standing(ctx context.Context, t time.Time) (iter.Seq[edgeban.Ban], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	all := s.bans.Freeze()
	s.mu.Unlock()
	return func(yield func(edgeban.Ban) bool) {
		var best []*row.CompactBan // of each jail, for one subject
		for b := range all.All() {
			if len(best) > 0 && best[0].Subject != b.Subject {
				if !yieldAll(best, yield) {
					return
				}
				best = best[:0]
			}
			i := slices.IndexFunc(best, func(other *row.CompactBan) bool { return other.Jail() == b.Jail() })
			switch {
			case i < 0 && better(b, nil, t):
				best = append(best, b)
			case i >= 0 && better(b, best[i], t):
				best[i] = b
			}
		}
		yieldAll(best, yield)
	}, nil
}

func yieldAll(bans []*row.CompactBan, yield func(edgeban.Ban) bool) bool {
	for _, b := range bans {
		if !yield(b.Ban()) {
			return false
		}
	}
	return true
}

func (s *Store) loadBans(ctx context.Context) error {
	lifted, err := row.List(ctx, s.file, scanSeq, `select seq from ban where lifted is not null`)
	if err != nil {
		return err
	}
	marks := make(map[edgeban.Seq]bool, len(lifted))
	for _, seq := range lifted {
		marks[seq] = true
	}
	_, err = row.List(ctx, s.file, func(r row.Scanner) (none struct{}, err error) {
		e, err := row.Ban(r)
		if b, ok := e.Fact.(edgeban.Ban); ok && err == nil {
			c := row.CompactBanOf(e.Seq, b)
			c.Lifted = marks[e.Seq]
			s.remember(c)
		}
		return none, err
	}, `select `+row.BanColumns+` from ban order by seq`)
	s.bans.Pack()
	return err
}
