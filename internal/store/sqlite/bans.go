package sqlite

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/store/sqlite/row"
)

// imposed is a ban as it is remembered. All but its mark never changes.
type imposed struct {
	row.CompactBan
	seq    edgeban.Seq
	lifted bool
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
			again := func(old *imposed) bool { return old.Cause == b.Cause }
			if b.Cause != 0 && (seen(these, decision{b.Key, b.Cause}) || slices.ContainsFunc(s.bans[b.Key], again)) {
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
		if _, ok := last(s.bans[l.Key], l.At); !ok {
			return fmt.Errorf("lift %s in %s: %w", l.Subject, l.Jail, edgeban.ErrNotFound)
		}
		c.add(l)
		return nil
	})
}

// remember takes in a ban, which is later than all others.
func (s *Store) remember(b *imposed) {
	s.bans[b.Key] = append(s.bans[b.Key], b)
	if b.seq > s.pinned {
		s.bare = append(s.bare, b)
	}
}

// lift marks every ban of k that is there.
func (s *Store) lift(k edgeban.Key) {
	for i := range s.bans[k] {
		s.bans[k][i].lifted = true
	}
}

// last returns, of the bans of one key, the one that stands at t and ends last.
func last(bans []*imposed, t time.Time) (best *imposed, ok bool) {
	for _, b := range bans {
		if !b.lifted && b.Standing(t) && (!ok || b.Outlasts(&best.CompactBan)) {
			best, ok = b, true
		}
	}
	return best, ok
}

// Standing implements edgeban.Ledger. The oldest ban comes first.
func (s *Store) Standing(ctx context.Context, t time.Time) (iter.Seq[edgeban.Ban], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	standing := make([]*imposed, 0, len(s.bans))
	for _, all := range s.bans {
		if b, ok := last(all, t); ok {
			standing = append(standing, b)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(standing, func(a, b *imposed) int { return cmp.Compare(a.seq, b.seq) })
	return func(yield func(edgeban.Ban) bool) {
		for _, b := range standing {
			if !yield(b.Ban()) {
				return
			}
		}
	}, nil
}

// forgetBan drops a ban that was pruned.
func (s *Store) forgetBan(k edgeban.Key, seq edgeban.Seq) {
	left := slices.DeleteFunc(s.bans[k], func(b *imposed) bool { return b.seq == seq })
	if len(left) == 0 {
		delete(s.bans, k)
		return
	}
	s.bans[k] = left
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
	words := row.Words{}
	_, err = row.List(ctx, s.file, func(r row.Scanner) (none struct{}, err error) {
		e, err := row.Ban(r)
		if b, ok := e.Fact.(edgeban.Ban); ok && err == nil {
			b.Jail = words.One(b.Jail)
			s.remember(&imposed{CompactBan: row.CompactBanOf(b), seq: e.Seq, lifted: marks[e.Seq]})
		}
		return none, err
	}, `select `+row.BanColumns+` from ban order by seq`)
	return err
}
