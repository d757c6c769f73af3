package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/store/sqlite/row"
)

type snapshot struct {
	edgeban.Snapshot
	latest time.Time // of all events when it was taken: the age of a jail that is no more
}

// Snapshot implements edgeban.Ledger. One of an earlier place than that which
// is kept changes nothing.
func (s *Store) Snapshot(ctx context.Context, sn edgeban.Snapshot) error {
	return s.change(ctx, afterKill, func(_ context.Context, c *change) error {
		if s.snapshots[sn.Jail] > sn.At {
			return nil
		}
		c.snapshot = &snapshot{sn, s.head.latest}
		return nil
	})
}

// Restore implements edgeban.Ledger.
func (s *Store) Restore(ctx context.Context, jail string) (edgeban.Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return edgeban.Snapshot{}, err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.closed {
		return edgeban.Snapshot{}, s.errClosed()
	}
	for _, c := range slices.Backward(s.queue) {
		if c.snapshot != nil && c.snapshot.Jail == jail {
			sn := c.snapshot.Snapshot
			sn.State = slices.Clone(sn.State)
			return sn, nil
		}
	}
	sn := edgeban.Snapshot{Jail: jail}
	err := s.file.Readers.QueryRowContext(ctx, `select at, state from snapshot where jail = ?`, jail).Scan(&sn.At, &sn.State)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return edgeban.Snapshot{}, fmt.Errorf("snapshot of %s: %w", jail, edgeban.ErrNotFound)
	case err != nil:
		return edgeban.Snapshot{}, fmt.Errorf("snapshot of %s: %w", jail, err)
	}
	return sn, nil
}

func (s *Store) loadSnapshots(ctx context.Context) error {
	all, err := row.List(ctx, s.file, func(r row.Scanner) (sn edgeban.Snapshot, err error) {
		err = r.Scan(&sn.Jail, &sn.At)
		return sn, err
	}, `select jail, at from snapshot`)
	if err != nil {
		return err
	}
	for _, sn := range all {
		s.snapshots[sn.Jail] = sn.At
	}
	return nil
}
