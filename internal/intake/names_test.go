package intake

import (
	"context"
	"errors"
	"fmt"
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
	"github.com/edgeban/edgeban/internal/never"
	"github.com/edgeban/edgeban/internal/store/sqlite"
)

// A zone is a resolver that knows some hosts.
type zone struct {
	mu    sync.Mutex
	hosts map[string][]string
	slow  bool // it never answers
	asked []string
}

func (z *zone) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	z.mu.Lock()
	z.asked = append(z.asked, host)
	slow, texts := z.slow, z.hosts[host]
	z.mu.Unlock()
	if slow {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if texts == nil {
		return nil, errors.New("no such host")
	}
	var addrs []netip.Addr
	for _, text := range texts {
		addrs = append(addrs, netip.MustParseAddr(text))
	}
	return addrs, nil
}

func (z *zone) count() int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return len(z.asked)
}

// A desk is a jail with usedns yes that looks names up, and a ledger.
type desk struct {
	*testing.T
	zone   *zone
	ledger *sqlite.Store
	names  *Names
	jail   *Watcher
	base   int64
}

func nameRules(dns config.UseDNS) config.Jail {
	c := config.NewJail("app")
	c.Filter, c.LogPath, c.LogTimezone = "", []string{"/log"}, time.UTC
	c.Rules = &config.Rules{FailRegex: []string{`bad login of <F-USER>\w+</F-USER> from <HOST>$`}, MaxLines: 1, UseDNS: dns, LogEncoding: "auto"}
	return c
}

func newDesk(t *testing.T, c config.Jail, hosts map[string][]string) *desk {
	t.Helper()
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "ledger.db"), sqlite.Options{Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	d := &desk{T: t, zone: &zone{hosts: hosts}, ledger: store}
	d.names = NewNames(d.zone.lookup, store, func() *never.List { return nil })
	if d.jail, err = NewWatcher(c, Settings{Names: d.names, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	d.jail.Protect(t.Context())
	return d
}

// run looks names up until the test ends.
func (d *desk) run() {
	for range 4 {
		go func() {
			if err := d.names.Run(d.Context()); err != nil {
				d.Error(err)
			}
		}()
	}
}

// read scans failures of hosts as a reader does, and returns their chunk.
func (d *desk) read(hosts ...string) edgeban.Chunk {
	var text strings.Builder
	for _, h := range hosts {
		fmt.Fprintf(&text, "%s bad login of alice from %s\n", time.Now().UTC().Format(time.DateTime), h)
	}
	c := edgeban.Chunk{Source: "file", Stream: "s", Origin: "/log", Text: []byte(text.String()), Base: d.base, Read: time.Now(), Live: true}
	d.base += int64(text.Len())
	d.scan(c)
	return c
}

func (d *desk) scan(c edgeban.Chunk) {
	r := &Reader{Ledger: d.ledger, Jails: []*Watcher{d.jail}, Never: func() *never.List { return nil }}
	if err := d.ledger.Record(d.Context(), r.batch(c)); err != nil {
		d.Fatal(err)
	}
}

// recorded returns who failed, as the ledger has it.
func (d *desk) recorded() (who []string) {
	for _, p := range []string{"0.0.0.0/0", "::/0"} {
		rec, err := d.ledger.About(d.Context(), netip.MustParsePrefix(p), 10_000)
		if err != nil {
			d.Fatal(err)
		}
		for _, m := range rec.Matches {
			line := m.Addr.String()
			if m.Ignored != "" {
				line += " ignored"
			}
			who = append(who, line)
		}
	}
	slices.Sort(who)
	return who
}

func TestEachAddressOfAHostFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := nameRules(config.Yes)
		c.IgnoreIP = []string{"198.51.100.0/24"}
		d := newDesk(t, c, map[string][]string{
			"bad.example":  {"203.0.113.9", "2001:db8::9", "::ffff:203.0.113.9", "0.0.0.0"},
			"ours.example": {"198.51.100.7"},
		})
		d.run()
		d.read("203.0.113.1", "bad.example", "BAD.example", "ours.example", "nobody.example")
		synctest.Wait()
		want := []string{"198.51.100.7 ignored", "2001:db8::9", "2001:db8::9", "203.0.113.1", "203.0.113.9", "203.0.113.9"}
		if got := d.recorded(); !slices.Equal(got, want) {
			t.Errorf("the ledger has %q, want %q", got, want)
		}
		if s := d.jail.Stats(); s.Failures != 5 || s.Ignored != 1 || s.Names != 1 {
			t.Errorf("%+v, want 5 failures, one ignored, and one name that nobody knows", s)
		}
		rec, err := d.ledger.About(t.Context(), netip.MustParsePrefix("203.0.113.9/32"), 1)
		if err != nil || len(rec.Matches) != 1 || rec.Matches[0].User != "alice" || !strings.Contains(rec.Matches[0].Text, "bad login of alice") || rec.Matches[0].Jail != "app" {
			t.Errorf("got %+v %v, want the evidence of the line", rec.Matches, err)
		}
	})
}

func TestNameIsAskedForOnceInFiveMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, nameRules(config.Yes), map[string][]string{"bad.example": {"203.0.113.9"}})
		d.run()
		for range 10 {
			d.read("bad.example", "nobody.example")
			time.Sleep(20 * time.Second)
		}
		before := d.zone.count()
		if n := len(d.recorded()); before != 2 || n != 10 {
			t.Errorf("the resolver was asked %d times for two names, and %d failures counted, want 2 and 10", before, n)
		}
		time.Sleep(keptFor)
		d.read("bad.example")
		synctest.Wait()
		if n := d.zone.count(); n != before+1 {
			t.Errorf("%d questions after the answer has expired, want one", n-before)
		}
	})
}

func TestSlowResolverHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, nameRules(config.Yes), nil)
		d.zone.slow = true
		d.run()
		began := time.Now()
		const flood = 3000
		var hosts []string
		for i := range flood {
			hosts = append(hosts, fmt.Sprintf("h%d.example", i))
		}
		d.read(append(hosts, "203.0.113.1")...)
		if took := time.Since(began); took != 0 {
			t.Errorf("the reader waited %v for names", took)
		}
		if got := d.recorded(); !slices.Equal(got, []string{"203.0.113.1"}) {
			t.Errorf("the ledger has %q, want the address beside the names", got)
		}
		if n := len(d.names.queue); n > maxQueue {
			t.Errorf("%d names wait, want %d at most", n, maxQueue)
		}
		time.Sleep(patience * (maxQueue/4 + 2))
		if n := d.jail.Stats().Names; n != flood {
			t.Errorf("%d names do not count, want all %d", n, flood)
		}
	})
}

func TestNameThatIsReadAgainCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, nameRules(config.Yes), map[string][]string{"bad.example": {"203.0.113.9", "203.0.113.10"}})
		d.run()
		c := d.read("bad.example", "bad.example")
		synctest.Wait()
		d.scan(c) // as after a kill before the cursor was saved
		synctest.Wait()
		if got := d.recorded(); len(got) != 4 {
			t.Errorf("the ledger has %q, want two failures of two addresses", got)
		}
		before := d.zone.count()
		time.Sleep(keptFor) // the answer is forgotten
		c.Seen = true
		d.jail.recall(c)
		synctest.Wait()
		if n := d.zone.count(); n != before {
			t.Errorf("%d questions for lines that were recorded before a restart", n-before)
		}
	})
}

func TestNameIsLookedUpOnlyWhereThatIsAskedFor(t *testing.T) {
	for _, dns := range []config.UseDNS{config.Warn, config.No, config.Raw} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk(t, nameRules(dns), map[string][]string{"bad.example": {"203.0.113.9"}})
			d.run()
			d.read("bad.example", "203.0.113.1")
			synctest.Wait()
			if n := d.zone.count(); n != 0 {
				t.Errorf("usedns %s: %d questions, want none", dns, n)
			}
			if got := d.recorded(); !slices.Equal(got, []string{"203.0.113.1"}) {
				t.Errorf("usedns %s: the ledger has %q, want the address alone", dns, got)
			}
			if n := d.jail.Stats().Names; dns == config.Warn && n != 1 {
				t.Errorf("usedns warn: %d names are told, want 1", n)
			}
		})
	}
}

func TestRememberedAnswersAreBounded(t *testing.T) {
	n := NewNames(nil, nil, nil)
	for i := range 3 * maxKept {
		n.keep(fmt.Sprint(i), nil)
	}
	if len(n.kept) != maxKept {
		t.Errorf("%d answers are kept, want %d", len(n.kept), maxKept)
	}
	if _, ok := n.kept[fmt.Sprint(3*maxKept-1)]; !ok {
		t.Error("the newest was forgotten")
	}
}
