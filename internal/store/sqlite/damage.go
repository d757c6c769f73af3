package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/edgeban/edgeban/internal/store/sqlite/file"
)

// beginAgain sets a damaged file aside and begins a new one that remembers it.
func (s *Store) beginAgain(why error) error {
	aside, when, err := s.setAside()
	if err != nil {
		return errors.Join(why, err)
	}
	if err := s.begin(); err != nil {
		return err
	}
	s.log.Error("the ledger was damaged: a new one is begun, and nothing is removed from any target until `edgeban adopt`",
		"path", s.path, "aside", aside, "err", why)
	return s.lose(when)
}

// salvage sets a file aside of which some rows cannot be read, and goes on with a copy
// that lacks them: a row must not cost the bans in all others.
func (s *Store) salvage(why error) error {
	aside, when, err := s.setAside()
	if err != nil {
		return errors.Join(why, err)
	}
	gone, err := file.Salvage(context.Background(), aside, s.path)
	if err == nil {
		err = s.begin()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", why, err)
	}
	s.log.Error("rows of the ledger cannot be read and are left out: nothing is removed from any target until `edgeban adopt`",
		"path", s.path, "aside", aside, "rows", gone, "err", why)
	return s.lose(when)
}

func (s *Store) setAside() (aside string, when time.Time, err error) {
	when = s.o.Now
	if fi, err := os.Stat(s.path); when.IsZero() && err == nil {
		when = fi.ModTime()
	}
	aside, err = file.SetAside(s.path, when)
	return aside, when, err
}

// lose writes down that targets may hold what the ledger does not know of.
func (s *Store) lose(when time.Time) error {
	s.lost = sql.NullInt64{Int64: when.UnixNano(), Valid: true}
	if err := s.setLost(context.Background(), s.lost); err != nil {
		return errors.Join(err, s.file.Close())
	}
	return nil
}

// Lost returns when the ledger was found damaged and begun anew, until Found:
// what targets hold may be ours although it says nothing about it.
func (s *Store) Lost() (since time.Time, lost bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.lost.Valid {
		return time.Time{}, false
	}
	return time.Unix(0, s.lost.Int64).UTC(), true
}

// Found says that a person has dealt with the lost ledger.
func (s *Store) Found(ctx context.Context) error {
	return s.alone(ctx, func(ctx context.Context) error {
		if err := s.setLost(ctx, sql.NullInt64{}); err != nil {
			return fmt.Errorf("ledger %s: %w", s.path, err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.lost = sql.NullInt64{}
		return nil
	})
}

func (s *Store) setLost(ctx context.Context, lost sql.NullInt64) error {
	err := s.file.Transact(ctx, func() error {
		_, err := s.file.Exec(ctx, `update head set lost = ?`, lost)
		return err
	})
	if err != nil {
		return err
	}
	return s.file.Sync()
}
