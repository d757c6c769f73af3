package sqlite

import (
	"bytes"
	"testing"

	"github.com/edgeban/edgeban"
)

// A kill while a large snapshot is written must leave the one before, and nothing
// of its own.
func TestUnfinishedSnapshotIsNone(t *testing.T) {
	b := newBench(t, Options{})
	large := func(fill byte) []byte { return bytes.Repeat([]byte{fill}, 3*partLen+1) }
	parts := func() (n int) {
		b.must(b.file.Writer.QueryRowContext(t.Context(), "select count(*) from part").Scan(&n))
		return n
	}
	b.must(b.Snapshot(t.Context(), edgeban.Snapshot{Jail: "sshd", At: 1, State: large('a')}))
	_, err := b.writeParts(t.Context(), large('b'))
	b.must(err)
	b.want("parts of both", parts(), 8)
	for range 2 {
		b.must(b.Close())
		b.open()
		b.want("parts of one", parts(), 4)
		sn, err := b.Restore(t.Context(), "sshd")
		b.must(err)
		b.want("the first comes back", bytes.Equal(sn.State, large('a')), true)
	}
	b.must(b.Snapshot(t.Context(), edgeban.Snapshot{Jail: "sshd", At: 0, State: large('c')})) // late
	b.want("parts when a late one has come", parts(), 4)
	b.must(b.Snapshot(t.Context(), edgeban.Snapshot{Jail: "sshd", At: 2, State: []byte("small")}))
	b.want("parts of a small one", parts(), 0)
	b.must(b.Close())
}

// While the disk refuses the last snapshot on it stays whole.
func TestSnapshotThatWaitsLeavesTheOneOnDisk(t *testing.T) {
	b := newBench(t, Options{})
	large := bytes.Repeat([]byte("state"), partLen)
	b.must(b.Snapshot(t.Context(), edgeban.Snapshot{Jail: "sshd", At: 1, State: large}))
	b.pragma("query_only = 1")
	newer := append(large, "newer"...)
	b.must(b.Snapshot(t.Context(), edgeban.Snapshot{Jail: "sshd", At: 2, State: newer}))
	sn, err := b.Restore(t.Context(), "sshd")
	b.must(err)
	b.want("the newer one is known", bytes.Equal(sn.State, newer), true)
	if err := b.Close(); err == nil {
		t.Error("what waits was lost, and nobody says so")
	}
	b.open()
	sn, err = b.Restore(t.Context(), "sshd")
	b.must(err)
	b.want("the one on disk", bytes.Equal(sn.State, large), true)
	b.must(b.Close())
}
