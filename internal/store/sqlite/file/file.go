// Package file is the one file of SQLite's: how it is opened, which tables it has
// in which version, how it is written, and how a damaged one is set aside.
//
// It does not know what the rows mean.
package file

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"sync/atomic"

	_ "modernc.org/sqlite" // the driver

	"github.com/edgeban/edgeban"
)

// A File is open. Its writer is for one at a time, readers are for anybody.
type File struct {
	Writer  *sql.Conn
	Readers *sql.DB

	path     string
	db       *sql.DB // the writer's; one connection
	prepared map[string]*sql.Stmt

	commits atomic.Uint64 // transactions so far
	folding sync.Mutex    // held by whoever folds the log
	rest    atomic.Bool   // a writer is to fold the rest

	syncing sync.Mutex // guards what is below
	synced  uint64     // transactions that survive a loss of power
	log     *os.File   // SQLite's, open to be synced
	closed  bool
}

// Open opens the file at path in the newest version of the schema, or begins one.
func Open(ctx context.Context, path string) (*File, error) {
	f := &File{path: path, prepared: map[string]*sql.Stmt{}}
	err := f.connect(ctx)
	for _, step := range []func(context.Context) error{f.check, f.prepare, f.migrate} {
		if err == nil {
			err = step(ctx)
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// connect opens the two pools, and changes nothing yet. The writer waits for
// nobody: nobody else writes, and a wait inside of SQLite would sleep with a
// lock held.
func (f *File) connect(ctx context.Context) error {
	empty, err := os.OpenFile(f.path, os.O_RDWR|os.O_CREATE, 0o600) // SQLite would let everybody read it
	if err == nil {
		err = empty.Close()
	}
	if err != nil {
		return err
	}
	name := "file:" + (&url.URL{Path: f.path}).EscapedPath()
	f.db, err = sql.Open("sqlite", name+"?_pragma=busy_timeout(0)")
	if err != nil {
		return err
	}
	f.db.SetMaxOpenConns(1)
	if f.Writer, err = f.db.Conn(ctx); err != nil {
		return err
	}
	// Readers read on and on, which a large cache does not help: each has half a MB.
	f.Readers, err = sql.Open("sqlite", name+"?_pragma=busy_timeout(5000)&_pragma=query_only(1)&_pragma=cache_size(-512)")
	if err != nil {
		return err
	}
	f.Readers.SetMaxIdleConns(4)
	return nil
}

// prepare says how the file is kept. The first pragma is only heard before
// there is a table, and writes to the file whenever it is said.
func (f *File) prepare(ctx context.Context) error {
	var tables int
	if err := f.Writer.QueryRowContext(ctx, `select count(*) from sqlite_schema`).Scan(&tables); err != nil {
		return err
	}
	if tables == 0 {
		if _, err := f.Writer.ExecContext(ctx, `pragma auto_vacuum = incremental`); err != nil {
			return err
		}
	}
	var mode string
	if err := f.Writer.QueryRowContext(ctx, `pragma journal_mode = wal`).Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return edgeban.Permanent(errors.New("its file system cannot share memory between connections; put it on a local disk"))
	}
	_, err := f.Writer.ExecContext(ctx, fmt.Sprintf(`pragma synchronous = normal; pragma wal_autocheckpoint = %d`, 4*foldPages))
	return err
}

// Close closes the writer last, so that it can fold the log into the file.
func (f *File) Close() (err error) {
	err = f.closeLog()
	if f.Readers != nil {
		err = errors.Join(err, f.Readers.Close())
	}
	for _, st := range f.prepared {
		err = errors.Join(err, st.Close())
	}
	if f.Writer != nil {
		err = errors.Join(err, f.Writer.Close())
	}
	if f.db != nil {
		err = errors.Join(err, f.db.Close())
	}
	return err
}
