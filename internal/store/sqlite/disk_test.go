package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	lib "modernc.org/sqlite/lib"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/store/sqlite/file"
	"github.com/edgeban/edgeban/internal/store/sqlite/tail"
)

// These tests make SQLite itself refuse, on the connection that writes: what
// happens is what happens when a disk is full or turned read-only, but for the
// kernel's part, which refuse_test.go adds. They live in bubbles, so that the
// second for which a disk is left alone passes at once.

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

func batch(from, n int, to string) edgeban.Batch {
	b := edgeban.Batch{Source: "mail", Stream: "a", To: to, Read: noon}
	for i := range n {
		a := netip.AddrFrom4([4]byte{192, 0, byte((from + i) / 256), byte(from + i)})
		b.Matches = append(b.Matches, edgeban.Match{
			ID: fmt.Sprint(from + i), Jail: "sshd", Kind: edgeban.Failure, Addr: a, Subject: netip.PrefixFrom(a, 32), Count: 1,
			Time: noon.Add(time.Duration(from+i) * time.Second), User: "root", Text: strings.Repeat("x", 300),
		})
	}
	return b
}

func banOf(i int) edgeban.Ban {
	a := netip.AddrFrom4([4]byte{198, 51, byte(i / 256), byte(i)})
	return edgeban.Ban{Key: edgeban.Key{Jail: "sshd", Subject: netip.PrefixFrom(a, 32)}, Since: noon, Until: noon.Add(time.Hour), Failures: 5, Nth: 1, Cause: edgeban.Seq(i + 1), Node: "n1"}
}

// A bench is a store in a bubble.
type bench struct {
	*testing.T
	*Store
	path string
	said bytes.Buffer
	o    Options
}

func newBench(t *testing.T, o Options) *bench {
	b := &bench{T: t, path: filepath.Join(t.TempDir(), "edgeban.db")}
	o.Log = slog.New(slog.NewTextHandler(&b.said, nil))
	b.o = o
	b.open()
	return b
}

func (b *bench) open() {
	b.Helper()
	s, err := Open(b.path, b.o)
	b.must(err)
	b.Store = s
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) pragma(p string) {
	b.Helper()
	_, err := b.file.Writer.ExecContext(b.Context(), "pragma "+p)
	b.must(err)
}

// events counts what a watcher is told up to the head, each place once.
func (b *bench) events() (n int) {
	b.Helper()
	head, _, err := b.Head(b.Context())
	b.must(err)
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
	defer cancel()
	var last edgeban.Seq
	for e, err := range edgeban.Each(b.Watch(ctx, 0)) {
		b.must(err)
		if e.Seq <= last {
			b.Fatalf("place %d after %d", e.Seq, last)
		}
		n++
		if last = e.Seq; last == head {
			break
		}
	}
	return n
}

func (b *bench) want(what string, got, want any) {
	b.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		b.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func (b *bench) cursor() string {
	b.Helper()
	c, err := b.Cursors(b.Context(), "mail")
	b.must(err)
	return c["a"]
}

// goesOn does one of everything, and wants all to succeed while nothing is saved.
func (b *bench) goesOn() {
	b.Helper()
	ctx := b.Context()
	b.must(b.Record(ctx, batch(100, 50, "150")))
	b.must(b.Record(ctx, batch(100, 50, "150"))) // read again: its cursor is unsaved
	b.must(b.Impose(ctx, edgeban.Verdict{Ban: banOf(2), Notices: []edgeban.Notice{{Kind: edgeban.NoticeBan, Time: noon, Text: "banned"}}}))
	b.must(b.Impose(ctx, edgeban.Verdict{Ban: banOf(2)}))
	b.must(b.Lift(ctx, edgeban.Lift{Key: banOf(1).Key, At: noon, By: "ann"}))
	h := edgeban.Held{Subject: banOf(2).Subject, Target: "edge", Sent: noon}
	b.must(b.Note(ctx, []edgeban.Held{h}, nil))
	b.must(b.Snapshot(ctx, edgeban.Snapshot{Jail: "sshd", At: 100, State: []byte("state")}))
	b.wantAll()
	b.want("cursor", b.cursor(), "100")
	if err := b.Trouble(); err == nil || !strings.Contains(err.Error(), b.path) {
		b.Errorf("trouble: %v, want one that names %s", err, b.path)
	}
	b.want("alarms", strings.Count(b.said.String(), "level=ERROR"), 1)
}

// wantAll wants all that goesOn did to be known.
func (b *bench) wantAll() {
	b.Helper()
	ctx := b.Context()
	bans, err := b.Standing(ctx, noon)
	b.must(err)
	b.want("standing", slices.Collect(bans), []edgeban.Ban{banOf(2)})
	held, err := b.Holdings(ctx, "edge")
	b.must(err)
	b.want("holdings", held.Len(), 1)
	ns, err := b.Pending(ctx, "ntfy", 10)
	b.must(err)
	b.want("notices", len(ns), 1)
	sn, err := b.Restore(ctx, "sshd")
	b.must(err)
	b.want("snapshot", string(sn.State), "state")
	b.want("events", b.events(), 1+100+50+1+1+1)
	r, err := b.About(ctx, netip.MustParsePrefix("0.0.0.0/0"), 1000)
	b.must(err)
	b.want("about", fmt.Sprint(len(r.Matches), len(r.Bans), len(r.Lifts), len(r.Held)), "150 2 1 1")
}

func refusing(t *testing.T, refuse, allow string, code string) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Options{})
		b.must(b.Impose(b.Context(), edgeban.Verdict{Ban: banOf(1)}))
		b.must(b.Told(b.Context(), "ntfy", 0))
		b.must(b.Record(b.Context(), batch(0, 100, "100")))
		b.pragma(refuse)
		b.goesOn()
		if err := b.Trouble(); err == nil || !strings.Contains(err.Error(), code) {
			t.Errorf("trouble: %v, want %s", err, code)
		}
		time.Sleep(time.Minute)
		b.must(b.Post(b.Context(), nil))
		if b.Trouble() == nil {
			t.Error("trouble is over while the disk refuses")
		}
		b.pragma(allow)
		time.Sleep(time.Minute)
		if err := b.Trouble(); err != nil {
			t.Error(err)
		}
		b.want("cursor when the disk is back", b.cursor(), "150")
		b.want("said so", strings.Count(b.said.String(), "written again"), 1)
		b.wantAll()
		b.must(b.Close())
		b.open()
		b.wantAll()
		b.want("cursor after a restart", b.cursor(), "150")
		b.must(b.Close())
	})
}

func TestFullDiskStopsNothing(t *testing.T) {
	refusing(t, "max_page_count = 1", "max_page_count = 1000000", "full") // one page: the least it can be is what there is
}

func TestReadOnlyDiskStopsNothing(t *testing.T) {
	refusing(t, "query_only = 1", "query_only = 0", "readonly")
}

func TestKillWhileTheDiskRefusesReadsTheLinesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Options{})
		b.must(b.Record(b.Context(), batch(0, 100, "100")))
		b.pragma("query_only = 1")
		b.must(b.Record(b.Context(), batch(100, 50, "150")))
		b.want("watched", b.events(), 150)
		if err := b.Close(); err == nil || !strings.Contains(err.Error(), "1 changes are lost") {
			t.Errorf("close: %v, want what is lost", err)
		}
		b.open()
		b.want("cursor", b.cursor(), "100")
		b.want("events", b.events(), 100)
		b.must(b.Record(b.Context(), batch(100, 50, "150")))
		b.want("events when read again", b.events(), 150)
		b.must(b.Close())
	})
}

func TestBatchThatFillsTheDiskIsNotHalfWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Options{})
		b.must(b.Record(b.Context(), batch(0, 10, "10")))
		var pages int
		b.must(b.file.Writer.QueryRowContext(t.Context(), "pragma page_count").Scan(&pages))
		b.pragma(fmt.Sprintf("max_page_count = %d", pages+5)) // room for some 150 of the 1000
		b.must(b.Record(b.Context(), batch(10, 1000, "1010")))
		var rows int
		b.must(b.file.Readers.QueryRowContext(t.Context(), "select sum(n) from page").Scan(&rows))
		b.want("rows on disk", rows, 10)
		b.want("events", b.events(), 1010)
		b.want("cursor", b.cursor(), "10")
		if got := file.Code(b.trouble); got != lib.SQLITE_FULL {
			t.Errorf("code %d, want %d", got, lib.SQLITE_FULL)
		}
		b.pragma("max_page_count = 1000000")
		b.must(b.Close())
		b.open()
		b.want("events after a restart", b.events(), 1010)
		b.want("cursor after a restart", b.cursor(), "1010")
		b.must(b.Close())
	})
}

func TestFullMemoryAsksToReadLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Options{MaxPending: 100})
		b.pragma("query_only = 1")
		b.must(b.Record(b.Context(), batch(0, 60, "60")))
		if err := b.Record(b.Context(), batch(60, 60, "120")); !errors.Is(err, edgeban.ErrFull) {
			t.Errorf("record beyond the bound: %v, want %v", err, edgeban.ErrFull)
		}
		b.want("events", b.events(), 60)
		b.must(b.Impose(b.Context(), edgeban.Verdict{Ban: banOf(1)})) // a ban is never turned away
		b.must(b.Record(b.Context(), batch(60, 40, "100")))
		b.must(b.Record(b.Context(), batch(0, 0, "101")))
		b.want("events", b.events(), 101)
		b.pragma("query_only = 0")
		time.Sleep(time.Minute)
		b.must(b.Record(b.Context(), batch(100, 60, "160")))
		b.want("cursor", b.cursor(), "160")
		b.want("events", b.events(), 161)
		b.pragma("query_only = 1") // and what was written made room for the next time
		b.must(b.Record(b.Context(), batch(160, 100, "260")))
		b.pragma("query_only = 0")
		b.must(b.Close())
	})
}

// More waits than is kept in memory of what the disk has: a watcher that is
// behind by all of it must not be sent to the disk for it.
func TestWatcherSeesWhatTheDiskNeverTook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Options{})
		b.must(b.Record(b.Context(), batch(0, 5000, "5000")))
		b.pragma("query_only = 1")
		const more = 3 * tail.Least
		for i := range more / 128 {
			b.must(b.Record(b.Context(), batch(5000+128*i, 128, "x")))
		}
		b.want("events", b.events(), 5000+more)
		b.pragma("query_only = 0")
		time.Sleep(time.Minute)
		b.must(b.Trouble())
		b.must(b.Impose(b.Context(), edgeban.Verdict{Ban: banOf(1)}))
		if n := len(b.all.All()); n > 2*tail.Least {
			t.Errorf("%d events are in memory when the disk has them, want at most %d", n, 2*tail.Least)
		}
		b.want("events when the disk is back", b.events(), 5000+more+1)
		b.must(b.Close())
	})
}

// A month without a disk: every minute cursors move, snapshots are taken and
// packets are counted. What waits is what would be written, not how often.
func TestLongTroubleDoesNotEatTheMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Options{})
		b.must(b.Told(b.Context(), "ntfy", 0))
		b.pragma("query_only = 1")
		const minutes, entries = 3000, 10
		for i := range minutes {
			b.must(b.Record(b.Context(), batch(0, 0, fmt.Sprint(i))))
			b.must(b.Snapshot(b.Context(), edgeban.Snapshot{Jail: "sshd", At: edgeban.Seq(i), State: make([]byte, 100)}))
			var hs []edgeban.Held
			for j := range entries {
				hs = append(hs, edgeban.Held{Subject: banOf(j).Subject, Target: "edge", Sent: noon, Packets: uint64(i + 1)})
			}
			b.must(b.Note(b.Context(), hs, nil))
		}
		if n := len(b.queue); n > 2*queueLen {
			t.Errorf("%d changes wait, want at most %d", n, 2*queueLen)
		}
		if n := len(b.all.All()); n > 2*queueLen*entries {
			t.Errorf("%d events are in memory, want at most %d", n, 2*queueLen*entries)
		}
		b.pragma("query_only = 0")
		time.Sleep(time.Minute)
		b.must(b.Trouble())
		b.must(b.Close())
		b.open()
		held, err := b.Holdings(t.Context(), "edge")
		b.must(err)
		b.want("entries", held.Len(), entries)
		for h := range held.All() {
			b.want("packets", h.Packets, minutes)
		}
		b.want("cursor", b.cursor(), minutes-1)
		head, _, err := b.Head(t.Context())
		b.must(err)
		b.want("head", head, minutes*entries)
		b.must(b.Close())
	})
}
