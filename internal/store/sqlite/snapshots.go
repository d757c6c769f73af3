package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/store/sqlite/file"
	"github.com/edgeban/edgeban/internal/store/sqlite/row"
)

type snapshot struct {
	edgeban.Snapshot
	latest time.Time // of all events when it was taken: the age of a jail that is no more
	gen    int64     // of its parts; 0 where it has none
}

const partLen = 256 << 10 // bytes of a snapshot that are written at once: others wait for no more

// Snapshot implements edgeban.Ledger. One of an earlier place than that which
// is kept changes nothing.
func (s *Store) Snapshot(ctx context.Context, sn edgeban.Snapshot) error {
	gen, err := s.writeParts(ctx, sn.State)
	if err != nil {
		gen = 0 // the disk refuses: it waits as a whole
	}
	old := gen
	err = s.change(ctx, afterKill, func(_ context.Context, c *change) error {
		if s.snapshots[sn.Jail] > sn.At {
			return nil
		}
		c.snapshot = &snapshot{sn, s.head.latest, gen}
		c.tell(sn.Notices)
		old, s.gens[sn.Jail] = s.gens[sn.Jail], gen
		return nil
	})
	s.dropParts(ctx, old)
	return err
}

// writeParts writes a large state in steps, between which others write, and
// returns its gen.
func (s *Store) writeParts(ctx context.Context, state []byte) (gen int64, err error) {
	if len(state) <= partLen {
		return 0, nil
	}
	n := 0
	for part := range slices.Chunk(state, partLen) {
		err := s.alone(ctx, func(ctx context.Context) error {
			if n == 0 {
				s.gen++
				gen = s.gen
			}
			return s.file.AddPart(ctx, gen, n, part)
		})
		if err == nil {
			err = s.file.Sync() // else who imposes a ban would wait for all of it
		}
		if err != nil {
			return 0, err
		}
		n++
	}
	return gen, nil
}

// dropParts removes what a newer snapshot took the place of, in steps. What it
// leaves goes when the file is opened.
func (s *Store) dropParts(ctx context.Context, gen int64) {
	for more := gen > 0; more; {
		err := s.alone(ctx, func(ctx context.Context) (err error) {
			if len(s.queue) > 0 { // the newer one may not be on disk
				more = false
				return nil
			}
			more, err = s.file.DropPart(ctx, gen)
			return err
		})
		more = more && err == nil
	}
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
			sn.State, sn.Notices = slices.Clone(sn.State), nil
			return sn, nil
		}
	}
	sn := edgeban.Snapshot{Jail: jail}
	var gen int64
	err := s.file.Readers.QueryRowContext(ctx, `select at, state, gen from snapshot where jail = ?`, jail).Scan(&sn.At, &sn.State, &gen)
	if err == nil && gen > 0 {
		sn.State, err = s.file.Parts(ctx, gen)
	}
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return edgeban.Snapshot{}, fmt.Errorf("snapshot of %s: %w", jail, edgeban.ErrNotFound)
	case err != nil:
		return edgeban.Snapshot{}, fmt.Errorf("snapshot of %s: %w", jail, err)
	}
	return sn, nil
}

func (s *Store) loadSnapshots(ctx context.Context) error {
	if err := s.file.DropLost(ctx); file.Damaged(err) {
		return err // but a full disk is no reason not to start
	}
	all, err := row.List(ctx, s.file, func(r row.Scanner) (sn snapshot, err error) {
		err = r.Scan(&sn.Jail, &sn.At, &sn.gen)
		return sn, err
	}, `select jail, at, gen from snapshot`)
	if err != nil {
		return err
	}
	for _, sn := range all {
		s.snapshots[sn.Jail], s.gens[sn.Jail], s.gen = sn.At, sn.gen, max(s.gen, sn.gen)
	}
	return nil
}
