package file

import (
	"context"
	"os"
)

const (
	foldEvery = 64   // transactions after which the log is folded into the file
	foldPages = 8000 // pages in the log from which on it is to be emptied
)

// Sync returns once all that was written before it survives a loss of power.
// Anybody may call it while others write: SQLite itself would let them wait, and
// each wait alone.
func (f *File) Sync() error {
	n := f.commits.Load()
	f.syncing.Lock()
	defer f.syncing.Unlock()
	if f.synced >= n || f.closed {
		return nil
	}
	n = f.commits.Load() // those that were written meanwhile wait no more
	if f.log == nil {
		log, err := os.Open(f.path + "-wal")
		if err != nil {
			return err
		}
		f.log = log
	}
	if err := f.log.Sync(); err != nil {
		return err
	}
	f.synced = n
	return nil
}

// Fold writes into the file what is in the log, while others write. What they
// write meanwhile stays in the log: if that has grown long, a writer is asked to
// fold the rest, which is next to nothing, and so to let it begin again.
func (f *File) Fold() {
	if !f.folding.TryLock() {
		return
	}
	defer f.folding.Unlock()
	for range 2 {
		var busy, pages, done int
		err := f.Readers.QueryRowContext(context.Background(), `pragma wal_checkpoint(passive)`).Scan(&busy, &pages, &done)
		if err != nil || pages < foldPages {
			return // the next time will do
		}
	}
	f.rest.Store(true)
}

// foldRest folds what is left, if that was asked for.
func (f *File) foldRest(ctx context.Context) {
	if !f.rest.CompareAndSwap(true, false) {
		return
	}
	var busy, pages, done int
	_ = f.Writer.QueryRowContext(ctx, `pragma wal_checkpoint(passive)`).Scan(&busy, &pages, &done) // it will be asked for again
}

// closeLog waits for those who sync and fold. From then on there is nothing to do
// for them: who closes the file folds its log.
func (f *File) closeLog() error {
	f.folding.Lock() // for good
	f.syncing.Lock()
	defer f.syncing.Unlock()
	f.closed = true
	if f.log == nil {
		return nil
	}
	return f.log.Close()
}
