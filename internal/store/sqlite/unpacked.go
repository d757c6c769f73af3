package sqlite

import (
	"context"

	"github.com/edgeban/edgeban/internal/store/sqlite/row"
)

// Before there were pages each match was a row. To pack them all while a file is
// opened would take long; Prune does it, some at a time.

// unpackedIDs marks those of the IDs that are in a row.
func (s *Store) unpackedIDs(ctx context.Context, ids []string, known map[string]bool) error {
	for _, id := range ids {
		found, err := row.List(ctx, s.file, scanSeq, `select seq from match where id = ?`, id)
		if err != nil {
			return err
		}
		if len(found) > 0 {
			known[id] = true
		}
	}
	return nil
}

// pack makes pages of the rows, the oldest first.
func (p pruning) pack(ctx context.Context) error {
	s := p.s
	for more := true; more; {
		err := s.alone(ctx, func(ctx context.Context) error {
			if more = s.unpacked; !more {
				return nil
			}
			return s.rewrite(ctx, s.packSome)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// packSome packs the oldest rows.
func (s *Store) packSome(ctx context.Context) error {
	events, err := row.List(ctx, s.file, row.Match, `select `+row.MatchColumns+` from match order by seq limit ?`, pruneRows)
	if err != nil {
		return err
	}
	if err := s.pages.Insert(ctx, events); err != nil {
		return err
	}
	if len(events) < pruneRows {
		s.unpacked = false
		_, err = s.file.Exec(ctx, `delete from match`)
		return err
	}
	_, err = s.file.Exec(ctx, `delete from match where seq <= ?`, events[len(events)-1].Seq)
	return err
}
