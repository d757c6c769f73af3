package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/account"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/never"
	"github.com/edgeban/edgeban/internal/store/sqlite"
)

var errKilled = errors.New("killed")

// A mortal ledger works until its calls that write are used up. Of the last one it is
// said whether it was done before the kill.
type mortal struct {
	edgeban.Ledger
	left int
	done bool
}

func (m *mortal) call(f func() error) error {
	m.left--
	switch {
	case m.left > 0:
		return f()
	case m.left == 0 && m.done:
		if err := f(); err != nil {
			return err
		}
	}
	return errKilled
}

func (m *mortal) Record(ctx context.Context, b edgeban.Batch) error {
	return m.call(func() error { return m.Ledger.Record(ctx, b) })
}

func (m *mortal) Snapshot(ctx context.Context, s edgeban.Snapshot) error {
	return m.call(func() error { return m.Ledger.Snapshot(ctx, s) })
}

// Logins of an old phone and of somebody who guesses one mailbox from many addresses.
func reportedLogins() (all []account.Login) {
	begin := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	login := func(kind edgeban.Kind, addr, user, secret string) {
		n := len(all)
		m := edgeban.Match{ID: fmt.Sprint("id-", n), Kind: kind, Addr: netip.MustParseAddr(addr), User: user, Time: begin.Add(time.Duration(n) * time.Second), Count: 1, Text: "reported"}
		all = append(all, account.Login{Match: m, Secret: secret})
	}
	for range 2 { // one may be lost
		login(edgeban.Success, "192.0.2.7", "carol", "0aaa")
	}
	for i := range 14 {
		login(edgeban.Failure, "192.0.2.7", "alice", "0aba")
		login(edgeban.Failure, fmt.Sprintf("198.51.100.%d", i), "carol", fmt.Sprintf("%04x", i))
	}
	return all
}

// A life takes logins one by one until all are taken or the ledger is no more. It
// returns those that nobody has taken.
func takerLife(t *testing.T, l edgeban.Ledger, logins []account.Login) []account.Login {
	t.Helper()
	c := config.NewJail("reports")
	c.Filter = "dovecot"
	w, err := NewWatcher(c, Settings{})
	if err != nil {
		t.Fatal(err)
	}
	taker := &Taker{Name: "logins", Jails: []*Watcher{w}, Ledger: l, Never: func() *never.List { return nil }, Log: slog.New(slog.DiscardHandler)}
	if err := taker.restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	for len(logins) > 0 {
		taker.cost = 0 // however slow this machine is
		err := taker.record(t.Context(), logins[:1])
		if logins = logins[1:]; errors.Is(err, errKilled) {
			return logins // the one that was reported is gone: its service was told that all is well
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return nil
}

// Whenever the daemon is killed: the old password counts once, for it must not lock
// anybody out, and each notice is told once.
func TestKilledAtAnyMomentAnOldPasswordIsToldOnce(t *testing.T) {
	logins := reportedLogins()
	for kill := 1; kill <= 2*len(logins); kill++ {
		for _, done := range []bool{false, true} {
			store, err := sqlite.Open(filepath.Join(t.TempDir(), "ledger.db"), sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := store.Told(t.Context(), "ntfy", 0); err != nil {
				t.Fatal(err)
			}
			m := &mortal{store, kill, done}
			rest := takerLife(t, m, logins)
			if m.left > 0 { // there are no more moments
				if kill < len(logins) {
					t.Errorf("after %d calls all was done: the test kills too seldom", kill-m.left)
				}
				store.Close()
				return
			}
			takerLife(t, store, rest)
			wantToldOnce(t, store, fmt.Sprintf("killed at call %d, done %v", kill, done))
			store.Close()
		}
	}
}

func wantToldOnce(t *testing.T, store *sqlite.Store, when string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	ns, err := store.Pending(ctx, "ntfy", 100)
	if err != nil {
		t.Fatalf("%s: nothing was told: %v", when, err)
	}
	told := map[string]int{}
	for _, n := range ns {
		told[strings.Join(strings.Fields(n.Text)[:3], " ")]++
	}
	if len(ns) != 2 || told["An old password"] != 1 || told["The password of"] != 1 {
		t.Errorf("%s: told %v, want each once", when, told)
	}
	rec, err := store.About(t.Context(), netip.MustParsePrefix("192.0.2.7/32"), 1000)
	if err != nil {
		t.Fatal(err)
	}
	counted := 0
	for _, m := range rec.Matches {
		if m.Kind == edgeban.Failure && m.Ignored == "" {
			counted += m.Count
		}
	}
	if counted > 1 {
		t.Errorf("%s: the old password counts %d times, want once at most", when, counted)
	}
}
