package never

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// zone is a resolver: what it does not know has no such name, and when it is
// down it answers nobody.
type zone struct {
	mu    sync.Mutex
	addrs map[string][]string
	down  bool
	asked int
}

func (z *zone) set(host string, addrs ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.down = false
	z.addrs[host] = addrs
}

func (z *zone) fail() {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.down = true
}

func (z *zone) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.asked++
	addrs, ok := z.addrs[host]
	switch {
	case z.down:
		return nil, &net.DNSError{Err: "i/o timeout", Name: host, IsTimeout: true}
	case !ok:
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	var got []netip.Addr
	for _, a := range addrs {
		got = append(got, netip.MustParseAddr(a))
	}
	return got, nil
}

func newZone() *zone { return &zone{addrs: make(map[string][]string)} }

// bare returns a Finder of a host with nothing, and what it logs.
func bare(t *testing.T, z *zone) (*Finder, *bytes.Buffer) {
	var log bytes.Buffer
	return &Finder{
		Root:       t.TempDir(),
		Resolver:   z.lookup,
		Interfaces: func() (map[string][]netip.Addr, error) { return nil, nil },
		Log:        slog.New(slog.NewTextHandler(&log, nil)),
	}, &log
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func wantWhy(t *testing.T, l *List, addr, want string) {
	t.Helper()
	if why, _ := l.Contains(netip.MustParseAddr(addr)); why != want {
		t.Errorf("%s: protected for %q, want %q", addr, why, want)
	}
}

func TestWhatTheHostIsAndLeansOn(t *testing.T) {
	f, _ := bare(t, newZone())
	f.Interfaces = func() (map[string][]netip.Addr, error) {
		return map[string][]netip.Addr{"eth0": {netip.MustParseAddr("172.18.0.5"), netip.MustParseAddr("2001:db8::5")}}, nil
	}
	write(t, filepath.Join(f.Root, "proc/net/route"),
		"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"+
			"eth0\t00000000\t010012AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"+
			"eth0\t000012AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\nbroken\n")
	write(t, filepath.Join(f.Root, "proc/net/ipv6_route"),
		"00000000000000000000000000000000 00 00000000000000000000000000000000 00 20010db8000000000000000000000001 00000400 00000002 00000000 00000003     eth0\n"+
			"20010db8000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0\nzz\n")
	write(t, filepath.Join(f.Root, "etc/resolv.conf"), "# ours\nsearch lan\nnameserver 192.168.123.1 # the router\nnameserver\nnameserver 2001:db8::53\n")
	write(t, filepath.Join(f.Root, "etc/hosts"), "127.0.0.1 localhost\n172.17.0.1\thost.docker.internal\n203.0.113.80 elsewhere\n")
	l := f.Find(t.Context())
	for addr, want := range map[string]string{
		"172.18.0.5":      "an own address of this host (eth0)",
		"2001:db8::5":     "an own address of this host (eth0)",
		"172.18.0.1":      "a gateway of this host (eth0)",
		"2001:db8::1":     "a gateway of this host (eth0)",
		"192.168.123.1":   "resolver in /etc/resolv.conf",
		"2001:db8::53":    "resolver in /etc/resolv.conf",
		"172.17.0.1":      "the machine under this container (host.docker.internal)",
		"127.0.0.53":      "loopback",
		"::1":             "loopback",
		"0.0.0.0":         "the unspecified network",
		"::":              "the unspecified address",
		"224.0.0.1":       "multicast",
		"ff02::1":         "multicast",
		"169.254.7.7":     "link-local",
		"fe80::1%eth0":    "link-local",
		"255.255.255.255": "broadcast",
		"172.18.0.6":      "", // the network of an interface may hold attackers
		"2001:db8::6":     "",
		"203.0.113.80":    "",
	} {
		wantWhy(t, l, addr, want)
	}
	if p := f.Problems(); len(p) > 0 {
		t.Errorf("problems %q, want none", p)
	}
	f.Never, f.Hosts = []string{"172.18.0.1", "192.0.2.0/24"}, []string{"https://192.168.123.1", "192.0.2.7:443"}
	l = f.Find(t.Context())
	for addr, want := range map[string]Role{
		"172.18.0.5": Own, "2001:db8::5": Own, "172.18.0.1": Gateway, "2001:db8::1": Gateway, "172.17.0.1": Gateway,
		"192.168.123.1": Peer, "192.0.2.7": Peer, "192.0.2.8": Stranger, "172.18.0.6": Stranger, "127.0.0.1": Stranger,
	} {
		if got := l.Role(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: role %d, want %d, whoever else names it", addr, got, want)
		}
	}
}

func TestThisVeryHostIsProtected(t *testing.T) {
	l := (&Finder{}).Find(t.Context())
	addrs, err := net.InterfaceAddrs()
	if err != nil || len(addrs) == 0 {
		t.Fatalf("%d addresses, %v", len(addrs), err)
	}
	for _, a := range addrs {
		addr, _ := netip.AddrFromSlice(a.(*net.IPNet).IP)
		if _, ok := l.Contains(addr); !ok {
			t.Errorf("own address %s is not protected", addr)
		}
	}
}

func TestTheOwnersWordsAndWhatTheConfigurationTalksTo(t *testing.T) {
	z := newZone()
	z.set("home.example.org", "203.0.113.9", "2001:db8::9")
	z.set("ntfy.example.org", "198.51.100.4", "0.0.0.0")
	f, _ := bare(t, z)
	f.Never = []string{"Home.example.org", "192.0.2.0/24, 198.51.100.77"}
	f.Hosts = []string{"https://ntfy.example.org/topic", "192.168.123.1:443"}
	l := f.Find(t.Context())
	wantWhy(t, l, "203.0.113.9", "never: Home.example.org")
	wantWhy(t, l, "2001:db8::9", "never: Home.example.org")
	wantWhy(t, l, "192.0.2.200", "never: 192.0.2.0/24")
	wantWhy(t, l, "198.51.100.77", "never: 198.51.100.77")
	wantWhy(t, l, "198.51.100.4", "ntfy.example.org, which the configuration talks to")
	wantWhy(t, l, "192.168.123.1", "192.168.123.1, which the configuration talks to")
	wantWhy(t, l, "203.0.113.10", "")
}

func TestAMovingHomeIsCoveredAtBothPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := newZone()
		f, _ := bare(t, z)
		f.Never = []string{"home.example.org"}
		z.set("home.example.org", "203.0.113.9")
		f.Find(t.Context())

		time.Sleep(3 * time.Hour)
		z.set("home.example.org", "203.0.113.10")
		f.Find(t.Context())
		time.Sleep(59 * time.Minute)
		l := f.Find(t.Context())
		wantWhy(t, l, "203.0.113.9", "never: home.example.org")
		wantWhy(t, l, "203.0.113.10", "never: home.example.org")

		time.Sleep(2 * time.Minute)
		l = f.Find(t.Context())
		wantWhy(t, l, "203.0.113.9", "")
		wantWhy(t, l, "203.0.113.10", "never: home.example.org")
	})
}

func TestADeadResolverForgetsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := newZone()
		f, log := bare(t, z)
		f.Never = []string{"home.example.org"}
		z.set("home.example.org", "203.0.113.9")
		f.Find(t.Context())
		z.fail()
		for range 10 {
			time.Sleep(24 * time.Hour)
			wantWhy(t, f.Find(t.Context()), "203.0.113.9", "never: home.example.org")
		}
		z.set("home.example.org") // an empty answer
		wantWhy(t, f.Find(t.Context()), "203.0.113.9", "never: home.example.org")
		z.set("home.example.org", "0.0.0.0") // a blocking resolver's
		f.Find(t.Context())
		time.Sleep(2 * grace)
		wantWhy(t, f.Find(t.Context()), "203.0.113.9", "never: home.example.org")
		if log.Len() > 0 {
			t.Errorf("logged %q, want nothing: it is still protected", log)
		}
	})
}

func TestANameWithoutAddressIsSaidOnce(t *testing.T) {
	z := newZone()
	f, log := bare(t, z)
	f.Never, f.Hosts = []string{"nowhere.example.org", "192.0.2.300"}, []string{"https://ntfy.example.net/"}
	for range 3 {
		f.Find(t.Context())
	}
	want := []string{
		`never: "192.0.2.300" is neither an address, a network nor a name`,
		"never: nowhere.example.org is not protected: no such name",
		"ntfy.example.net, which the configuration talks to, is not protected: no such name",
	}
	if got := f.Problems(); !slices.Equal(got, want) {
		t.Errorf("problems %q, want %q", got, want)
	}
	if n := strings.Count(log.String(), "\n"); n != 3 {
		t.Errorf("%d lines logged, want 3:\n%s", n, log)
	}
	z.set("nowhere.example.org", "203.0.113.9")
	f.Never, f.Hosts = f.Never[:1], nil
	f.Find(t.Context())
	if p := f.Problems(); len(p) > 0 {
		t.Errorf("problems %q once it resolves, want none", p)
	}
}

func TestAHugeAnswerIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := newZone()
		f, _ := bare(t, z)
		f.Never = []string{"pool.example.org"}
		for look := range 50 {
			var addrs []string
			for i := range 250 {
				addrs = append(addrs, fmt.Sprintf("198.18.%d.%d", look, i))
			}
			z.set("pool.example.org", addrs...)
			l := f.Find(t.Context())
			if n := len(l.entries) - len(always()); n > maxKept {
				t.Fatalf("%d addresses kept, want at most %d", n, maxKept)
			}
			wantWhy(t, l, fmt.Sprintf("198.18.%d.0", look), "never: pool.example.org")
			time.Sleep(time.Second)
		}
	})
}

func TestLookupsAreBoundedInTimeAndNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		running, most := 0, 0
		f, _ := bare(t, newZone())
		f.Resolver = func(ctx context.Context, host string) ([]netip.Addr, error) {
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			<-ctx.Done() // a resolver that never answers
			mu.Lock()
			running--
			mu.Unlock()
			return nil, ctx.Err()
		}
		for i := range 1000 {
			f.Never = append(f.Never, fmt.Sprintf("h%d.example.org", i))
		}
		start := time.Now()
		f.Find(t.Context())
		if took, limit := time.Since(start), maxNames/lookups*lookupTime; took > limit {
			t.Errorf("one look took %v, want at most %v", took, limit)
		}
		if most > lookups {
			t.Errorf("%d lookups at a time, want at most %d", most, lookups)
		}
		if p := f.Problems(); p[0] != "744 names are not protected: only 256 are looked up; write networks" {
			t.Errorf("the first problem is %q", p[0])
		}
	})
}

func TestALostFileOfWordsOpensNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "our office")
	write(t, path, "# the office\n203.0.113.0/28, 198.51.100.7 ; two\n\nbad!word\n2001:db8:1::/48")
	f := NewIgnore([]string{"192.0.2.0/24", "file:" + path}, nil)
	check := func() {
		t.Helper()
		l := f.Find(t.Context())
		wantWhy(t, l, "192.0.2.1", "ignoreip: 192.0.2.0/24")
		wantWhy(t, l, "203.0.113.4", "ignoreip: file "+path)
		wantWhy(t, l, "198.51.100.7", "ignoreip: file "+path)
		wantWhy(t, l, "2001:db8:1::1", "ignoreip: file "+path)
		wantWhy(t, l, "127.0.0.1", "") // a jail's words are no more than its words
	}
	check()
	if got, want := f.Problems(), `ignoreip: `+path+`:4: "bad!word" is neither an address, a network nor a name`; len(got) != 1 || got[0] != want {
		t.Errorf("problems %q, want %q", got, want)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	check()
	if got := f.Problems(); len(got) == 0 || !strings.Contains(got[0], "file "+path+" cannot be read") {
		t.Errorf("problems %q, want that the file cannot be read", got)
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	check()
}

func TestAHostileFileDoesNotFloodTheLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "words")
	write(t, path, strings.Repeat("bad!"+strings.Repeat("x", 5000)+"\n", 1)+strings.Repeat("a!\nb!\nc!\nd!\ne!\nf!\n", 1000))
	f := NewIgnore([]string{"file:" + path}, nil)
	f.Find(t.Context())
	p := f.Problems()
	if len(p) > maxBad+1 || len(strings.Join(p, "")) > 4000 {
		t.Errorf("%d problems, %d bytes", len(p), len(strings.Join(p, "")))
	}
	write(t, path, strings.Repeat("#", maxFile+1))
	f.Find(t.Context())
	if p := f.Problems(); !strings.Contains(p[0], "is larger than 8 MiB") {
		t.Errorf("problems %q", p)
	}
}

func TestRunPublishesOnlyWhatChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "words")
		write(t, path, "192.0.2.1")
		z := newZone()
		z.set("home.example.org", "203.0.113.9")
		f, _ := bare(t, z)
		f.Never = []string{"home.example.org", "file:" + path}
		var mu sync.Mutex
		var lists []*List
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			done <- f.Run(ctx, 5*time.Minute, func(l *List) { mu.Lock(); lists = append(lists, l); mu.Unlock() })
		}()
		published := func(want int, when string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if len(lists) != want {
				t.Fatalf("%s: %d lists published, want %d", when, len(lists), want)
			}
		}
		published(1, "at once")
		time.Sleep(time.Hour)
		published(1, "nothing changed")
		z.set("home.example.org", "203.0.113.10")
		time.Sleep(6 * time.Minute)
		published(2, "the name moved")
		write(t, path, "192.0.2.1 192.0.2.2")
		time.Sleep(2 * watchFiles)
		published(3, "the file changed")
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run ended with %v", err)
		}
	})
}

func TestANameThatIsNotThereYetIsAskedForSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := newZone()
		z.fail()
		f, log := bare(t, z)
		f.Never = []string{"home.example.org"}
		lists := make(chan *List, 10)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = f.Run(ctx, time.Hour, func(l *List) { lists <- l }) }()
		wantWhy(t, <-lists, "203.0.113.9", "")
		z.set("home.example.org", "203.0.113.9")
		start := time.Now()
		wantWhy(t, <-lists, "203.0.113.9", "never: home.example.org")
		if took := time.Since(start); took > retryNames {
			t.Errorf("protected after %v, want %v at most", took, retryNames)
		}
		cancel()
		if n := strings.Count(log.String(), "\n"); n != 1 {
			t.Errorf("%d lines logged, want 1:\n%s", n, log)
		}
	})
}

func TestStoppingInTheMiddleOfALookComplainsOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, log := bare(t, newZone())
		f.Never = []string{"home.example.org"}
		f.Resolver = func(ctx context.Context, host string) ([]netip.Addr, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- f.Run(ctx, time.Hour, func(*List) { t.Error("half a look was published") }) }()
		synctest.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run ended with %v", err)
		}
		if log.Len() > 0 {
			t.Errorf("logged %q", log)
		}
	})
}

func TestInterfacesThatCannotBeReadStayKnown(t *testing.T) {
	f, _ := bare(t, newZone())
	f.Interfaces = func() (map[string][]netip.Addr, error) {
		return map[string][]netip.Addr{"eth0": {netip.MustParseAddr("203.0.113.5")}}, nil
	}
	f.Find(t.Context())
	f.Interfaces = func() (map[string][]netip.Addr, error) { return nil, errors.New("netlink: denied") }
	wantWhy(t, f.Find(t.Context()), "203.0.113.5", "an own address of this host (eth0)")
	if p := f.Problems(); len(p) != 1 {
		t.Errorf("problems %q, want one", p)
	}
}

func TestTheOwnersAddressAwayFromHome(t *testing.T) {
	z := newZone()
	z.set("home.example.org", "203.0.113.9")
	z.set("nas.lan", "192.168.123.5")
	for _, c := range []struct {
		never []string
		want  bool
	}{
		{nil, false},
		{[]string{"192.168.123.0/24", "fd00::/8", "nas.lan"}, false},
		{[]string{"192.168.123.0/24", "203.0.113.9"}, true},
		{[]string{"2001:db8::/56"}, true},
		{[]string{"home.example.org"}, true},
		{[]string{"not.there.yet.example.org"}, true},
	} {
		f, _ := bare(t, z)
		f.Never, f.Hosts = c.never, []string{"home.example.org", "203.0.113.1"} // what the configuration talks to is nobody's home
		if got := f.Find(t.Context()).ProtectsOutside(); got != c.want {
			t.Errorf("never: %q protects outside: %v, want %v", c.never, got, c.want)
		}
	}
}
