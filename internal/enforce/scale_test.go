package enforce_test

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce"
	"github.com/edgeban/edgeban/internal/enforce/feed"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
)

const (
	many    = 10_000
	perCall = 20 * time.Millisecond
)

func numbered(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
}

// impose writes n bans into the ledger, each a second newer than the one before;
// every third stands longer.
func (l *lab) impose(n int) {
	l.Helper()
	var vs []edgeban.Verdict
	for i := range n {
		b := edgeban.Ban{Key: edgeban.Key{Jail: "sshd", Subject: numbered(i)}, Since: l.now().Add(time.Duration(i-n) * time.Second), Addr: numbered(i).Addr()}
		b.Until = b.Since.Add(48 * time.Hour)
		if i%3 == 0 {
			b.Until = b.Until.Add(48 * time.Hour)
		}
		vs = append(vs, edgeban.Verdict{Ban: b})
	}
	if err := l.store.Impose(l.Context(), vs...); err != nil {
		l.Fatal(err)
	}
}

// heldAfter returns how long it took until the ledger says that p is held.
func (l *lab) heldAfter(p netip.Prefix, most time.Duration) time.Duration {
	l.Helper()
	for start := time.Now(); time.Since(start) < most; time.Sleep(10 * time.Millisecond) {
		hs, err := l.store.Holdings(l.Context(), "edge")
		if err != nil {
			l.Fatal(err)
		}
		if h, ok := hs.Of(p); ok && !h.Held.IsZero() {
			return time.Since(start)
		}
	}
	return most
}

// adds returns the addresses of the adds that the firewall got, in their order.
func (l *lab) adds() (all []string) {
	for _, r := range l.firewall.Requests() {
		if strings.Contains(r.Path, "/add/") {
			addr, _, _ := strings.Cut(strings.TrimPrefix(r.Body, `{"address":"`), `"`)
			all = append(all, addr)
		}
	}
	return all
}

// while plays a resync, with a new ban every 17 s, each of which must be proven in
// under 2 s, and returns how long it took and what the new ones were.
func (l *lab) while(want int) (took time.Duration, news []netip.Prefix) {
	l.Helper()
	start := time.Now()
	for i := 0; len(l.firewall.Entries(alias)) < want+len(news); i++ {
		time.Sleep(17 * time.Second)
		p := subject(i)
		if i%2 == 1 {
			p = netip.MustParsePrefix("2001:db8::/64")
			a := p.Addr().As16()
			a[7] = byte(i)
			p = netip.PrefixFrom(netip.AddrFrom16(a), 64)
		}
		news = append(news, l.ban(p, time.Hour).Subject)
		if d := l.heldAfter(p, 10*time.Second); d >= 2*time.Second {
			l.Errorf("a new ban during the resync was held after %v, want less than 2s", d)
		}
		if time.Since(start) > time.Hour {
			l.Fatalf("after an hour %d entries are held, want %d", len(l.firewall.Entries(alias)), want)
		}
	}
	var last time.Time
	for _, r := range l.firewall.Requests() {
		if strings.Contains(r.Path, "/add/") {
			last = r.Time
		}
	}
	return last.Sub(start), news
}

// inOrder complains if adds are not about in the order of want: workers overtake
// each other a little, new bans come between.
func (l *lab) inOrder(adds []string, want []netip.Prefix, news []netip.Prefix) {
	l.Helper()
	adds = slices.DeleteFunc(slices.Clone(adds), func(a string) bool {
		return slices.ContainsFunc(news, func(p netip.Prefix) bool { return strings.HasPrefix(p.String(), strings.TrimSuffix(a, "/64")) })
	})
	if len(adds) != len(want) {
		l.Fatalf("%d adds, want %d, each once", len(adds), len(want))
	}
	at := map[string]int{}
	for i, p := range want {
		at[p.Addr().String()] = i
	}
	for i, a := range adds {
		if off := at[a] - i; off > 8 || off < -8 {
			l.Fatalf("%s was sent as number %d, want %d", a, i, at[a])
		}
	}
}

func TestTenThousandBansFromAnEmptyTable(t *testing.T) {
	inLab(t, opnsensetest.Options{PerCall: perCall}, func(l *lab) {
		l.stop()
		l.settings.Budget.PerMinute = many
		l.impose(many)
		l.start()
		took, news := l.while(many)
		if own := perCall * time.Duration(many+len(news)); took > own*12/10 {
			t.Errorf("%d bans took %v, want %v at most", many+len(news), took, own*12/10)
		}
		var newest []netip.Prefix
		for i := range many {
			newest = append(newest, numbered(many-1-i))
		}
		l.inOrder(l.adds(), newest, news)
		time.Sleep(time.Minute)
		if s := l.keeper.Status(); s.Held != many+len(news) || s.Sync != (enforce.Sync{}) || s.Err != nil {
			t.Errorf("status: %+v, want %d held", s, many+len(news))
		}
	})
}

func TestRebootIsFollowedByAResync(t *testing.T) {
	const some = 3000
	inLab(t, opnsensetest.Options{PerCall: perCall}, func(l *lab) {
		l.stop()
		l.settings.Budget.PerMinute = some
		l.impose(some)
		l.start()
		time.Sleep(2 * time.Minute)
		l.settings.Budget.PerMinute = 10 // nothing of it is new: no budget bounds it
		before := len(l.adds())
		l.firewall.Reboot()
		time.Sleep(51 * time.Second) // until it is seen
		mid := l.keeper.Status()
		if s := mid.Sync; s.Of != some || s.Sent > some/2 || s.Left > some*perCall || s.Left < some*perCall/2 {
			t.Errorf("progress: %+v, want so many of %d, and some minutes left", s, some)
		}
		hs, err := l.store.Holdings(t.Context(), "edge")
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for h := range hs.All() {
			if !h.Held.IsZero() {
				n++
			}
		}
		if n > some/4 || mid.Held > some/4 {
			t.Errorf("%d count as held after a reboot, and %d in the ledger", mid.Held, n)
		}
		took, news := l.while(some)
		if own := perCall * time.Duration(some+len(news)); took > own*12/10 {
			t.Errorf("the resync took %v, want %v at most", took, own*12/10)
		}
		var longest []netip.Prefix
		for i := range some {
			longest = append(longest, numbered(some-1-i))
		}
		slices.SortStableFunc(longest, func(a, b netip.Prefix) int {
			third := func(p netip.Prefix) int { b := p.Addr().As4(); return (int(b[1])<<16 | int(b[2])<<8 | int(b[3])) % 3 }
			return min(third(a), 1) - min(third(b), 1)
		})
		l.inOrder(l.adds()[before:], longest, news)
	})
}

func TestDaemonKilledInAResyncGoesOnAtTheSameSpeed(t *testing.T) {
	inLab(t, opnsensetest.Options{PerCall: perCall}, func(l *lab) {
		l.stop()
		l.settings.Budget.PerMinute = 2000
		l.impose(2000)
		l.start()
		time.Sleep(2 * time.Minute)
		l.firewall.Reboot()
		time.Sleep(65 * time.Second) // it was seen
		l.stop()
		l.settings.Budget.PerMinute = 10
		l.start()
		time.Sleep(50 * time.Second)
		if n := len(l.firewall.Entries(alias)); n != 2000 {
			t.Errorf("%d entries, want 2000: they were sent before, and no budget bounds them", n)
		}
	})
}

func TestLiftedWhileItWaitsIsNeverSent(t *testing.T) {
	inLab(t, opnsensetest.Options{PerCall: perCall}, func(l *lab) {
		l.stop()
		l.settings.Budget.PerMinute = 2000
		l.impose(2000)
		l.start()
		oldest := numbered(0)
		if err := l.store.Lift(t.Context(), edgeban.Lift{Key: edgeban.Key{Jail: "sshd", Subject: oldest}, At: l.now(), By: "a person"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if n := len(l.firewall.Entries(alias)); n != 1999 {
			t.Errorf("%d entries, want 1999", n)
		}
		if slices.Contains(l.adds(), oldest.Addr().String()) || l.firewall.Count("/delete/") > 0 {
			t.Errorf("what was lifted while it waited was sent: %v, %d removals", slices.Contains(l.adds(), oldest.Addr().String()), l.firewall.Count("/delete/"))
		}
	})
}

func TestWhatBecameProtectedGoesInTheMiddleOfAResync(t *testing.T) {
	inLab(t, opnsensetest.Options{PerCall: perCall}, func(l *lab) {
		l.stop()
		l.settings.Budget.PerMinute = many
		l.impose(many)
		l.start()
		time.Sleep(10 * time.Second)
		mine := numbered(many - 1)
		l.mu.Lock()
		l.refuse[mine] = "the owner, since a moment"
		l.mu.Unlock()
		l.keeper.Wake()
		time.Sleep(3 * time.Second)
		if slices.Contains(l.firewall.Entries(alias), mine) {
			t.Error("after 3 s of a resync what became protected is held")
		}
	})
}

// faulty is a way to a firewall on which every tenth call fails.
type faulty struct {
	*opnsensetest.Firewall
	n atomic.Int64
}

func (f *faulty) RoundTrip(r *http.Request) (*http.Response, error) {
	if f.n.Add(1)%10 == 0 {
		f.Fail(opnsensetest.ServerError, 1)
	}
	return f.Client().RoundTrip(r)
}

// A firewall on which every tenth call fails is slow, not down: nothing waits for
// it half a minute.
func TestResyncOfAFaultyFirewallGoesOn(t *testing.T) {
	inLab(t, opnsensetest.Options{PerCall: perCall}, func(l *lab) {
		l.stop()
		l.settings.Budget.PerMinute = 2000
		l.tenth = true
		l.impose(2000)
		l.start()
		time.Sleep(3 * time.Minute)
		if n := len(l.firewall.Entries(alias)); n != 2000 {
			t.Errorf("after 3 minutes %d of 2000 are held", n)
		}
	})
}

// A list that firewalls pull has all at once what an alias is told one by one.
func TestListAndAliasSideBySide(t *testing.T) {
	inLab(t, opnsensetest.Options{PerCall: perCall}, func(l *lab) {
		l.stop()
		l.settings.Budget.PerMinute = 2000
		l.impose(2000)
		list, both := feed.New(config.Feed{Listen: "127.0.0.1:0"}, "", l.settings.Log), l.settings
		both.Name, both.Place, both.Target, both.Exclusive = "feed", "feed", list, true
		served := enforce.NewKeeper(both)
		ctx, cancel := context.WithCancel(l.Context())
		done := make(chan error, 1)
		go func() { done <- served.Run(ctx) }()
		l.start()
		if got, err := list.Held(l.Context()); err != nil || len(got) != 2000 {
			t.Errorf("after a second the list has %d (%v), want 2000", len(got), err)
		}
		b := l.ban(subject(1), time.Hour)
		time.Sleep(time.Second)
		if got, err := list.Held(l.Context()); err != nil || !slices.Contains(got, b.Subject) || !slices.Contains(l.firewall.Entries(alias), b.Subject) {
			t.Errorf("a new ban is not in both after a second (%v)", err)
		}
		time.Sleep(2 * time.Minute)
		if n := len(l.firewall.Entries(alias)); n != 2001 {
			t.Errorf("the alias has %d, want 2001", n)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestEachNodeOfAPairIsKeptOnItsOwn(t *testing.T) {
	inLab(t, opnsensetest.Options{PerCall: perCall}, func(l *lab) {
		second := opnsensetest.New(opnsensetest.Options{PerCall: perCall})
		first, stop := l.firewall, l.stop
		l.firewall, l.settings.Name, l.settings.Place = second, "backup", "backup"
		l.start()
		defer stop()
		first.Fail(opnsensetest.Hang, -1)
		var want []netip.Prefix
		for i := range 50 {
			b, at := l.ban(subject(i), time.Hour), time.Now()
			want = append(want, b.Subject)
			for !slices.Contains(second.Entries(alias), b.Subject) && time.Since(at) < time.Minute {
				time.Sleep(10 * time.Millisecond)
			}
			if d := time.Since(at); d > time.Second {
				t.Errorf("the node that answers got a ban after %v, because the other hangs", d)
			}
		}
		l.holds(want...)
		first.Heal()
		time.Sleep(2 * time.Minute)
		l.firewall = first
		l.holds(want...)
	})
}

// A library is a target whose list takes seconds, and whose answers about one
// entry do not.
type library struct {
	*wall
	asked int
	lies  bool // it says of nothing that it is there
}

func (l *library) Held(ctx context.Context) ([]netip.Prefix, error) {
	all, err := l.wall.Held(ctx)
	time.Sleep(4 * time.Second)
	return all, err
}

func (l *library) Holds(_ context.Context, p netip.Prefix) (held, known bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	return l.held[p] && !l.lies, true, nil
}

func TestNewBanIsProvenAloneWhereListsAreSlow(t *testing.T) {
	inLab(t, opnsensetest.Options{}, func(l *lab) {
		l.stop()
		lib := &library{wall: &wall{held: map[netip.Prefix]bool{}, added: map[netip.Prefix]time.Time{}}}
		l.settings.Target = lib
		l.run()
		time.Sleep(10 * time.Second)
		for i := range 10 {
			if d := l.heldAfter(l.ban(subject(i), time.Hour).Subject, time.Minute); d >= 2*time.Second {
				t.Errorf("a new ban was held after %v, want less than 2s", d)
			}
		}
		lib.mu.Lock()
		lib.swallow = subject(20)
		lib.mu.Unlock()
		if d := l.heldAfter(l.ban(subject(20), time.Hour).Subject, time.Minute); d < time.Minute {
			t.Errorf("what is not there was called held after %v", d)
		}
		lib.mu.Lock()
		asked := lib.asked
		lib.mu.Unlock()
		for i := range 100 { // a burst is for a list
			l.ban(subject(100+i), time.Hour)
		}
		time.Sleep(2 * time.Minute)
		lib.mu.Lock()
		defer lib.mu.Unlock()
		if n := lib.asked - asked; n > 40 {
			t.Errorf("100 bans at once were asked for alone %d times, want few", n)
		}
		if s := l.keeper.Status(); s.Held != 110 {
			t.Errorf("%d are held, want 110", s.Held)
		}
	})
}

func TestFloodOfBansDoesNotWaitForConnectionsToEnd(t *testing.T) {
	inLab(t, opnsensetest.Options{PerCall: perCall}, func(l *lab) {
		l.stop()
		l.states = true
		l.start()
		for i := range 40 {
			l.firewall.SetStates(append(l.firewall.States(), opnsensetest.State{ID: "1/a", Src: subject(i).Addr().String(), Dst: "192.168.1.9"})...)
		}
		for i := range 40 {
			l.ban(subject(i), time.Hour)
		}
		time.Sleep(2 * time.Second)
		if n := len(l.firewall.Entries(alias)); n != 40 {
			t.Errorf("after 2 s %d of 40 bans are held: they wait for something", n)
		}
		time.Sleep(20 * time.Second)
		if n := len(l.firewall.States()); n > 0 {
			t.Errorf("%d connections go on", n)
		}
		synctest.Wait()
	})
}
