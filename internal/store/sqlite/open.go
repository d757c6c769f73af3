// Package sqlite keeps the ledger, the cursors, the leases and the outbox of one
// node in one file.
//
// It is the only writer of the file, and keeps in memory what deciding and
// enforcing need: the bans, what targets hold, the notices, the last events. A
// dead disk therefore stops nothing. It decides nothing, and takes every time
// that it stores from its caller.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/store/lease"
)

// Options are what a Store needs to know beyond its path.
type Options struct {
	Log        *slog.Logger // nil to be silent
	Now        time.Time    // the time of opening: it dates a file that is found damaged
	Node       string       // named in bans that name no node
	MaxPending int          // how many matches wait in memory while the disk refuses; 0 for 100,000
}

const maxPending = 100_000

// A Store is all that one node remembers.
type Store struct {
	lease.Names

	path string
	o    Options
	log  *slog.Logger
	lock *lease.File

	db   *sql.DB   // the writer's; one connection
	conn *sql.Conn // that connection
	r    *sql.DB   // the readers'

	// writing is held by whoever changes anything, also while the disk works.
	writing  sync.Mutex
	prepared map[string]*sql.Stmt
	queue    []change // what the disk has not taken yet, in order
	waiting  map[string]struct{}
	squeeze  int       // the length of the queue at which it is squeezed
	tried    time.Time // when the queue was last tried
	closed   bool

	// mu guards what is below, and is never held while the disk works. It is
	// changed under both locks, so whoever holds one may read it.
	mu        sync.Mutex
	head      head
	saved     edgeban.Seq     // the last event on disk
	tail      []edgeban.Event // the events after covered; its elements never change
	covered   edgeban.Seq
	bans      map[edgeban.Key][]*imposed
	held      map[string]map[netip.Prefix]holding // by target
	notices   []edgeban.Notice
	told      map[string]edgeban.Seq
	cursors   map[stream]string      // on disk
	snapshots map[string]edgeban.Seq // where each was taken
	wakes     map[chan struct{}]struct{}
	trouble   error
	lost      sql.NullInt64
}

// A head is where the ledger stands.
type head struct {
	seq    edgeban.Seq
	notice edgeban.Seq
	latest time.Time
}

type stream struct{ source, stream string }

var (
	_ edgeban.Ledger  = (*Store)(nil)
	_ edgeban.Lease   = (*Store)(nil)
	_ edgeban.Cursors = (*Store)(nil)
	_ edgeban.Archive = (*Store)(nil)
	_ edgeban.Pruner  = (*Store)(nil)
	_ edgeban.Outbox  = (*Store)(nil)
)

// Open opens the ledger at path, or begins one. One process at a time may have
// it. A damaged file is set aside beside it and a new one is begun: see Lost.
func Open(path string, o Options) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	if o.MaxPending <= 0 {
		o.MaxPending = maxPending
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	lock, err := lease.Take(path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("ledger %s: %w", path, err)
	}
	s := &Store{path: path, o: o, log: o.Log, lock: lock}
	if err = missing(path, lock.Known); err == nil {
		err = s.begin()
	}
	if damaged(err) {
		err = s.beginAgain(err)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("ledger %s: %w", path, err), lock.Close())
	}
	if err := lock.Sign(); err != nil { // a full disk is no reason not to start
		s.log.Warn("the lock of the ledger does not name this process", "path", path, "err", err)
	}
	return s, nil
}

// begin opens the file and reads into memory what it holds.
func (s *Store) begin() error {
	ctx := context.Background()
	s.db, s.conn, s.r, s.prepared = nil, nil, nil, map[string]*sql.Stmt{}
	s.waiting = map[string]struct{}{}
	s.squeeze = queueLen
	s.bans = map[edgeban.Key][]*imposed{}
	s.held = map[string]map[netip.Prefix]holding{}
	s.told = map[string]edgeban.Seq{}
	s.cursors = map[stream]string{}
	s.snapshots = map[string]edgeban.Seq{}
	s.wakes = map[chan struct{}]struct{}{}

	err := s.connect(ctx)
	for _, f := range []func(context.Context) error{s.check, s.prepareFile, s.migrate, s.load} {
		if err == nil {
			err = f(ctx)
		}
	}
	if err != nil {
		return errors.Join(err, s.disconnect())
	}
	return nil
}

// connect opens the two pools, and changes nothing yet. The writer waits for
// nobody: nobody else writes, and a wait inside of SQLite would sleep with a
// lock held.
func (s *Store) connect(ctx context.Context) (err error) {
	f, err := os.OpenFile(s.path, os.O_RDWR|os.O_CREATE, 0o600) // SQLite would let everybody read it
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return err
	}
	name := "file:" + (&url.URL{Path: s.path}).EscapedPath()
	s.db, err = sql.Open("sqlite", name+"?_pragma=busy_timeout(0)")
	if err != nil {
		return err
	}
	s.db.SetMaxOpenConns(1)
	if s.conn, err = s.db.Conn(ctx); err != nil {
		return err
	}
	s.r, err = sql.Open("sqlite", name+"?_pragma=busy_timeout(5000)&_pragma=query_only(1)")
	if err != nil {
		return err
	}
	s.r.SetMaxIdleConns(4)
	return nil
}

// prepareFile says how the file is kept. The first pragma is only heard before
// there is a table, and writes to the file whenever it is said.
func (s *Store) prepareFile(ctx context.Context) error {
	var tables int
	if err := s.conn.QueryRowContext(ctx, `select count(*) from sqlite_schema`).Scan(&tables); err != nil {
		return err
	}
	if tables == 0 {
		if _, err := s.conn.ExecContext(ctx, `pragma auto_vacuum = incremental`); err != nil {
			return err
		}
	}
	var mode string
	if err := s.conn.QueryRowContext(ctx, `pragma journal_mode = wal`).Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return edgeban.Permanent(errors.New("its file system cannot share memory between connections; put it on a local disk"))
	}
	_, err := s.conn.ExecContext(ctx, `pragma synchronous = normal`)
	return err
}

// Close writes what the disk has not taken yet, if it can, and lets the file go.
func (s *Store) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.flush(true)
	var unwritten error
	if n := len(s.queue); n > 0 {
		unwritten = fmt.Errorf("ledger %s: %d changes are lost, the disk did not take them: %w", s.path, n, s.trouble)
	}
	return errors.Join(unwritten, s.disconnect(), s.lock.Close())
}

// disconnect closes the writer last, so that it can fold the log into the file.
func (s *Store) disconnect() (err error) {
	if s.r != nil {
		err = s.r.Close()
	}
	for _, st := range s.prepared {
		err = errors.Join(err, st.Close())
	}
	if s.conn != nil {
		err = errors.Join(err, s.conn.Close())
	}
	if s.db != nil {
		err = errors.Join(err, s.db.Close())
	}
	return err
}
