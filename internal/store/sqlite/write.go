package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/store/sqlite/file"
	"github.com/edgeban/edgeban/internal/store/sqlite/row"
)

// A change is what one call does to the ledger: all of it is written, or none.
type change struct {
	events   []edgeban.Event
	notices  []edgeban.Notice
	cursor   *cursor
	snapshot *snapshot
	told     *told
	after    head
}

func (c change) empty() bool {
	return len(c.events) == 0 && len(c.notices) == 0 && c.cursor == nil && c.snapshot == nil && c.told == nil
}

func (c *change) add(f edgeban.Fact) { c.events = append(c.events, edgeban.Event{Fact: row.Normal(f)}) }

func (c *change) tell(notices []edgeban.Notice) {
	for _, n := range notices {
		n.Time, n.Until, n.Subject = row.Moment(n.Time), row.Moment(n.Until), n.Subject.Masked()
		c.notices = append(c.notices, n)
	}
}

// A durability is what a change survives once it is told to have succeeded.
type durability bool

const (
	afterKill     durability = false // of this process
	afterBlackout durability = true  // of the machine
)

// change builds a change from what the ledger holds, writes it, and makes it
// known. If the disk refuses it waits in memory, behind those that wait already.
// The caller's context ends a change only before it is begun: half of one never
// happens, and a line in hand at the end is still written.
//
// It is known before it survives a loss of power: nobody needs to wait for the
// disk while others do. What comes of it is written after it, and synced with it.
func (s *Store) change(ctx context.Context, d durability, build func(context.Context, *change) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.alter(context.WithoutCancel(ctx), build); err != nil || d == afterKill {
		return err
	}
	if err := s.file.Sync(); err != nil {
		s.writing.Lock()
		defer s.writing.Unlock()
		s.refused(err)
	}
	return nil
}

func (s *Store) alter(ctx context.Context, build func(context.Context, *change) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.closed {
		return s.errClosed()
	}
	s.flush(false)
	var c change
	if err := build(ctx, &c); err != nil || c.empty() {
		return err
	}
	s.number(&c)
	if len(s.queue) == 0 {
		err := s.write(ctx, c)
		if err == nil {
			s.apply(c, true)
			s.mended()
			return nil
		}
		s.refused(err)
	}
	if err := s.enqueue(c); err != nil {
		return err
	}
	s.apply(c, false)
	return nil
}

func (s *Store) errClosed() error { return fmt.Errorf("ledger %s: it is closed", s.path) }

// number gives the events and the notices of a change their places.
func (s *Store) number(c *change) {
	c.after = s.head
	for i := range c.events {
		c.after.seq++
		c.events[i].Seq = c.after.seq
		if t := row.Latest(c.events[i].Fact); t.After(c.after.latest) {
			c.after.latest = t
		}
	}
	for i := range c.notices {
		c.after.notice++
		c.notices[i].ID = c.after.notice
	}
}

// write puts changes on disk, all or none.
func (s *Store) write(ctx context.Context, cs ...change) error {
	err := s.file.Transact(ctx, func() error {
		for _, c := range cs {
			if err := s.writeOne(ctx, c); err != nil {
				return err
			}
		}
		h := cs[len(cs)-1].after
		_, err := s.file.Exec(ctx, `update head set seq = ?, notice = ?, latest = ?`, h.seq, h.notice, row.Time(h.latest))
		return err
	})
	if err != nil {
		s.pages.Undone()
	}
	return err
}

func (s *Store) writeOne(ctx context.Context, c change) error {
	if err := s.pages.Write(ctx, c.events); err != nil {
		return err
	}
	for _, e := range c.events {
		if _, ok := e.Fact.(edgeban.Match); ok {
			continue
		}
		query, args := row.Insert(e)
		if _, err := s.file.Exec(ctx, query, args...); err != nil {
			return err
		}
		if err := s.follow(ctx, e); err != nil {
			return err
		}
	}
	for _, n := range c.notices {
		query, args := row.InsertNotice(n)
		if _, err := s.file.Exec(ctx, query, args...); err != nil {
			return err
		}
	}
	var err error
	switch {
	case c.cursor == nil:
	case c.cursor.end:
		_, err = s.file.Exec(ctx, `delete from cursor where source = ? and stream = ?`, c.cursor.source, c.cursor.stream.stream)
	default:
		_, err = s.file.Exec(ctx, `insert or replace into cursor (source, stream, pos, again) values (?,?,?,?)`,
			c.cursor.source, c.cursor.stream.stream, c.cursor.to, c.cursor.again)
	}
	if err == nil && c.snapshot != nil {
		state := c.snapshot.State
		if c.snapshot.gen > 0 {
			state = nil // it is there
		}
		_, err = s.file.Exec(ctx, `insert or replace into snapshot (jail, at, latest, state, gen) values (?,?,?,?,?)`,
			c.snapshot.Jail, c.snapshot.At, row.Time(c.snapshot.latest), append([]byte{}, state...), c.snapshot.gen)
	}
	if err == nil && c.told != nil {
		_, err = s.file.Exec(ctx, `insert or replace into told (notifier, through) values (?,?)`, c.told.notifier, c.told.through)
	}
	return err
}

// follow writes what an event does to others.
func (s *Store) follow(ctx context.Context, e edgeban.Event) error {
	l, ok := e.Fact.(edgeban.Lift)
	if !ok {
		return nil
	}
	_, err := s.file.Exec(ctx, `update ban set lifted = coalesce(?, 0) where subject = ? and jail = ? and seq < ? and lifted is null`,
		row.Time(l.At), row.Subject(l.Subject), l.Jail, e.Seq)
	return err
}

// apply makes a change known to everybody.
func (s *Store) apply(c change, written bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var decided []edgeban.Event
	for _, e := range c.events {
		switch f := e.Fact.(type) {
		case edgeban.Ban:
			s.remember(row.CompactBanOf(e.Seq, f))
			decided = append(decided, e)
		case edgeban.Lift:
			s.bans.Lift(f.Key)
			decided = append(decided, e)
		case edgeban.Held:
			s.hold(e.Seq, f)
		}
	}
	s.head = c.after
	s.notices = append(s.notices, c.notices...)
	if c.told != nil {
		s.told[c.told.notifier] = c.told.through
	}
	if c.told != nil || len(c.notices) > 0 {
		s.forgetTold()
	}
	if c.snapshot != nil {
		s.snapshots[c.snapshot.Jail] = c.snapshot.At
	}
	if written {
		s.written(c)
	}
	s.all.Add(c.events, s.saved)
	if len(decided) > 0 {
		s.decided.Add(decided, s.saved)
	}
}

// written notes that the disk has a change, and with it its cursor.
func (s *Store) written(c change) {
	s.saved = c.after.seq
	switch {
	case c.cursor == nil:
	case c.cursor.end:
		delete(s.cursors, c.cursor.stream)
	default:
		s.cursors[c.cursor.stream] = *c.cursor
	}
}

// refused notes that the disk did, and says so once.
func (s *Store) refused(err error) {
	s.tried = time.Now()
	err = fmt.Errorf("ledger %s: %w: %s", s.path, err, file.WayOut(err))
	s.mu.Lock()
	first := s.trouble == nil
	s.trouble = err
	s.mu.Unlock()
	if first {
		s.log.Error("the ledger cannot be written: going on from memory, which a restart forgets", "path", s.path, "err", err)
	}
}

// mended notes that the disk takes all again.
func (s *Store) mended() {
	s.mu.Lock()
	was := s.trouble
	s.trouble = nil
	s.mu.Unlock()
	if was == nil {
		return
	}
	s.log.Info("the ledger is written again, and all that waited with it", "path", s.path)
}

// Trouble returns why the disk does not take what is written, or nil. It tries
// again, so asking now and then mends a ledger in which nothing else happens.
func (s *Store) Trouble() error {
	if s.writing.TryLock() { // else somebody is trying now
		if !s.closed {
			s.flush(false)
		}
		s.writing.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trouble
}
