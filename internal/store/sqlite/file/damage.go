package file

import (
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

// ErrDamaged is what is wrong with a file that cannot be trusted.
var ErrDamaged = errors.New("the file is damaged")

// Missing returns ErrDamaged if there was a ledger and now there is nothing: to
// begin in silence would let go of all that targets hold.
func Missing(path string, known bool) error {
	fi, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist) && known:
		return fmt.Errorf("%w: it is gone", ErrDamaged)
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case fi.Size() == 0 && known:
		return fmt.Errorf("%w: it is empty", ErrDamaged)
	case fi.Size() > 0 && fi.Size() < 100: // SQLite takes a piece of a header for a new file
		return fmt.Errorf("%w: it has only %d bytes", ErrDamaged, fi.Size())
	}
	return nil
}

// Damaged reports whether the file is at fault, rather than the disk.
func Damaged(err error) bool {
	return errors.Is(err, ErrDamaged) || errors.Is(err, row.ErrUnreadable) || Code(err) == lib.SQLITE_CORRUPT || Code(err) == lib.SQLITE_NOTADB
}

// Code returns SQLite's primary code of an error, or -1.
func Code(err error) int {
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return e.Code() & 0xff
	}
	return -1
}

// WayOut says what a person can do about an error.
func WayOut(err error) string {
	switch Code(err) {
	case lib.SQLITE_FULL:
		return "free space on its disk"
	case lib.SQLITE_READONLY, lib.SQLITE_PERM, lib.SQLITE_CANTOPEN:
		return "make it and its folder writable for this user"
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return "restart edgeban, which sets a damaged file aside"
	}
	return "look after its disk"
}

// SetAside renames a ledger and what belongs to it, the file itself first: a
// log without its file does no harm, a file without its log has forgotten.
func SetAside(path string, when time.Time) (string, error) {
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
