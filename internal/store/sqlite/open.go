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
	"path/filepath"
	"sync"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/store/lease"
	"github.com/edgeban/edgeban/internal/store/sqlite/file"
	"github.com/edgeban/edgeban/internal/store/sqlite/known"
	"github.com/edgeban/edgeban/internal/store/sqlite/page"
	"github.com/edgeban/edgeban/internal/store/sqlite/row"
	"github.com/edgeban/edgeban/internal/store/sqlite/tail"
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

	file *file.File

	// writing is held by whoever changes anything, also while the disk works.
	writing  sync.Mutex
	queue    []change // what the disk has not taken yet, in order
	waiting  map[string]struct{}
	squeeze  int       // the length of the queue at which it is squeezed
	tried    time.Time // when the queue was last tried
	closed   bool
	gens     map[string]int64 // of the snapshots' parts
	gen      int64            // the last one given
	pages    *page.Table
	unpacked bool // the table match has rows still

	// mu guards what is below, and is never held while the disk works. It is
	// changed under both locks, so whoever holds one may read it.
	mu        sync.Mutex
	head      head
	saved     edgeban.Seq // the last event on disk
	all       *tail.Tail  // of all events
	decided   *tail.Tail  // of bans and lifts: who follows those is not told of a flood of matches
	bans      known.Bans
	pinned    edgeban.Seq              // the bans up to here have their evidence in its table
	bare      []known.Place            // those after that, in order
	held      map[string]known.Entries // by target
	widths    row.Widths               // of all in held
	notices   []edgeban.Notice
	told      map[string]edgeban.Seq
	cursors   map[stream]cursor      // on disk
	snapshots map[string]edgeban.Seq // where each was taken
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
// it. A damaged file is set aside beside it and a new one is begun, or a copy
// without the rows that cannot be read: see Lost.
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
	if err = file.Missing(path, lock.Known); err == nil {
		err = s.begin()
	}
	if errors.Is(err, row.ErrUnreadable) {
		err = s.salvage(err)
	}
	if file.Damaged(err) {
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
	s.file = nil
	s.waiting = map[string]struct{}{}
	s.squeeze = queueLen
	s.gens, s.gen = map[string]int64{}, 0
	s.bans, s.bare = known.NewBans(), nil
	s.held = map[string]known.Entries{}
	s.told = map[string]edgeban.Seq{}
	s.cursors = map[stream]cursor{}
	s.snapshots = map[string]edgeban.Seq{}

	var err error
	if s.file, err = file.Open(ctx, s.path); err != nil {
		return err
	}
	s.pages = page.NewTable(s.file)
	if err := s.load(ctx); err != nil {
		return errors.Join(err, s.file.Close())
	}
	return nil
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
	return errors.Join(unwritten, s.file.Close(), s.lock.Close())
}
