package sqlite

import (
	"context"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/store/sqlite/page"
	"github.com/edgeban/edgeban/internal/store/sqlite/row"
)

// pack packs the matches of before there were pages.
func (p pruning) pack(ctx context.Context) error {
	s := p.s
	for more := true; more; {
		err := p.alone(ctx, func(ctx context.Context) error {
			if more = s.unpacked; !more {
				return nil
			}
			return s.rewrite(ctx, func(ctx context.Context) (err error) {
				s.unpacked, err = s.pages.PackRows(ctx, pruneRows)
				return err
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// old forgets the matches that are too old, but for the evidence of bans.
func (p pruning) old(ctx context.Context) error {
	before := p.before(p.r.Matches)
	if !before.Valid {
		return nil
	}
	firsts, err := row.List(ctx, p.s.file.Readers, scanSeq, `select first from page where oldest < ? and first <= ? order by first`, before, p.judged)
	for _, first := range firsts {
		if err != nil {
			break
		}
		err = p.thin(ctx, first, func(m edgeban.Match) bool { return !m.Time.IsZero() && m.Time.UnixNano() < before.Int64 })
	}
	return err
}

// big forgets the oldest matches if there are too many, and an eighth more: a
// flood would have it begin again at once.
func (p pruning) big(ctx context.Context) error {
	used, err := p.s.Used(ctx)
	if err != nil || p.r.Size <= 0 || used <= p.r.Size {
		return err
	}
	firsts, err := row.List(ctx, p.s.file.Readers, scanSeq, `select first from page where first <= ? order by first`, p.judged)
	for _, first := range firsts {
		if err == nil {
			used, err = p.s.Used(ctx)
		}
		if err != nil || used <= p.r.Size-p.r.Size/8 {
			break
		}
		err = p.thin(ctx, first, nil)
	}
	return err
}

// thin forgets those matches of a page that may go, nil for all, unless they are
// evidence or some jail has not judged them.
func (p pruning) thin(ctx context.Context, first edgeban.Seq, may func(edgeban.Match) bool) error {
	s := p.s
	return p.alone(ctx, func(ctx context.Context) error {
		gone := map[edgeban.Seq]bool{}
		bare, _ := claims(&s.bans.View, s.bare)
		err := s.rewrite(ctx, func(ctx context.Context) error {
			pinned, err := s.pinnedIn(ctx, first)
			if err != nil {
				return err
			}
			if may == nil && len(pinned) == 0 {
				if dropped, err := s.pages.Drop(ctx, first, min(p.judged, s.all.Covered), bare); err != nil || dropped {
					return err
				}
			}
			return s.pages.Thin(ctx, first, func(e edgeban.Event) bool {
				goes := e.Seq <= p.judged && (may == nil || may(e.Fact.(edgeban.Match))) && !pinned[e.Seq] && len(bare.Of(e)) == 0
				if goes {
					gone[e.Seq] = true
				}
				return goes
			})
		})
		if err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.forgetEvents(func(e edgeban.Event) bool { return gone[e.Seq] })
		return nil
	})
}

// pinnedIn returns which matches of a page are evidence of a ban.
func (s *Store) pinnedIn(ctx context.Context, first edgeban.Seq) (map[edgeban.Seq]bool, error) {
	seqs, err := row.List(ctx, s.file, scanSeq, `select match from evidence join page on match between first and last where first = ?`, first)
	pinned := make(map[edgeban.Seq]bool, len(seqs))
	for _, seq := range seqs {
		pinned[seq] = true
	}
	return pinned, err
}

// rewrite changes pages in a transaction.
func (s *Store) rewrite(ctx context.Context, f func(context.Context) error) error {
	err := s.file.Transact(ctx, func() error { return f(ctx) })
	if err != nil {
		s.pages.Undone()
	}
	return err
}

// join makes one page of small ones, where matches between them went.
func (p pruning) join(ctx context.Context) error {
	s := p.s
	runs, err := page.Small(ctx, s.file.Readers)
	for _, r := range runs {
		if err != nil {
			break
		}
		err = p.alone(ctx, func(ctx context.Context) error {
			return s.rewrite(ctx, func(ctx context.Context) error { return s.pages.Join(ctx, r.First, r.Last) })
		})
	}
	return err
}
