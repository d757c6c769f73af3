package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/store/sqlite/page"
	"github.com/edgeban/edgeban/internal/store/sqlite/row"
)

const (
	tailLen = 4096   // how many of the last events are kept in memory at least
	tailMax = 65_536 // and how many for a watcher that is behind: the disk would hold it up more
	pageLen = 1000   // how many places are read from the disk at once, and told at once
)

// Watch implements edgeban.Ledger. A watcher that keeps up is served from
// memory; one that is behind reads the disk, and an error of the disk ends it.
func (s *Store) Watch(ctx context.Context, after edgeban.Seq) iter.Seq2[[]edgeban.Event, error] {
	return func(yield func([]edgeban.Event, error) bool) {
		wake, done := s.subscribe()
		defer done()
		for ctx.Err() == nil {
			events, through, err := s.next(ctx, wake, after)
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

// subscribe returns a channel that gets a value after every change. The waiter
// makes it, not the store: so a store that was opened outside of a bubble of
// testing/synctest works inside of it.
func (s *Store) subscribe() (wake chan struct{}, done func()) {
	ch := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wakes[ch] = math.MaxInt64
	return ch, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.wakes, ch)
	}
}

// next returns some events after a place, and the place up to which they are all.
func (s *Store) next(ctx context.Context, wake chan struct{}, after edgeban.Seq) ([]edgeban.Event, edgeban.Seq, error) {
	s.mu.Lock()
	s.wakes[wake] = after
	covered, tail, head := s.covered, s.tail, s.head.seq
	s.mu.Unlock()
	if after < covered {
		return s.page(ctx, after, covered)
	}
	if tail = tail[upTo(tail, after):]; len(tail) > pageLen {
		return tail[:pageLen:pageLen], tail[pageLen-1].Seq, nil
	}
	return slices.Clip(tail), max(after, head), nil
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
	upto = min(upto, first.V+pageLen-1)
	events, err := page.Between(ctx, s.file.Readers, first.V, upto)
	if err != nil {
		return nil, 0, err
	}
	for _, kind := range []struct {
		query string
		scan  func(row.Scanner) (edgeban.Event, error)
	}{
		{`select ` + row.MatchColumns + ` from match`, row.Match},
		{`select ` + row.BanColumns + ` from ban`, row.Ban},
		{`select ` + row.LiftColumns + ` from lift`, row.Lift},
		{`select ` + row.HeldColumns + ` from held`, row.Held},
	} {
		some, err := row.List(ctx, s.file.Readers, kind.scan, kind.query+` where seq between ? and ?`, first.V, upto)
		if err != nil {
			return nil, 0, err
		}
		events = append(events, some...)
	}
	slices.SortFunc(events, func(a, b edgeban.Event) int { return cmp.Compare(a.Seq, b.Seq) })
	return events, upto, nil
}

// trim shortens the tail when it has doubled. What the disk has not taken stays,
// and for a while what some watcher was not told.
func (s *Store) trim() {
	if len(s.tail) < 2*tailLen {
		return
	}
	told := edgeban.Seq(math.MaxInt64)
	for _, after := range s.wakes {
		told = min(told, after)
	}
	all := len(s.tail)
	n := min(all-tailLen, max(upTo(s.tail, told), all-tailMax), upTo(s.tail, s.saved))
	if n < tailLen {
		return
	}
	s.covered = s.tail[n-1].Seq
	s.tail = slices.Clone(s.tail[n:]) // watchers may still be reading the old one
}

// upTo returns how many events there are up to a place.
func upTo(tail []edgeban.Event, seq edgeban.Seq) int {
	i, _ := slices.BinarySearchFunc(tail, seq+1, func(e edgeban.Event, seq edgeban.Seq) int { return cmp.Compare(e.Seq, seq) })
	return i
}

// forgetEvents drops events out of the tail.
func (s *Store) forgetEvents(gone func(edgeban.Event) bool) {
	if slices.ContainsFunc(s.tail, gone) {
		s.tail = slices.DeleteFunc(slices.Clone(s.tail), gone)
	}
}

// Head implements edgeban.Ledger.
func (s *Store) Head(ctx context.Context) (edgeban.Seq, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head.seq, s.head.latest, ctx.Err()
}

func scanSeq(r row.Scanner) (seq edgeban.Seq, err error) { return seq, r.Scan(&seq) }
