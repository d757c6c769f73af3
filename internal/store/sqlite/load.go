package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/edgeban/edgeban/internal/store/sqlite/file"
	"github.com/edgeban/edgeban/internal/store/sqlite/row"
	"github.com/edgeban/edgeban/internal/store/sqlite/tail"
)

// load reads into memory what is kept there.
func (s *Store) load(ctx context.Context) error {
	err := s.file.Writer.QueryRowContext(ctx, `select seq, notice, latest, lost, pinned, exists (select 1 from match) from head`).
		Scan(&s.head.seq, &s.head.notice, row.IntoTime(&s.head.latest), &s.lost, &s.pinned, &s.unpacked)
	if err != nil {
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("%w: it has no head", file.ErrDamaged)
		}
		return err
	}
	s.saved, s.all, s.decided = s.head.seq, tail.New(s.head.seq), tail.New(s.head.seq)
	for _, f := range []func(context.Context) error{s.loadBans, s.loadHeld, s.loadOutbox, s.loadCursors, s.loadSnapshots} {
		if err := f(ctx); err != nil {
			return err
		}
	}
	return nil
}
