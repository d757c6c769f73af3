package sqlite

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/store/sqlite/file"
)

// fixture unpacks a ledger that an earlier version of this package wrote: 30
// matches, two bans of which the second is lifted, an entry that edge holds, an
// untold notice, a cursor and a snapshot.
func fixture(t *testing.T, name string) (path string) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "edgeban.db")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUpgradeLosesNothing(t *testing.T) {
	b := &bench{T: t, path: fixture(t, "v1.db.gz")}
	for range 2 {
		b.open()
		var version int
		b.must(b.file.Writer.QueryRowContext(t.Context(), "pragma user_version").Scan(&version))
		b.want("version", version, file.Version())
		_, lost := b.Lost()
		b.want("lost", lost, false)
		b.want("events", b.events(), 34)
		bans, err := b.Standing(t.Context(), noon)
		b.must(err)
		b.want("standing", slices.Collect(bans), []edgeban.Ban{banOf(4)})
		held, err := b.Holdings(t.Context(), "edge")
		b.must(err)
		b.want("holdings", held.Len(), 1)
		ns, err := b.Pending(t.Context(), "ntfy", 10)
		b.must(err)
		b.want("notices", ns[0].Text, "banned")
		sn, err := b.Restore(t.Context(), "sshd")
		b.must(err)
		b.want("snapshot", fmt.Sprint(sn.At, string(sn.State)), "34state")
		b.want("cursor", b.cursor(), "30")
		b.must(b.Close())
	}
	// Version 4 brought pages. Until Prune has packed the rows of before both are
	// read, and no line of either counts twice.
	b.open()
	b.must(b.Record(t.Context(), batch(20, 20, "40")))
	for range 2 {
		b.want("events, old and new", b.events(), 44)
		for limit, want := range map[int]int{5: 35, 15: 25, 100: 0} {
			r, err := b.About(t.Context(), netip.MustParsePrefix("192.0.0.0/16"), limit)
			b.must(err)
			b.want(fmt.Sprint("first of the last ", limit), r.Matches[0].ID, fmt.Sprint(want))
		}
		b.must(b.Prune(t.Context(), noon, edgeban.Retention{}))
		var rows int
		b.must(b.file.Writer.QueryRowContext(t.Context(), "select count(*) from match").Scan(&rows))
		b.want("rows that are left", rows, 0)
		b.must(b.Record(t.Context(), batch(0, 40, "40")))
	}
	b.must(b.Close())
	// Version 2 brought the evidence: of an older ban, the match that decided it.
	b.open()
	b.must(b.Prune(t.Context(), noon.Add(24*time.Hour), edgeban.Retention{Matches: time.Hour, Jails: []string{}}))
	r, err := b.About(t.Context(), netip.MustParsePrefix("0.0.0.0/0"), 100)
	b.must(err)
	b.want("evidence", len(r.Matches), 2)
	b.want("evidence", r.Matches[0].ID, "4")
	b.must(b.Close())
}

func TestNewerLedgerIsLeftAlone(t *testing.T) {
	b := &bench{T: t, path: ledger(t)}
	b.open()
	b.pragma("user_version = 99")
	b.must(b.Close())
	_, err := Open(b.path, Options{})
	if want := fmt.Sprintf("version 99 and this edgeban knows up to %d", file.Version()); err == nil || !strings.Contains(err.Error(), want) || !edgeban.IsPermanent(err) {
		t.Errorf("open: %v, want %q", err, want)
	}
	b.want("set aside", len(must(filepath.Glob(b.path+".damaged-*"))), 0)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
