package sqlite_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeban/edgeban"
)

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

func ban(i int) edgeban.Ban {
	a := netip.AddrFrom4([4]byte{192, 0, byte(i / 256), byte(i)})
	return edgeban.Ban{Key: edgeban.Key{Jail: "sshd", Subject: netip.PrefixFrom(a, 32)}, Since: noon, Until: noon.Add(time.Hour), Cause: edgeban.Seq(i + 1)}
}

// live wants that everybody who waits for a store sleeps in a bubble, so that
// its clock goes on, and wakes when something happens.
func live(t *testing.T, s interface {
	edgeban.Ledger
	edgeban.Outbox
	edgeban.Lease
}, first int,
) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var mu sync.Mutex
	woken := map[string]int{}
	wake := func(who string) { mu.Lock(); woken[who]++; mu.Unlock() }
	for i := range 3 {
		wg.Go(func() {
			for range edgeban.Each(s.Watch(ctx, edgeban.Seq(first))) {
				wake(fmt.Sprint("watcher ", i))
			}
		})
	}
	wg.Go(func() {
		for {
			ns, err := s.Pending(ctx, "ntfy", 10)
			if err != nil {
				return
			}
			wake("ntfy")
			if err := s.Told(ctx, "ntfy", ns[len(ns)-1].ID); err != nil {
				return
			}
		}
	})
	for range 2 {
		wg.Go(func() {
			_ = s.Hold(ctx, "sshd", func(ctx context.Context) error {
				wake("holder")
				<-ctx.Done()
				return ctx.Err()
			})
		})
	}
	synctest.Wait()
	start := time.Now()
	for i := range 5 {
		time.Sleep(time.Hour)
		if err := s.Impose(ctx, edgeban.Verdict{Ban: ban(first + i), Notices: []edgeban.Notice{{Kind: edgeban.NoticeBan, Time: noon}}}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
	}
	if got := time.Since(start); got != 5*time.Hour {
		t.Errorf("the bubble's clock went on by %v, want 5h", got)
	}
	if got, want := fmt.Sprint(woken), "map[holder:1 ntfy:5 watcher 0:5 watcher 1:5 watcher 2:5]"; got != want {
		t.Errorf("woken: %s, want %s", got, want)
	}
	cancel()
	wg.Wait()
}

func TestOpenedInsideABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, t.TempDir())
		live(t, s, 0)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestOpenedOutsideAndUsedInTwoBubbles(t *testing.T) {
	s := open(t, t.TempDir())
	for i := range 2 {
		synctest.Test(t, func(t *testing.T) { live(t, s, 5*i) })
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestPruningGivesTheSpaceBack watches the size of the file on the disk.
func TestPruningGivesTheSpaceBack(t *testing.T) {
	for name, test := range map[string]struct {
		r        edgeban.Retention
		min, max int64
	}{
		"by age":  {edgeban.Retention{Matches: time.Hour}, 0, 100_000},
		"by size": {edgeban.Retention{Size: 1_000_000}, 600_000, 1_000_000},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			for i := range 80 {
				var ms []edgeban.Match
				for j := range 100 {
					b := ban(i*100 + j)
					ms = append(ms, edgeban.Match{ID: fmt.Sprint(i, j), Jail: b.Jail, Addr: b.Subject.Addr(), Subject: b.Subject, Time: noon, Text: fmt.Sprintf("%0300d", j)})
				}
				if err := s.Record(t.Context(), edgeban.Batch{Matches: ms}); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Prune(t.Context(), noon, edgeban.Retention{}); err != nil {
				t.Fatal(err)
			}
			before := size(t, dir)
			if err := s.Prune(t.Context(), noon.Add(24*time.Hour), test.r); err != nil {
				t.Fatal(err)
			}
			after := size(t, dir)
			if before < 2_000_000 || after < test.min || after > test.max {
				t.Errorf("%d bytes, and after pruning %d; want more than 2,000,000, and between %d and %d", before, after, test.min, test.max)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// size returns the bytes of all files of a store.
func size(t *testing.T, dir string) (n int64) {
	t.Helper()
	for _, name := range []string{"edgeban.db", "edgeban.db-wal"} {
		fi, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		n += fi.Size()
	}
	return n
}

// TestNobodyElseReadsTheLedger: it holds the names that people log in with.
func TestNobodyElseReadsTheLedger(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if err := s.Impose(t.Context(), edgeban.Verdict{Ban: ban(1)}); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		fi, err := f.Info()
		if err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", f.Name(), fi.Mode())
		}
	}
	if len(files) < 3 {
		t.Errorf("%d files, want the ledger, its log and its lock", len(files))
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestPruningBlocksNobody prunes while others write, watch and ask.
func TestPruningBlocksNobody(t *testing.T) {
	s := open(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	const writers, each = 3, 60
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				b := ban(w*each + i)
				m := edgeban.Match{ID: fmt.Sprint(w, i), Jail: b.Jail, Addr: b.Subject.Addr(), Subject: b.Subject, Time: noon}
				if err := s.Record(ctx, edgeban.Batch{Source: "mail", Stream: fmt.Sprint(w), To: fmt.Sprint(i), Matches: []edgeban.Match{m}}); err != nil {
					t.Error(err)
				}
				if err := s.Impose(ctx, edgeban.Verdict{Ban: b}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var others sync.WaitGroup
	others.Go(func() {
		for ctx.Err() == nil {
			if err := s.Prune(ctx, noon.Add(2*time.Hour), edgeban.Retention{Matches: time.Minute, Bans: 9 * time.Hour}); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	})
	others.Go(func() {
		for ctx.Err() == nil {
			if _, err := s.About(ctx, netip.MustParsePrefix("192.0.0.0/16"), 100); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			if _, err := s.Standing(ctx, noon); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	})
	others.Go(func() {
		last := edgeban.Seq(0)
		for e, err := range edgeban.Each(s.Watch(ctx, 0)) {
			if err != nil || e.Seq <= last {
				t.Error(e.Seq, last, err)
			}
			last = e.Seq
		}
	})
	wg.Wait()
	cancel()
	others.Wait()
	bans, err := s.Standing(t.Context(), noon)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(slices.Collect(bans)); n != writers*each {
		t.Errorf("standing: %d, want %d", n, writers*each)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
