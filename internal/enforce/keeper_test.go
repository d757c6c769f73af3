package enforce_test

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce"
	"github.com/edgeban/edgeban/internal/enforce/opnsense"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
	"github.com/edgeban/edgeban/internal/store/sqlite"
)

// A lab is a real ledger, a fake firewall and the keeper between them, in a
// bubble where hours take no time.
type lab struct {
	*testing.T
	store    *sqlite.Store
	firewall *opnsensetest.Firewall
	keeper   *enforce.Keeper
	settings enforce.Settings
	stop     func()
	states   bool // connections are ended
	reload   bool // a keeper takes over from the one before
	tenth    bool // every tenth call fails

	mu     sync.Mutex
	doubt  string
	refuse map[netip.Prefix]string
	offset time.Duration // of the wall clock
}

const alias = opnsensetest.AliasName

func inLab(t *testing.T, o opnsensetest.Options, play func(*lab)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		store, err := sqlite.Open(filepath.Join(dir, "ledger.db"), sqlite.Options{Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		l := &lab{T: t, store: store, firewall: opnsensetest.New(o), refuse: map[netip.Prefix]string{}}
		l.settings = enforce.Settings{
			Name: "edge", Place: "edge", Sends: func(edgeban.Ban) bool { return true }, Ledger: store, Every: 50 * time.Second, Log: slog.New(slog.DiscardHandler),
			Budget:  config.Budget{PerMinute: 300, Entries: 50_000, IPv4: 32, IPv6: 64},
			Refuse:  func(b edgeban.Ban) string { l.mu.Lock(); defer l.mu.Unlock(); return l.refuse[b.Subject] },
			Doubt:   func() string { l.mu.Lock(); defer l.mu.Unlock(); return l.doubt },
			Partial: func() bool { return false }, Now: l.now,
		}
		l.start()
		defer func() { l.stop() }()
		play(l)
	})
}

func (l *lab) now() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Now().Add(l.offset)
}

// start starts the keeper; stop ends it.
func (l *lab) start() {
	l.Helper()
	c := l.firewall.Config()
	c.States = l.states
	way := l.firewall.Client()
	if l.tenth {
		way = &faulty{Firewall: l.firewall}
	}
	a, err := opnsense.NewWithTransport(c, way)
	if err != nil {
		l.Fatal(err)
	}
	l.settings.Target = a
	l.run()
}

func (l *lab) run() {
	earlier := l.keeper
	k := enforce.NewKeeper(l.settings)
	l.keeper = k // another may take its place before it runs
	if l.reload {
		k.Remember(earlier)
	}
	ctx, cancel := context.WithCancel(l.Context())
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	l.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			l.Errorf("keeper: %v", err)
		}
	})
	time.Sleep(time.Second)
}

func subject(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, byte(113 + i>>8), byte(i)}), 32)
}

func (l *lab) ban(p netip.Prefix, d time.Duration) edgeban.Ban {
	l.Helper()
	b := edgeban.Ban{Key: edgeban.Key{Jail: "sshd", Subject: p}, Since: l.now(), Addr: p.Addr()}
	if d > 0 {
		b.Until = b.Since.Add(d)
	}
	if err := l.store.Impose(l.Context(), edgeban.Verdict{Ban: b}); err != nil {
		l.Fatal(err)
	}
	return b
}

func (l *lab) holds(want ...netip.Prefix) {
	l.Helper()
	want = slices.SortedFunc(slices.Values(want), netip.Prefix.Compare)
	if got := l.firewall.Entries(alias); !slices.Equal(got, want) {
		l.Errorf("the firewall holds %d entries %v, want %d %v", len(got), short(got), len(want), short(want))
	}
}

func short(ps []netip.Prefix) []netip.Prefix { return ps[:min(len(ps), 5)] }

// notices returns what was put into the outbox since the notifier was first asked for.
func (l *lab) notices() []edgeban.Notice {
	l.Helper()
	ctx, cancel := context.WithTimeout(l.Context(), time.Millisecond)
	defer cancel()
	ns, err := l.store.Pending(ctx, "phone", 1000)
	if err != nil && ctx.Err() == nil {
		l.Fatal(err)
	}
	return ns
}

func kinds(ns []edgeban.Notice) (ks []edgeban.NoticeKind) {
	for _, n := range ns {
		ks = append(ks, n.Kind)
	}
	return ks
}

func TestNewBanIsSentAtOnceAndThenProven(t *testing.T) {
	inLab(t, opnsensetest.Options{}, func(l *lab) {
		b := l.ban(subject(9), time.Hour)
		synctest.Wait()
		l.holds(b.Subject) // no time has passed
		time.Sleep(time.Second)
		hs, err := l.store.Holdings(l.Context(), "edge")
		if err != nil {
			t.Fatal(err)
		}
		if h, ok := hs.Of(b.Subject); hs.Len() != 1 || !ok || h.Held.IsZero() || h.Sent.IsZero() || h.Foreign {
			t.Errorf("holdings: got %d, of the subject %+v; want it sent and held", hs.Len(), h)
		}
	})
}

// A proxy takes its bans from here, and nobody proves that it has.
type unproven struct {
	mu  sync.Mutex
	set []netip.Prefix
}

func (u *unproven) Whole()                                       {}
func (u *unproven) Fits(netip.Prefix) bool                       { return true }
func (u *unproven) Held(context.Context) ([]netip.Prefix, error) { return nil, nil }

func (u *unproven) Apply(_ context.Context, d enforce.Diff) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.set = d.Want
	return edgeban.Permanent(errors.New("its API does not answer"))
}

func (u *unproven) has(p netip.Prefix) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Contains(u.set, p)
}

// While a proxy restarts its API is away for a while; an attacker must not wait for it.
func TestNewBanIsSetAtOnceThoughNothingIsProven(t *testing.T) {
	inLab(t, opnsensetest.Options{}, func(l *lab) {
		l.stop()
		proxy := &unproven{}
		l.settings.Target = proxy
		l.run()
		for i := range 20 {
			l.ban(subject(i), time.Hour)
			time.Sleep(500 * time.Millisecond)
			if !proxy.has(subject(i)) {
				t.Errorf("ban %d is not set after half a second", i)
			}
		}
	})
}

// A firewall that was away has none of what was banned meanwhile: the all-clear must not
// read as if nobody were banned.
func TestTheAllClearCountsWhatIsStillSent(t *testing.T) {
	inLab(t, opnsensetest.Options{}, func(l *lab) {
		l.firewall.Fail(opnsensetest.Forbidden, -1)
		l.ban(subject(9), time.Hour)
		time.Sleep(time.Minute)
		l.notices() // that it is away
		l.firewall.Heal()
		time.Sleep(10 * time.Minute)
		ns := l.notices()
		if len(ns) != 1 || ns[0].Kind != edgeban.NoticeTrouble || !strings.Contains(ns[0].Text, "takes bans again: it holds 0, and is sent 1 more") {
			t.Errorf("notices: got %+v, want one that says that 1 ban is sent", ns)
		}
	})
}

func TestEndedBanIsRemovedAndTold(t *testing.T) {
	inLab(t, opnsensetest.Options{}, func(l *lab) {
		l.notices() // from here on
		b := l.ban(subject(9), time.Hour)
		time.Sleep(time.Hour - time.Second)
		l.holds(b.Subject)
		time.Sleep(5 * time.Second)
		l.holds()
		ns := l.notices()
		if len(ns) != 1 || ns[0].Kind != edgeban.NoticeUnban || ns[0].Subject != b.Subject {
			t.Errorf("notices: got %+v, want one unban", ns)
		}
	})
}

func TestLiftedBanIsRemovedSoon(t *testing.T) {
	inLab(t, opnsensetest.Options{}, func(l *lab) {
		b := l.ban(subject(9), 0)
		time.Sleep(time.Second)
		if err := l.store.Lift(l.Context(), edgeban.Lift{Key: b.Key, At: l.now(), By: "a person"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		l.holds()
	})
}

func TestRebootedFirewallIsEqualWithinAMinute(t *testing.T) {
	inLab(t, opnsensetest.Options{}, func(l *lab) {
		var want []netip.Prefix
		for i := range 200 {
			want = append(want, l.ban(subject(i), time.Hour).Subject)
		}
		time.Sleep(time.Minute)
		l.holds(want...)
		l.firewall.Reboot()
		l.holds()
		time.Sleep(time.Minute)
		l.holds(want...)
	})
}

func TestFirewallAwayForAnHourLosesNothing(t *testing.T) {
	inLab(t, opnsensetest.Options{}, func(l *lab) {
		l.notices()
		l.firewall.Fail(opnsensetest.Refused, -1)
		before := len(l.firewall.Requests())
		var want []netip.Prefix
		for i := range 360 {
			want = append(want, l.ban(subject(i), 24*time.Hour).Subject)
			time.Sleep(10 * time.Second)
		}
		if n := len(l.firewall.Requests()) - before; n > 200 {
			t.Errorf("%d calls to a dead firewall in an hour, want few", n)
		}
		l.firewall.Heal()
		time.Sleep(time.Minute)
		l.holds(want...)
		if got := kinds(l.notices()); len(got) != 2 || got[0] != edgeban.NoticeTrouble || got[1] != edgeban.NoticeTrouble {
			t.Errorf("notices: got %v, want one complaint and one all-clear", got)
		}
	})
}

func TestFaultsLoseNothingAndHammerNobody(t *testing.T) {
	for name, tt := range map[string]struct {
		fault opnsensetest.Fault
		calls int // the most in ten minutes
	}{
		"401": {opnsensetest.Unauthorized, 10}, "403": {opnsensetest.Forbidden, 10}, "a page": {opnsensetest.Page, 10},
		"500": {opnsensetest.ServerError, 60}, "502": {opnsensetest.BadGateway, 60}, "half answers": {opnsensetest.Half, 60},
		"lost answers": {opnsensetest.Lost, 60}, "hanging": {opnsensetest.Hang, 60},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, opnsensetest.Options{}, func(l *lab) {
				l.notices()
				l.firewall.Insert(alias, "198.51.100.7")
				foreign := netip.MustParsePrefix("198.51.100.7/32")
				want := []netip.Prefix{foreign, l.ban(subject(1), time.Hour).Subject}
				time.Sleep(time.Minute)
				l.firewall.Fail(tt.fault, -1)
				before := len(l.firewall.Requests())
				for i := range 10 {
					want = append(want, l.ban(subject(10+i), time.Hour).Subject)
					time.Sleep(time.Minute)
				}
				if n := len(l.firewall.Requests()) - before; n > tt.calls {
					t.Errorf("%d calls in ten minutes of %s, want at most %d", n, name, tt.calls)
				}
				l.firewall.Heal()
				time.Sleep(6 * time.Minute)
				l.holds(want...)
				if got := len(l.notices()); got != 2 {
					t.Errorf("%d notices %v, want one complaint and one all-clear", got, l.notices())
				}
			})
		})
	}
}

func TestForeignEntriesAreNeverTouched(t *testing.T) {
	inLab(t, opnsensetest.Options{}, func(l *lab) {
		l.firewall.Insert(alias, "198.51.100.7", "203.0.113.9", "192.0.2.0/24")
		time.Sleep(time.Minute)
		l.ban(subject(9), time.Hour)                                       // it is there already
		inside := l.ban(netip.MustParsePrefix("192.0.2.77/32"), time.Hour) // a network around it is
		time.Sleep(time.Minute)
		foreign := []netip.Prefix{netip.MustParsePrefix("198.51.100.7/32"), subject(9), netip.MustParsePrefix("192.0.2.0/24")}
		l.holds(foreign...)
		time.Sleep(2 * time.Hour)
		l.holds(foreign...)
		l.ban(inside.Subject, time.Hour)
		time.Sleep(time.Minute)
		l.firewall.Remove(alias, "192.0.2.0/24") // what held it goes
		time.Sleep(time.Minute)
		l.holds(foreign[0], foreign[1], inside.Subject)
	})
}

func TestDoubtRemovesNothing(t *testing.T) {
	inLab(t, opnsensetest.Options{}, func(l *lab) {
		b := l.ban(subject(9), time.Hour)
		time.Sleep(time.Minute)
		for _, jump := range []time.Duration{365 * 24 * time.Hour, -365 * 24 * time.Hour} {
			l.mu.Lock()
			l.offset, l.doubt = jump, "the clock jumped"
			l.mu.Unlock()
			time.Sleep(9 * time.Minute)
			l.holds(b.Subject)
			if n := l.firewall.Count("/delete/"); n != 0 {
				t.Errorf("a jump of %v: %d removals were sent, want none", jump, n)
			}
			l.mu.Lock()
			l.offset, l.doubt = 0, ""
			l.mu.Unlock()
			time.Sleep(2 * time.Minute)
			l.holds(b.Subject)
		}
	})
}

func TestWhatIsProtectedIsNeverSent(t *testing.T) {
	inLab(t, opnsensetest.Options{}, func(l *lab) {
		l.mu.Lock()
		l.refuse[subject(1)] = "the owner"
		l.mu.Unlock()
		l.ban(subject(1), time.Hour)
		l.ban(netip.MustParsePrefix("203.0.0.0/16"), time.Hour) // wider than the budget
		b := l.ban(subject(2), time.Hour)
		time.Sleep(time.Minute)
		l.holds(b.Subject)
		l.mu.Lock()
		l.refuse[subject(2)], l.doubt = "the owner, since a moment", "the clock jumped"
		l.mu.Unlock()
		time.Sleep(time.Minute)
		l.holds() // even when in doubt
	})
}

func TestBudgetMakesAFloodOfBansWait(t *testing.T) {
	inLab(t, opnsensetest.Options{}, func(l *lab) {
		l.notices()
		var want []netip.Prefix
		for i := range 1000 {
			want = append(want, l.ban(subject(i), 24*time.Hour).Subject)
		}
		time.Sleep(20 * time.Second)
		if n := len(l.firewall.Entries(alias)); n > 400 || n < 300 {
			t.Errorf("%d entries after 20 s, want 300 and what a third of a minute allows", n)
		}
		if s := l.keeper.Status(); s.Waiting == 0 {
			t.Errorf("status: %+v, want some waiting", s)
		}
		time.Sleep(5 * time.Minute)
		l.holds(want...)
		if got := kinds(l.notices()); len(got) != 1 || got[0] != edgeban.NoticeTrouble {
			t.Errorf("notices: got %v, want one alarm", got)
		}
	})
}

func TestKilledKeeperLeavesNothingBehind(t *testing.T) {
	inLab(t, opnsensetest.Options{Latency: true}, func(l *lab) {
		var want []netip.Prefix
		for i := range 20 { // stopped at any moment of adding, and started again
			l.ban(subject(100+i), 10*time.Minute)
			want = append(want, l.ban(subject(i), time.Hour).Subject)
			time.Sleep(time.Duration(i) * 3 * time.Millisecond)
			l.stop()
			l.start()
		}
		time.Sleep(15 * time.Minute)
		l.holds(want...)
	})
}

func TestHostAliasGetsTheAddressesOfNetworks(t *testing.T) {
	o := opnsensetest.Options{Aliases: []opnsensetest.Alias{{Name: alias, Type: "host"}}}
	inLab(t, o, func(l *lab) {
		b := edgeban.Ban{
			Key: edgeban.Key{Jail: "sshd", Subject: netip.MustParsePrefix("2001:db8:1:2::/64")}, Since: l.now(), Until: l.now().Add(time.Hour),
			Addr: netip.MustParseAddr("2001:db8:1:2::5"),
		}
		if err := l.store.Impose(l.Context(), edgeban.Verdict{Ban: b}); err != nil {
			t.Fatal(err)
		}
		one := l.ban(subject(1), time.Hour)
		time.Sleep(5 * time.Minute)
		l.holds(one.Subject, netip.MustParsePrefix("2001:db8:1:2::5/128"))
		time.Sleep(time.Hour)
		l.holds()
	})
}

func TestTableThatTakesNothingIsAFault(t *testing.T) {
	inLab(t, opnsensetest.Options{}, func(l *lab) {
		l.notices()
		b := l.ban(subject(1), time.Hour)
		for range 100 { // it answers done, and somebody takes the entry away again
			l.firewall.Remove(alias, b.Subject.Addr().String())
			time.Sleep(100 * time.Millisecond)
		}
		if s := l.keeper.Status(); s.Err == nil {
			t.Errorf("status: %+v, want a fault: it accepts and does not hold", s)
		}
		if got := kinds(l.notices()); len(got) != 1 {
			t.Errorf("notices: got %v, want one complaint", got)
		}
	})
}
