package file

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func open(t *testing.T) *File {
	t.Helper()
	f, err := Open(t.Context(), filepath.Join(t.TempDir(), "edgeban.db"))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// put writes a snapshot of some size.
func put(t *testing.T, f *File, size int) {
	t.Helper()
	err := f.Transact(t.Context(), func() error {
		_, err := f.Exec(t.Context(), `insert or replace into snapshot (jail, at, state) values ('sshd', 1, ?)`, make([]byte, size))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Those who wait for the disk hinder neither who writes nor who closes the file.
func TestSyncWhileOthersWriteAndClose(t *testing.T) {
	f := open(t)
	var wg sync.WaitGroup
	for range 20 * foldEvery { // some of them are followed by a fold
		put(t, f, 100)
		wg.Go(func() {
			n := f.commits.Load()
			if err := f.Sync(); err != nil {
				t.Error(err)
			}
			f.syncing.Lock()
			defer f.syncing.Unlock()
			if f.synced < n && !f.closed {
				t.Errorf("synced up to transaction %d, want %d", f.synced, n)
			}
		})
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if fi, err := os.Stat(f.path + "-wal"); err == nil && fi.Size() > 0 {
		t.Errorf("%d bytes are in the log of a closed file, want none", fi.Size())
	}
}

// The log is folded beside a writer that never pauses, which would keep it from
// ever being empty.
func TestLogIsBoundedWhileWritingNeverEnds(t *testing.T) {
	f := open(t)
	const size, most = 400_000, (4*foldPages + 2000) * 4096
	for range 6 * foldPages * 4096 / size {
		put(t, f, size)
		if fi, err := os.Stat(f.path + "-wal"); err != nil || fi.Size() > most {
			t.Fatalf("the log has %d bytes, %v, want at most %d", fi.Size(), err, most)
		}
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}
