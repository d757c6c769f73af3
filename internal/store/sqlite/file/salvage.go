package file

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/edgeban/edgeban/internal/store/sqlite/row"
)

// Salvage copies the sound file at from, which nobody has open, to where there is
// none, without the rows that cannot be read, and returns how many these are.
func Salvage(ctx context.Context, from, to string) (gone int, err error) {
	private, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // SQLite would let everybody read it
	if err == nil {
		err = private.Close()
	}
	if err != nil {
		return 0, err
	}
	err = on(from, func(db *sql.DB) error {
		_, err := db.ExecContext(ctx, `vacuum into ?`, to)
		return err
	})
	if err != nil {
		return 0, err
	}
	err = on(to, func(db *sql.DB) (err error) {
		gone, err = sweep(ctx, db)
		return err
	})
	if err != nil {
		return 0, err
	}
	return gone, syncDir(to)
}

// on does something with a file, and closes it.
func on(path string, do func(*sql.DB) error) error {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath())
	if err != nil {
		return err
	}
	return errors.Join(do(db), db.Close())
}

// sweep deletes the rows that cannot be read. Of these the key, which comes first, can.
func sweep(ctx context.Context, db *sql.DB) (gone int, err error) {
	for _, t := range []struct {
		name, key, columns string
		read               func(row.Scanner) (key int64, err error)
	}{
		{"ban", "seq", row.BanColumns, func(r row.Scanner) (int64, error) { e, err := row.Ban(r); return int64(e.Seq), err }},
		{"lift", "seq", row.LiftColumns, func(r row.Scanner) (int64, error) { e, err := row.Lift(r); return int64(e.Seq), err }},
		{"held", "seq", row.HeldColumns, func(r row.Scanner) (int64, error) { e, err := row.Held(r); return int64(e.Seq), err }},
		{"notice", "id", row.NoticeColumns, func(r row.Scanner) (int64, error) { n, err := row.Notice(r); return int64(n.ID), err }},
	} {
		var keys []int64
		_, err := row.List(ctx, db, func(r row.Scanner) (none struct{}, err error) {
			key, err := t.read(r)
			if errors.Is(err, row.ErrUnreadable) {
				keys, err = append(keys, key), nil
			}
			return none, err
		}, `select `+t.columns+` from `+t.name)
		for _, key := range keys {
			if err == nil {
				_, err = db.ExecContext(ctx, `delete from `+t.name+` where `+t.key+` = ?`, key)
			}
		}
		if err != nil {
			return 0, fmt.Errorf("%s: %w", t.name, err)
		}
		gone += len(keys)
	}
	return gone, nil
}
