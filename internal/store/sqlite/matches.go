package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/store/sqlite/row"
)

type cursor struct {
	stream
	to  string
	end bool
}

// Record implements edgeban.Ledger.
func (s *Store) Record(ctx context.Context, b edgeban.Batch) error {
	return s.change(ctx, afterKill, func(ctx context.Context, c *change) error {
		batch := make(map[string]struct{}, len(b.Matches))
		for _, m := range b.Matches {
			if _, twice := batch[m.ID]; twice || s.recorded(ctx, m.ID) {
				continue
			}
			batch[m.ID] = struct{}{}
			c.add(m)
		}
		if b.End || b.To != "" {
			c.cursor = &cursor{stream{b.Source, b.Stream}, b.To, b.End}
		}
		if len(c.events) == 0 && s.cursorSaved(c.cursor) {
			c.cursor = nil
		}
		return nil
	})
}

// recorded reports whether a match is there already. A disk that cannot tell
// makes it new: better counted twice than not at all.
func (s *Store) recorded(ctx context.Context, id string) bool {
	if _, ok := s.waiting[id]; ok {
		return true
	}
	st, err := s.prepare(ctx, `select 1 from match where id = ?`) //nolint:sqlclosecheck // kept in s.prepared
	if err != nil {
		return false
	}
	var one int
	err = st.QueryRowContext(ctx, id).Scan(&one)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		s.refused(err)
	}
	return err == nil
}

// cursorSaved reports whether the disk has the cursor already, and nothing
// that waits would change it.
func (s *Store) cursorSaved(c *cursor) bool {
	if c == nil || len(s.queue) > 0 {
		return c == nil
	}
	at, ok := s.cursors[c.stream]
	return c.end && !ok || !c.end && ok && at == c.to
}

// Cursors implements edgeban.Cursors.
func (s *Store) Cursors(ctx context.Context, source string) (map[string]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]string{}
	for at, to := range s.cursors {
		if at.source == source {
			out[at.stream] = to
		}
	}
	return out, nil
}

func (s *Store) loadCursors(ctx context.Context) error {
	all, err := row.List(ctx, s.conn, func(r row.Scanner) (c cursor, err error) {
		err = r.Scan(&c.source, &c.stream.stream, &c.to)
		return c, err
	}, `select source, stream, pos from cursor`)
	if err != nil {
		return err
	}
	for _, c := range all {
		s.cursors[c.stream] = c.to
	}
	return nil
}
