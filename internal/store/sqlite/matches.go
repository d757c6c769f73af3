package sqlite

import (
	"context"
	"slices"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/store/sqlite/page"
	"github.com/edgeban/edgeban/internal/store/sqlite/row"
)

type cursor struct {
	stream
	to    string
	again bool // it was moved to where it may have been before: what follows may be known
	end   bool
}

// Record implements edgeban.Ledger.
func (s *Store) Record(ctx context.Context, b edgeban.Batch) error {
	return s.change(ctx, afterKill, func(ctx context.Context, c *change) error {
		at := s.cursorAt(stream{b.Source, b.Stream})
		known := s.recorded(ctx, b, at)
		batch := make(map[string]struct{}, len(b.Matches))
		for _, m := range b.Matches {
			if _, twice := batch[m.ID]; twice || known[m.ID] {
				continue
			}
			batch[m.ID] = struct{}{}
			c.add(m)
		}
		if b.End || b.To != "" {
			again := at.again || at.to != "" && at.to != b.From && at.to != b.To
			c.cursor = &cursor{at.stream, b.To, again, b.End}
		}
		if len(c.events) == 0 && s.cursorSaved(c.cursor) {
			c.cursor = nil
		}
		return nil
	})
}

// recorded returns the IDs of the batch's matches that are there already: none if
// it was read on from the cursor. A disk that cannot tell makes them new: better
// counted twice than not at all.
func (s *Store) recorded(ctx context.Context, b edgeban.Batch, at cursor) map[string]bool {
	if len(b.Matches) == 0 || at.to != "" && at.to == b.From && at.to != b.To && !at.again {
		return nil
	}
	known, ids := map[string]bool{}, make([]string, 0, len(b.Matches))
	for _, m := range b.Matches {
		if _, ok := s.waiting[m.ID]; ok {
			known[m.ID] = true
			continue
		}
		ids = append(ids, m.ID)
	}
	if err := page.Mark(ctx, s.file, ids, known); err != nil {
		s.refused(err)
	}
	if s.unpacked {
		if err := page.MarkRows(ctx, s.file, ids, known); err != nil {
			s.refused(err)
		}
	}
	return known
}

// cursorAt returns the last cursor of a stream, be it on disk or in the queue.
func (s *Store) cursorAt(at stream) cursor {
	for _, c := range slices.Backward(s.queue) {
		if c.cursor == nil || c.cursor.stream != at {
			continue
		}
		if c.cursor.end {
			return cursor{stream: at}
		}
		return *c.cursor
	}
	if c, ok := s.cursors[at]; ok {
		return c
	}
	return cursor{stream: at}
}

// cursorSaved reports whether the disk has the cursor already, and nothing
// that waits would change it.
func (s *Store) cursorSaved(c *cursor) bool {
	if c == nil || len(s.queue) > 0 {
		return c == nil
	}
	at, ok := s.cursors[c.stream]
	return c.end && !ok || !c.end && ok && at == *c
}

// Cursors implements edgeban.Cursors.
func (s *Store) Cursors(ctx context.Context, source string) (map[string]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]string{}
	for at, c := range s.cursors {
		if at.source == source {
			out[at.stream] = c.to
		}
	}
	return out, nil
}

func (s *Store) loadCursors(ctx context.Context) error {
	all, err := row.List(ctx, s.file, func(r row.Scanner) (c cursor, err error) {
		err = r.Scan(&c.source, &c.stream.stream, &c.to, &c.again)
		return c, err
	}, `select source, stream, pos, again from cursor`)
	if err != nil {
		return err
	}
	for _, c := range all {
		s.cursors[c.stream] = c
	}
	return nil
}
