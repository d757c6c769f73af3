package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/daemon/judge"
	"github.com/edgeban/edgeban/internal/never"
	"github.com/edgeban/edgeban/internal/store/sqlite"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func newStore(t *testing.T) *sqlite.Store {
	t.Helper()
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "ledger.db"), sqlite.Options{Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

func TestProlongedBanIsImposedAndNotTold(t *testing.T) {
	store := newStore(t)
	if err := store.Told(t.Context(), "ntfy", 0); err != nil {
		t.Fatal(err)
	}
	c := config.NewJail("sshd")
	c.LogPath, c.Count, c.MaxRetry, c.BanTime = []string{"/log"}, config.Rate, 2, 10*time.Minute
	var log strings.Builder
	j := &judge.Judge{
		Jail: c, Ledger: store, Lease: store, Log: slog.New(slog.NewTextHandler(&log, nil)), Forget: time.Hour,
		Now: func() time.Time { return noon }, Sure: func() bool { return true }, Inside: never.PrivatePrefix,
	}
	if err := j.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- j.Run(ctx) }()
	addr := netip.MustParseAddr("203.0.113.9")
	for i, after := range []time.Duration{0, 0, 5 * time.Minute, 5 * time.Minute} {
		m := edgeban.Match{ID: fmt.Sprint(i), Jail: "sshd", Kind: edgeban.Failure, Addr: addr, Subject: netip.PrefixFrom(addr, 32), Count: 1, Time: noon.Add(after)}
		if err := store.Record(t.Context(), edgeban.Batch{Matches: []edgeban.Match{m}}); err != nil {
			t.Fatal(err)
		}
		settle(t, store, []*judge.Judge{j})
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	rec, err := store.About(t.Context(), netip.PrefixFrom(addr, 32), 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(rec.Bans) != 2 || !rec.Bans[1].Until.After(noon.Add(15*time.Minute-time.Second)) {
		t.Fatalf("got bans %+v, want one and what prolongs it", rec.Bans)
	}
	notices, err := store.Pending(t.Context(), "ntfy", 10)
	if err != nil || len(notices) != 1 || !notices[0].Time.Equal(noon) {
		t.Errorf("told %+v %v, want the ban alone", notices, err)
	}
	if text := log.String(); strings.Count(text, "msg=ban ") != 1 || strings.Count(text, `msg="ban prolonged"`) != 1 {
		t.Errorf("logged %s, want a ban and that it was prolonged", text)
	}
}

// An unban is told where the last ban was, or the last ones that stood together.
func TestUnbanIsOfTheJailsThatBannedLast(t *testing.T) {
	store := newStore(t)
	g := &generation{daemon: &daemon{store: store, Options: Options{Log: slog.New(slog.DiscardHandler)}}}
	subject := netip.MustParsePrefix("203.0.113.9/32")
	if got := g.bannedBy(t.Context(), subject); len(got) != 0 {
		t.Errorf("never banned: got %q", got)
	}
	for i, b := range []struct {
		jail     string
		from, to time.Duration
	}{{"web", 0, time.Hour}, {"sshd", 2 * time.Hour, 5 * time.Hour}, {"postfix", 3 * time.Hour, 4 * time.Hour}} {
		ban := edgeban.Ban{Key: edgeban.Key{Jail: b.jail, Subject: subject}, Since: noon.Add(b.from), Until: noon.Add(b.to), Cause: edgeban.Seq(i + 1)}
		if err := store.Impose(t.Context(), edgeban.Verdict{Ban: ban}); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := g.bannedBy(t.Context(), subject), []string{"sshd", "postfix"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
