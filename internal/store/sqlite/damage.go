package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/edgeban/edgeban/internal/store/sqlite/row"
)

var errDamaged = errors.New("the file is damaged")

// missing returns errDamaged if there was a ledger and now there is nothing: to
// begin in silence would let go of all that targets hold.
func missing(path string, known bool) error {
	fi, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist) && known:
		return fmt.Errorf("%w: it is gone", errDamaged)
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case fi.Size() == 0 && known:
		return fmt.Errorf("%w: it is empty", errDamaged)
	case fi.Size() > 0 && fi.Size() < 100: // SQLite takes a piece of a header for a new file
		return fmt.Errorf("%w: it has only %d bytes", errDamaged, fi.Size())
	}
	return nil
}

// damaged reports whether the file is at fault, rather than the disk.
func damaged(err error) bool {
	return errors.Is(err, errDamaged) || errors.Is(err, row.ErrUnreadable) || code(err) == lib.SQLITE_CORRUPT || code(err) == lib.SQLITE_NOTADB
}

// code returns SQLite's primary code of an error, or -1.
func code(err error) int {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e.Code() & 0xff
	}
	return -1
}

// beginAgain sets a damaged file aside and begins a new one that remembers it.
func (s *Store) beginAgain(why error) error {
	when := s.o.Now
	if fi, err := os.Stat(s.path); when.IsZero() && err == nil {
		when = fi.ModTime()
	}
	aside, err := setAside(s.path, when)
	if err != nil {
		return errors.Join(why, err)
	}
	if err := s.begin(); err != nil {
		return err
	}
	s.log.Error("the ledger was damaged: a new one is begun, and nothing is removed from any target until `edgeban adopt`",
		"path", s.path, "aside", aside, "err", why)
	s.lost = sql.NullInt64{Int64: when.UnixNano(), Valid: true}
	if err := s.setLost(context.Background(), s.lost); err != nil {
		return errors.Join(err, s.disconnect())
	}
	return nil
}

// setAside renames a ledger and what belongs to it, the file itself first: a
// log without its file does no harm, a file without its log has forgotten.
func setAside(path string, when time.Time) (string, error) {
	aside := path + ".damaged-" + when.UTC().Format("20060102T150405Z")
	for n := 2; ; n++ {
		if _, err := os.Lstat(aside); errors.Is(err, os.ErrNotExist) {
			break
		}
		aside = path + ".damaged-" + when.UTC().Format("20060102T150405Z") + "-" + strconv.Itoa(n)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
	}
	return aside, syncDir(path)
}

// syncDir makes the names beside path survive a loss of power.
func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
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
	return s.transact(ctx, afterBlackout, func() error {
		_, err := s.exec(ctx, `update head set lost = ?`, lost)
		return err
	})
}
