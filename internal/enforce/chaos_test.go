package enforce_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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

// How many steps each run of TestChaos makes, and the only seed to run.
const (
	chaosSteps = "EDGEBAN_CHAOS_STEPS"
	chaosSeed  = "EDGEBAN_CHAOS_SEED"
)

// A chaos plays everything that goes wrong between a ledger and a firewall, and
// keeps its own book of what must be true whenever that stops for a while.
type chaos struct {
	*testing.T
	rand     *rand.Rand
	dir      string
	ledgers  int // opened so far
	store    *sqlite.Store
	firewall *opnsensetest.Firewall
	keeper   *enforce.Keeper
	stop     func()
	trail    []string // what was done since it was quiet last

	mu        sync.Mutex
	offset    time.Duration // of the wall clock
	doubt     string
	doubted   time.Time // since when
	emptied   time.Time // when somebody took anything away last
	rebooted  time.Time // when that was all
	stepped   time.Time // when the clock was changed last
	partial   bool
	protected map[netip.Prefix]time.Time // since when
	foreign   map[netip.Prefix]time.Time // put there by somebody else, and when
	life      time.Time                  // when this keeper was started
	refills   int                        // how often the budget may have been filled meanwhile
	fresh     int                        // entries that this keeper was the first to send
}

const chaosBudget = 120

func TestChaos(t *testing.T) {
	steps := 500
	if text := os.Getenv(chaosSteps); text != "" {
		var err error
		if steps, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	seeds := []uint64{1, 2, 3, 4}
	if text := os.Getenv(chaosSeed); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seeds = []uint64{seed}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) { playChaos(t, dir, seed, steps) })
		})
	}
}

func playChaos(t *testing.T, dir string, seed uint64, steps int) {
	c := &chaos{
		T: t, rand: rand.New(rand.NewPCG(seed, 0)), dir: dir,
		protected: map[netip.Prefix]time.Time{netip.MustParsePrefix("203.0.113.7/32"): {}, netip.MustParsePrefix("2001:db8:0:5::1/128"): {}},
		foreign:   map[netip.Prefix]time.Time{},
	}
	o := opnsensetest.Options{Latency: true}
	if seed%2 == 0 { // the key may read what kind of alias it is
		o.Users = []opnsensetest.User{{Name: "edgeban", Key: opnsensetest.Key, Secret: opnsensetest.Secret, Privileges: []string{opnsensetest.Tables, opnsensetest.AliasView}}}
	}
	c.firewall = opnsensetest.New(o)
	c.open()
	c.start()
	defer func() { c.stop(); c.store.Close() }()
	for i := range steps {
		c.act()
		time.Sleep(time.Duration(c.rand.Int64N(int64(20 * time.Second))))
		if i%50 == 49 {
			c.quiet()
		}
		if t.Failed() {
			t.Fatalf("seed %d, step %d (%s=%d replays it); before that:\n%s", seed, i, chaosSeed, seed, strings.Join(c.trail, "\n"))
		}
	}
}

func (c *chaos) open() {
	c.ledgers++
	s, err := sqlite.Open(filepath.Join(c.dir, fmt.Sprintf("ledger%d.db", c.ledgers)), sqlite.Options{Now: time.Now()})
	if err != nil {
		c.Fatal(err)
	}
	c.store = s
}

func (c *chaos) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset)
}

func (c *chaos) start() {
	a, err := opnsense.NewWithTransport(c.firewall.Config(), watched{c})
	if err != nil {
		c.Fatal(err)
	}
	c.mu.Lock()
	c.life, c.refills, c.fresh = time.Now(), 0, 0
	c.mu.Unlock()
	c.keeper = enforce.NewKeeper(enforce.Settings{
		Name: "edge", Place: "edge", Target: a, Ledger: book{c.store, c}, Every: 50 * time.Second, Log: slog.New(slog.DiscardHandler),
		Budget: config.Budget{PerMinute: chaosBudget, Entries: 50_000, IPv4: 24, IPv6: 56},
		Sends:  func(edgeban.Ban) bool { return true }, Now: c.now,
		Refuse:  func(b edgeban.Ban) string { return c.refusal(b.Subject) },
		Doubt:   func() string { c.mu.Lock(); defer c.mu.Unlock(); return c.doubt },
		Partial: func() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.partial },
	})
	ctx, cancel := context.WithCancel(c.Context())
	done := make(chan error, 1)
	go func() { done <- c.keeper.Run(ctx) }()
	c.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			c.Errorf("keeper: %v", err)
		}
	})
}

func (c *chaos) refusal(p netip.Prefix) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for q := range c.protected {
		if p.Overlaps(q) {
			return "protected"
		}
	}
	return ""
}

// watched is the way to the firewall. It sees what is sent before that is.
type watched struct{ c *chaos }

func (w watched) RoundTrip(r *http.Request) (*http.Response, error) {
	if add, del := strings.Contains(r.URL.Path, "/add/"), strings.Contains(r.URL.Path, "/delete/"); add || del {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		var say struct{ Address string }
		if err := json.Unmarshal(body, &say); err != nil {
			return nil, err
		}
		w.c.judge(add, say.Address)
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(strings.NewReader(string(body)))
	}
	return w.c.firewall.Client().RoundTrip(r)
}

// judge holds each call to what may never happen.
func (c *chaos) judge(add bool, text string) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		a, err := netip.ParseAddr(text)
		if err != nil {
			c.Errorf("%q was sent, which is no address", text)
			return
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !add {
		if _, theirs := c.foreign[p]; theirs {
			c.Errorf("%v was removed, which somebody else put there", p)
		}
		barred := false
		for q := range c.protected {
			barred = barred || p.Overlaps(q)
		}
		if c.doubt != "" && time.Since(c.doubted) > 5*time.Minute && !barred {
			c.Errorf("%v was removed although %s", p, c.doubt)
		}
		return
	}
	for q, since := range c.protected {
		if p.Overlaps(q) && time.Since(since) > 10*time.Minute {
			c.Errorf("%v was sent, and %v is protected", p, q)
		}
	}
	if p.Addr().Is4() && p.Bits() < 24 || p.Addr().Is6() && p.Bits() < 56 {
		c.Errorf("%v was sent, which is wider than the budget allows", p)
	}
	known, err := c.store.Holdings(context.Background(), "edge")
	if err != nil {
		c.Error(err)
		return
	}
	if h, ok := known.Of(p); !ok || h.Sent.IsZero() {
		c.Errorf("%v was sent, and the ledger knows of %+v: it would be somebody else's", p, h)
	}
}

// book is the ledger, of which the budget is seen: it bounds what is about to be
// sent for the first time.
type book struct {
	*sqlite.Store
	c *chaos
}

func (b book) Note(ctx context.Context, hs []edgeban.Held, notices []edgeban.Notice) error {
	known, err := b.Holdings(ctx, "edge")
	if err != nil {
		return err
	}
	listed := b.c.firewall.Entries(alias)
	b.c.mu.Lock()
	for _, h := range hs {
		if before, _ := known.Of(h.Subject); before.Held.IsZero() && !h.Held.IsZero() && h.Released.IsZero() && time.Since(b.c.emptied) > 2*time.Minute {
			if !slices.ContainsFunc(listed, func(p netip.Prefix) bool { return p.Bits() <= h.Subject.Bits() && p.Overlaps(h.Subject) }) {
				b.c.Errorf("%v was called held, and is not there", h.Subject)
			}
		}
		if before, _ := known.Of(h.Subject); before.Sent.IsZero() && !h.Sent.IsZero() && h.Held.IsZero() {
			b.c.fresh++
		}
	}
	minutes := int(time.Since(b.c.life)/time.Minute) + 1
	if most := chaosBudget * (1 + b.c.refills + minutes); b.c.fresh > most {
		b.c.Errorf("%d new entries were sent in %d minutes, want %d at most", b.c.fresh, minutes, most)
	}
	b.c.mu.Unlock()
	return b.Store.Note(ctx, hs, notices)
}

func (c *chaos) note(format string, args ...any) {
	c.trail = append(c.trail, fmt.Sprintf("%v ", time.Now().Format(time.TimeOnly))+fmt.Sprintf(format, args...))
}

func (c *chaos) chance(n int) bool { return c.rand.IntN(n) == 0 }

// subject is what somebody might ban: few addresses, so that all comes together.
func (c *chaos) subject() netip.Prefix {
	n := byte(c.rand.IntN(250))
	switch c.rand.IntN(12) {
	case 0:
		return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 0x0d, 0xb8, 7: n % 16}), 64)
	case 1:
		return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 0x0d, 0xb8, 7: n % 16, 15: n % 4}), 128)
	case 2:
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 100 + n%16, 0}), 24)
	case 3: // too wide
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{203, n % 4, 0, 0}), 16)
	}
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 100 + n%16, byte(c.rand.IntN(250))}), 32)
}

func (c *chaos) ban(n int) {
	var vs []edgeban.Verdict
	for range n {
		b := edgeban.Ban{Key: edgeban.Key{Jail: []string{"sshd", "dovecot"}[c.rand.IntN(2)], Subject: c.subject()}, Since: c.now()}
		if c.recentlyForeign(b.Subject) {
			continue // who was first is not known to anybody
		}
		b.Addr = b.Subject.Addr()
		if !c.chance(50) {
			b.Until = b.Since.Add(time.Minute + time.Duration(c.rand.Int64N(int64(time.Hour))))
		}
		vs = append(vs, edgeban.Verdict{Ban: b})
	}
	if err := c.store.Impose(c.Context(), vs...); err != nil {
		c.Fatal(err)
	}
}

// recentlyForeign reports whether somebody put p there since the last list.
func (c *chaos) recentlyForeign(p netip.Prefix) bool {
	looked := c.keeper.Status().Looked
	c.mu.Lock()
	defer c.mu.Unlock()
	at, theirs := c.foreign[p]
	return theirs && (c.offset != 0 || !looked.After(at.Add(time.Minute)))
}

func (c *chaos) lift() {
	standing, err := c.store.Standing(c.Context(), c.now())
	if err != nil {
		c.Fatal(err)
	}
	all := slices.Collect(standing)
	if len(all) == 0 {
		return
	}
	b := all[c.rand.IntN(len(all))]
	c.note("lift %v in %s", b.Subject, b.Jail)
	if err := c.store.Lift(c.Context(), edgeban.Lift{Key: b.Key, At: c.now(), By: "a person"}); err != nil {
		c.Fatal(err)
	}
}

// insert puts an entry there as somebody else does, if nobody wants it or knows of
// it: else it is ours.
func (c *chaos) insert() {
	p := c.subject()
	if c.chance(2) {
		p = netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(c.rand.IntN(50))}), 32)
	}
	standing, err := c.store.Standing(c.Context(), c.now().Add(-time.Hour))
	if err != nil {
		c.Fatal(err)
	}
	for b := range standing {
		if b.Subject == p {
			return
		}
	}
	known, err := c.store.Holdings(c.Context(), "edge")
	if err != nil {
		c.Fatal(err)
	}
	if _, ours := known.Of(p); ours || slices.Contains(c.firewall.Entries(alias), p) {
		return
	}
	c.note("somebody inserts %v", p)
	c.mu.Lock()
	c.foreign[p] = time.Now()
	c.mu.Unlock()
	c.firewall.Insert(alias, spelled(p))
}

func spelled(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// remove takes any entry away as somebody else does.
func (c *chaos) remove() {
	all := c.firewall.Entries(alias)
	if len(all) == 0 {
		return
	}
	p := all[c.rand.IntN(len(all))]
	c.note("somebody removes %v", p)
	c.firewall.Remove(alias, spelled(p))
	c.mu.Lock()
	c.emptied = time.Now()
	delete(c.foreign, p)
	c.mu.Unlock()
}

// empty is a reboot, or somebody who flushes the alias.
func (c *chaos) empty() {
	c.note("reboot with %d entries", len(c.firewall.Entries(alias)))
	c.firewall.Reboot()
	c.mu.Lock()
	c.emptied, c.rebooted = time.Now(), time.Now()
	clear(c.foreign)
	c.mu.Unlock()
}

func (c *chaos) jump() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset = time.Duration(c.rand.Int64N(int64(4*time.Hour))) - 2*time.Hour
	c.doubt, c.doubted, c.stepped = "the clock jumped", time.Now(), time.Now()
	c.refills++
	c.note("the clock is off by %v", c.offset)
}

func (c *chaos) settleClock() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.offset != 0 {
		c.offset, c.stepped = 0, time.Now()
		c.refills++
	}
	c.doubt, c.partial = "", false
}

func (c *chaos) protect() {
	p := c.subject()
	c.note("%v is protected", p)
	c.mu.Lock()
	c.protected[p] = time.Now()
	c.mu.Unlock()
	c.keeper.Wake()
}

func (c *chaos) unprotect() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range slices.SortedFunc(maps.Keys(c.protected), netip.Prefix.Compare) {
		if !c.protected[p].IsZero() {
			c.note("%v is no longer protected", p)
			delete(c.protected, p)
			return
		}
	}
}

// lose loses the ledger: from then on all that is there is somebody else's.
func (c *chaos) lose() {
	c.note("the ledger is lost")
	c.stop()
	if err := c.store.Close(); err != nil {
		c.Fatal(err)
	}
	c.open()
	c.mu.Lock()
	c.doubt, c.doubted, c.partial = "the ledger was lost", time.Now(), true
	for _, p := range c.firewall.Entries(alias) {
		if _, theirs := c.foreign[p]; !theirs {
			c.foreign[p] = time.Now()
		}
	}
	c.mu.Unlock()
	c.start()
}

func (c *chaos) fault() {
	faults := []opnsensetest.Fault{
		opnsensetest.Refused, opnsensetest.Hang, opnsensetest.Unauthorized, opnsensetest.Forbidden, opnsensetest.ServerError,
		opnsensetest.BadGateway, opnsensetest.Page, opnsensetest.Half, opnsensetest.Lost,
	}
	f, calls := faults[c.rand.IntN(len(faults))], []int{1, 3, 20, -1}[c.rand.IntN(4)]
	c.note("fault %d for %d calls", f, calls)
	c.firewall.Fail(f, calls)
}

func (c *chaos) act() {
	switch n := c.rand.IntN(100); {
	case n < 35:
		n := 1 + c.rand.IntN(4)
		c.note("%d bans", n)
		c.ban(n)
	case n < 38:
		n := 20 + c.rand.IntN(300)
		c.note("%d bans at once", n)
		c.ban(n)
	case n < 48:
		c.lift()
	case n < 58:
		c.fault()
	case n < 61:
		d := time.Duration(c.rand.Int64N(int64(40 * time.Second)))
		c.note("each answer takes %v", d)
		c.firewall.Slow(d)
	case n < 73:
		c.note("the firewall is well")
		c.firewall.Heal()
	case n < 76:
		c.empty()
	case n < 82:
		c.insert()
	case n < 86:
		c.remove()
	case n < 88:
		c.jump()
	case n < 90:
		c.note("the clock is right")
		c.settleClock()
	case n < 95:
		c.note("the daemon is killed")
		c.stop()
		time.Sleep(time.Duration(c.rand.Int64N(int64(time.Minute))))
		c.start()
	case n < 97:
		c.protect()
	case n < 98:
		c.unprotect()
	case n < 99 && c.chance(2):
		c.lose()
	default:
		c.note("time goes by")
		time.Sleep(10 * time.Minute)
	}
}

// quiet lets everything be well until nothing moves, and looks at what there is.
// What is not right then never will be.
func (c *chaos) quiet() {
	c.firewall.Heal()
	c.settleClock()
	wrong := c.problems()
	for start := time.Now(); len(wrong) > 0 && time.Since(start) < 45*time.Minute; wrong = c.problems() {
		time.Sleep(10 * time.Second)
	}
	for _, text := range wrong[:min(len(wrong), 10)] {
		c.Error(text)
	}
	if !c.Failed() {
		c.trail = c.trail[:0]
	}
}

// want returns what the alias must hold of ours.
func (c *chaos) want() map[netip.Prefix]bool {
	standing, err := c.store.Standing(c.Context(), c.now())
	if err != nil {
		c.Fatal(err)
	}
	want := map[netip.Prefix]bool{}
	for b := range standing {
		tooWide := b.Subject.Addr().Is4() && b.Subject.Bits() < 24
		if !tooWide && c.refusal(b.Subject) == "" {
			want[b.Subject] = true
		}
	}
	return want
}

// problems says where alias = ledger + foreign does not hold.
func (c *chaos) problems() (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	known, err := c.store.Holdings(c.Context(), "edge")
	if err != nil {
		c.Fatal(err)
	}
	want, held, status := c.want(), c.firewall.Entries(alias), c.keeper.Status()
	c.mu.Lock()
	defer c.mu.Unlock()
	for p := range want {
		if !slices.ContainsFunc(held, func(q netip.Prefix) bool { return q.Bits() <= p.Bits() && q.Overlaps(p) }) {
			say("%v is wanted and not held", p)
		}
		h, ok := known.Of(p)
		if _, theirs := c.foreign[p]; !ok || h.Held.IsZero() || theirs && h.Ours() {
			say("%v is wanted (foreign: %v), and the ledger knows of %+v", p, theirs, h)
		}
	}
	for h := range known.All() { // of the last reboot all is known
		if h.Ours() && h.Held.Before(c.rebooted) && !h.Held.IsZero() && c.stepped.Before(c.rebooted) && slices.Contains(held, h.Subject) {
			say("the firewall was rebooted at %v and holds %v, and the ledger has %+v", c.rebooted, h.Subject, h)
		}
	}
	for _, p := range held {
		if _, theirs := c.foreign[p]; !theirs && !want[p] {
			say("%v is held, which nobody wants and nobody else has put there", p)
		}
	}
	for p := range c.foreign {
		if !slices.Contains(held, p) {
			c.Errorf("%v is gone, which somebody else put there", p)
		}
	}
	for h := range known.All() {
		if !want[h.Subject] {
			say("nobody wants %v, and the ledger has %+v", h.Subject, h)
		}
	}
	if s := status; s.Err != nil || s.Waiting+s.Missing+s.Kept > 0 || s.Held != len(want) || s.Sync != (enforce.Sync{}) {
		say("it is quiet, and the status is %+v, want %d held", s, len(want))
	}
	return wrong
}
