package sqlite

import (
	"context"
	"database/sql"
	"math"
	"slices"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/store/sqlite/row"
)

type told struct {
	notifier string
	through  edgeban.Seq
}

// Post implements edgeban.Outbox.
func (s *Store) Post(ctx context.Context, notices []edgeban.Notice) error {
	return s.change(ctx, afterKill, func(_ context.Context, c *change) error {
		c.tell(notices)
		return nil
	})
}

// Pending implements edgeban.Outbox.
func (s *Store) Pending(ctx context.Context, notifier string, limit int) ([]edgeban.Notice, error) {
	if err := s.meet(ctx, notifier); err != nil {
		return nil, err
	}
	wake, done := s.subscribe(s.all)
	defer done()
	for {
		if ns := s.untold(notifier, max(limit, 1)); len(ns) > 0 {
			return ns, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-wake:
		}
	}
}

// meet starts a notifier that was never seen before at the end, for good: after
// a restart it must not start at another end.
func (s *Store) meet(ctx context.Context, notifier string) error {
	s.mu.Lock()
	_, known := s.told[notifier]
	s.mu.Unlock()
	if known {
		return ctx.Err()
	}
	return s.change(ctx, afterKill, func(_ context.Context, c *change) error {
		if _, known := s.told[notifier]; !known {
			c.told = &told{notifier, s.head.notice}
		}
		return nil
	})
}

func (s *Store) untold(notifier string, limit int) []edgeban.Notice {
	s.mu.Lock()
	defer s.mu.Unlock()
	through := s.told[notifier]
	i := 0
	for i < len(s.notices) && s.notices[i].ID <= through {
		i++
	}
	ns := s.notices[i:]
	return slices.Clone(ns[:min(limit, len(ns))])
}

// Told implements edgeban.Outbox.
func (s *Store) Told(ctx context.Context, notifier string, through edgeban.Seq) error {
	return s.change(ctx, afterKill, func(_ context.Context, c *change) error {
		at, known := s.told[notifier]
		if !known || through > s.head.notice { // what is still to come is not told yet
			through = s.head.notice
		}
		if !known || at < through {
			c.told = &told{notifier, through}
		}
		return nil
	})
}

// everybody returns the place up to which all known notifiers have told.
func (s *Store) everybody() edgeban.Seq {
	least := edgeban.Seq(math.MaxInt64)
	for _, through := range s.told {
		least = min(least, through)
	}
	return least
}

// forgetTold drops what all known notifiers have told.
func (s *Store) forgetTold() {
	least := s.everybody()
	s.notices = slices.DeleteFunc(s.notices, func(n edgeban.Notice) bool { return n.ID <= least })
}

// forgetNotices drops what is older than a time.
func (s *Store) forgetNotices(before sql.NullInt64) {
	s.notices = slices.DeleteFunc(s.notices, func(n edgeban.Notice) bool {
		return before.Valid && !n.Time.IsZero() && n.Time.UnixNano() < before.Int64
	})
}

func (s *Store) loadOutbox(ctx context.Context) error {
	all, err := row.List(ctx, s.file, func(r row.Scanner) (t told, err error) {
		err = r.Scan(&t.notifier, &t.through)
		return t, err
	}, `select notifier, through from told`)
	if err != nil {
		return err
	}
	for _, t := range all {
		s.told[t.notifier] = t.through
	}
	s.notices, err = row.List(ctx, s.file, row.Notice, `select `+row.NoticeColumns+` from notice where id > ? order by id`, s.everybody())
	return err
}
