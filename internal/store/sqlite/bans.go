package sqlite

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/store/sqlite/known"
	"github.com/edgeban/edgeban/internal/store/sqlite/row"
)

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
			if b.Cause != 0 && (seen(these, decision{b.Key, b.Cause}) || s.bans.Decided(b.Key, b.Cause)) {
				continue
			}
			c.add(b)
			c.tell(v.Notices)
		}
		return nil
	})
}

// Lift implements edgeban.Ledger.
func (s *Store) Lift(ctx context.Context, l edgeban.Lift) error {
	l.Subject = l.Subject.Masked()
	return s.change(ctx, afterBlackout, func(_ context.Context, c *change) error {
		if !s.bans.Stands(l.Key, l.At) {
			return fmt.Errorf("lift %s in %s: %w", l.Subject, l.Jail, edgeban.ErrNotFound)
		}
		c.add(l)
		return nil
	})
}

// remember takes in a ban, which is later than all others.
func (s *Store) remember(b row.CompactBan) {
	s.bans.Edit(b)
	if b.Seq > s.pinned {
		s.bare = append(s.bare, known.PlaceOf(&b))
	}
}

// Standing implements edgeban.Ledger.
func (s *Store) Standing(ctx context.Context, t time.Time) (iter.Seq[edgeban.Ban], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bans.Standing(t), nil
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
