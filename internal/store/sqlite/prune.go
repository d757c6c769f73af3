package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/store/sqlite/known"
	"github.com/edgeban/edgeban/internal/store/sqlite/row"
)

const (
	pruneRows  = 500                // rows that go in one transaction: writers wait for no more
	prunePages = 100                // pages that go back in one transaction
	noticeAge  = 7 * 24 * time.Hour // of what is still untold
)

// Prune implements edgeban.Pruner. A zero age or size is no bound. Notices go
// when everybody has told them, or after a week.
//
// It goes in small steps, between which others write; ctx ends it between two.
func (s *Store) Prune(ctx context.Context, t time.Time, r edgeban.Retention) error {
	s.writing.Lock()
	if !s.closed {
		s.flush(true)
	}
	s.writing.Unlock()
	p := pruning{s: s, t: row.Moment(t), r: r}
	var err error
	if p.judged, err = s.judged(ctx, p.before(r.Bans), r.Jails); err != nil {
		return fmt.Errorf("ledger %s: prune: %w", s.path, err)
	}
	for _, f := range []func(context.Context) error{p.pack, p.pin, p.bans, p.lifts, p.replaced, p.released, p.notices, p.old, p.big, p.join, p.shrink} {
		if err := f(ctx); err != nil {
			return fmt.Errorf("ledger %s: prune: %w", s.path, err)
		}
	}
	return nil
}

// judged returns the last event that the snapshots of all jails that still judge
// have judged. The snapshot of one that is gone, or was not made for as long as
// bans are remembered, does not count: it would keep everything for ever.
func (s *Store) judged(ctx context.Context, gone sql.NullInt64, jails []string) (seq edgeban.Seq, err error) {
	var names any // a list in JSON, or null for all jails
	if jails != nil {
		b, err := json.Marshal(jails)
		if err != nil {
			return 0, err
		}
		names = string(b)
	}
	err = s.alone(ctx, func(ctx context.Context) error {
		return s.file.Writer.QueryRowContext(ctx, `select coalesce(min(at), ?1) from snapshot where coalesce(latest >= ?2, true)
			and (?3 is null or jail in (select value from json_each(?3)))`, int64(math.MaxInt64), gone, names).Scan(&seq)
	})
	return seq, err
}

type pruning struct {
	s      *Store
	t      time.Time
	r      edgeban.Retention
	judged edgeban.Seq
}

// before returns the time before which what has an age may go; nothing for no age.
func (p pruning) before(age time.Duration) sql.NullInt64 {
	if age <= 0 || p.t.IsZero() {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: row.Moment(p.t.Add(-age)).UnixNano(), Valid: true}
}

// A grave names a row that went.
type grave struct {
	seq     edgeban.Seq
	name    string // of the jail or target
	subject netip.Prefix
}

func scanGrave(r row.Scanner) (g grave, err error) {
	err = r.Scan(&g.seq, &g.name, row.IntoSubject(&g.subject))
	return g, err
}

// steps deletes rows until none are left, some at a time.
func (p pruning) steps(ctx context.Context, forget func(grave), query string, args ...any) error {
	for {
		graves, err := p.step(ctx, forget, query, args...)
		if err != nil || len(graves) < pruneRows {
			return err
		}
	}
}

// step deletes some rows and forgets them.
func (p pruning) step(ctx context.Context, forget func(grave), query string, args ...any) (graves []grave, err error) {
	s := p.s
	err = p.alone(ctx, func(ctx context.Context) error {
		err := s.file.Transact(ctx, func() (err error) {
			graves, err = row.List(ctx, s.file, scanGrave, query, args...)
			return err
		})
		if err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		seqs := make(map[edgeban.Seq]bool, len(graves))
		for _, g := range graves {
			seqs[g.seq] = true
			forget(g)
		}
		s.forgetEvents(func(e edgeban.Event) bool { return seqs[e.Seq] })
		return nil
	})
	return graves, err
}

// alone runs f while nobody else writes.
func (s *Store) alone(ctx context.Context, f func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.closed {
		return s.errClosed()
	}
	return f(context.WithoutCancel(ctx))
}

// alone runs a step of a pruning while nobody else writes. For twice as long it then leaves
// the ledger to those who do: in a flood, in which there is most to prune, each ban is
// written in several steps, too, and would wait at each.
func (p pruning) alone(ctx context.Context, f func(context.Context) error) error {
	var took time.Duration
	err := p.s.alone(ctx, func(ctx context.Context) error {
		began := time.Now()
		defer func() { took = time.Since(began) }()
		return f(ctx)
	})
	select {
	case <-time.After(2 * took):
	case <-ctx.Done():
	}
	return err
}

// bans forgets the bans that ended long ago. One that was lifted ended then.
func (p pruning) bans(ctx context.Context) error {
	forget := func(g grave) { p.s.bans.Drop(known.Place{Subject: row.EntryOf(g.subject), Seq: g.seq}.Order) }
	return p.steps(ctx, forget, `delete from ban where seq in (select seq from ban where seq <= ?1
		and min(coalesce(lifted, until), coalesce(until, lifted)) < ?2 limit ?3) returning seq, jail, subject`,
		p.judged, p.before(p.r.Bans), pruneRows)
}

func (p pruning) lifts(ctx context.Context) error {
	return p.steps(ctx, func(grave) {}, `delete from lift where seq in (select seq from lift where seq <= ?1
		and coalesce(at, 0) < ?2 limit ?3) returning seq, jail, subject`, p.judged, p.before(p.r.Bans), pruneRows)
}

// replaced forgets the notes that a later one of the same stay replaced. It goes
// through all notes, some at a time, lest those that stay are looked at again and
// again.
func (p pruning) replaced(ctx context.Context) error {
	for from := edgeban.Seq(0); ; {
		ends, err := row.List(ctx, p.s.file.Readers, scanSeq, `select seq from (select seq from held where seq > ? and seq <= ? order by seq limit ?)
			order by seq desc limit 1`, from, p.judged, pruneRows)
		if err != nil || len(ends) == 0 {
			return err
		}
		_, err = p.step(ctx, func(grave) {}, `delete from held where seq > ?1 and seq <= ?2 and released is null
			and exists (select 1 from held n where n.subject = held.subject and n.target = held.target and n.seq > held.seq)
			returning seq, target, subject`, from, ends[0])
		if err != nil {
			return err
		}
		from = ends[0]
	}
}

// released forgets the stays that ended long ago.
func (p pruning) released(ctx context.Context) error {
	forget := func(g grave) { p.s.entries(g.name).Forget(g.subject, g.seq) }
	return p.steps(ctx, forget, `delete from held where seq in (select seq from held where seq <= ?1 and released < ?2 limit ?3)
		returning seq, target, subject`, p.judged, p.before(p.r.Bans), pruneRows)
}

// notices forgets what everybody has told, and what nobody will tell any more.
func (p pruning) notices(ctx context.Context) error {
	s, old := p.s, p.before(noticeAge)
	return p.alone(ctx, func(ctx context.Context) error {
		err := s.file.Transact(ctx, func() error {
			_, err := s.file.Exec(ctx, `delete from notice where id <= ? or time < ?`, s.everybody(), old)
			return err
		})
		if err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.forgetNotices(old)
		return nil
	})
}

// shrink gives back the space that is free, but for an eighth, which is needed
// again soon.
func (p pruning) shrink(ctx context.Context) error {
	s := p.s
	for more := true; more; {
		err := p.alone(ctx, func(ctx context.Context) error {
			used, free, err := s.file.Size(ctx)
			if more = free > used/8; err != nil || !more {
				return err
			}
			return s.file.GiveBack(ctx, prunePages)
		})
		if err != nil {
			return err
		}
	}
	s.file.Fold()
	if err := p.alone(ctx, s.file.FoldLog); err != nil { // a reader at work hinders it; the next time will do
		return err
	}
	return p.alone(ctx, s.file.Shrink)
}

// Used returns how many bytes of the file are used.
func (s *Store) Used(ctx context.Context) (used int64, err error) {
	err = s.alone(ctx, func(ctx context.Context) error {
		used, _, err = s.file.Size(ctx)
		return err
	})
	return used, err
}
