package sqlite

import (
	"context"
	"database/sql"
	"iter"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/store/sqlite/page"
	"github.com/edgeban/edgeban/internal/store/sqlite/row"
	"github.com/edgeban/edgeban/internal/store/sqlite/tail"
)

// Watch implements edgeban.Ledger. A watcher that keeps up is served from
// memory; one that is behind reads the disk, and an error of the disk ends it.
func (s *Store) Watch(ctx context.Context, after edgeban.Seq) iter.Seq2[[]edgeban.Event, error] {
	return s.watch(ctx, s.all, after, s.page)
}

// Decisions implements edgeban.Ledger, as Watch does.
func (s *Store) Decisions(ctx context.Context, after edgeban.Seq) iter.Seq2[[]edgeban.Event, error] {
	return s.watch(ctx, s.decided, after, s.decisions)
}

// A reader reads events after a place from the disk, up to another at most, and
// returns the place up to which they are all.
type reader func(ctx context.Context, after, upto edgeban.Seq) ([]edgeban.Event, edgeban.Seq, error)

func (s *Store) watch(ctx context.Context, t *tail.Tail, after edgeban.Seq, read reader) iter.Seq2[[]edgeban.Event, error] {
	return func(yield func([]edgeban.Event, error) bool) {
		wake, done := s.subscribe(t)
		defer done()
		for ctx.Err() == nil {
			events, through, err := s.next(ctx, t, wake, after, read)
			if err != nil {
				if ctx.Err() == nil {
					yield(nil, err)
				}
				return
			}
			if len(events) > 0 && !yield(events, nil) {
				return
			}
			if through > after {
				after = through
				continue
			}
			select {
			case <-ctx.Done():
			case <-wake:
			}
		}
	}
}

// subscribe returns a channel that gets a value after every change of a tail.
func (s *Store) subscribe(t *tail.Tail) (wake chan struct{}, done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := t.Subscribe()
	return ch, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		t.Unsubscribe(ch)
	}
}

// next returns some events after a place, and the place up to which they are all.
func (s *Store) next(ctx context.Context, t *tail.Tail, wake chan struct{}, after edgeban.Seq, read reader) ([]edgeban.Event, edgeban.Seq, error) {
	s.mu.Lock()
	t.Told(wake, after)
	covered, head := t.Covered, s.head.seq
	var events []edgeban.Event
	all := true
	if after >= covered {
		events, all = t.Next(after)
	}
	s.mu.Unlock()
	switch {
	case after < covered:
		return read(ctx, after, covered)
	case !all:
		return events, events[len(events)-1].Seq, nil
	}
	return events, max(after, head), nil
}

// decisions reads bans and lifts.
func (s *Store) decisions(ctx context.Context, after, upto edgeban.Seq) ([]edgeban.Event, edgeban.Seq, error) {
	events, err := row.Events(ctx, s.file.Readers, row.Decisions, `where seq > ?1 and seq <= ?2 order by seq limit ?3`, after, upto, tail.Page)
	if len(events) > tail.Page {
		events = events[:tail.Page]
	}
	if len(events) == tail.Page {
		upto = events[tail.Page-1].Seq
	}
	return events, upto, err
}

// page reads events after a place from the disk, up to another at most.
func (s *Store) page(ctx context.Context, after, upto edgeban.Seq) ([]edgeban.Event, edgeban.Seq, error) {
	// The next one may be far away: what was between is pruned.
	var first sql.Null[edgeban.Seq]
	err := s.file.Readers.QueryRowContext(ctx, `select min(seq) from (
		select ?1 + 1 seq from page where first = (select max(first) from page where first <= ?1) and last > ?1 union all
		select min(first) from page where first > ?1 union all
		select min(seq) from match where seq > ?1 union all select min(seq) from ban where seq > ?1 union all
		select min(seq) from lift where seq > ?1 union all select min(seq) from held where seq > ?1)`, after).Scan(&first)
	if err != nil {
		return nil, 0, err
	}
	if !first.Valid || first.V > upto {
		return nil, upto, nil
	}
	upto = min(upto, first.V+tail.Page-1)
	events, err := page.Between(ctx, s.file.Readers, first.V, upto)
	if err != nil {
		return nil, 0, err
	}
	rows, err := row.Events(ctx, s.file.Readers, row.Everything, `where seq between ?1 and ?2`, first.V, upto)
	if err != nil {
		return nil, 0, err
	}
	events = append(events, rows...)
	row.Sort(events)
	return events, upto, nil
}

// forgetEvents drops events that nobody is to be told any more.
func (s *Store) forgetEvents(gone func(edgeban.Event) bool) {
	s.all.Forget(gone)
	s.decided.Forget(gone)
}

// Head implements edgeban.Ledger.
func (s *Store) Head(ctx context.Context) (edgeban.Seq, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head.seq, s.head.latest, ctx.Err()
}

func scanSeq(r row.Scanner) (seq edgeban.Seq, err error) { return seq, r.Scan(&seq) }
