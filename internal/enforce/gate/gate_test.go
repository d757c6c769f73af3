package gate

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeban/edgeban/internal/enforce"
	"github.com/edgeban/edgeban/internal/enforce/enforcetest"
)

func prefixes(words ...string) (ps []netip.Prefix) {
	for _, w := range words {
		ps = append(ps, netip.MustParsePrefix(w))
	}
	return ps
}

func TestTheGateKeepsTheContractOfTargets(t *testing.T) {
	enforcetest.Run(t, func(t *testing.T) (enforce.Target, enforcetest.Control) {
		g := New("Dovecot")
		return g, enforcetest.Control{Entries: func() []netip.Prefix {
			held, err := g.Held(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range held { // and asked for, it says so
				if !g.Refuses(p.Addr()) {
					t.Errorf("%v is held and not refused", p)
				}
			}
			return held
		}}
	})
}

func TestWhoIsRefused(t *testing.T) {
	g := New("Dovecot")
	if g.Refuses(netip.MustParseAddr("192.0.2.7")) {
		t.Error("refused before anything is known: mail would stop")
	}
	if err := g.Apply(t.Context(), enforce.Diff{Want: prefixes("192.0.2.7/32", "198.51.100.0/24", "2001:db8:9::/64")}); err != nil {
		t.Fatal(err)
	}
	for word, want := range map[string]bool{
		"192.0.2.7": true, "::ffff:192.0.2.7": true, "192.0.2.8": false, "198.51.100.200": true, "198.51.101.1": false,
		"2001:db8:9::77": true, "2001:db8:9::77%eth0": true, "2001:db8:a::1": false, "::": false,
	} {
		if got := g.Refuses(netip.MustParseAddr(word)); got != want {
			t.Errorf("%s refused: %v, want %v", word, got, want)
		}
	}
	if g.Refuses(netip.Addr{}) {
		t.Error("no address is refused")
	}
}

// Who is answered before the bans are known lets banned clients in; who is never
// answered keeps the service waiting for each login.
func TestAnswersWaitForTheBansButNotForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waits := func(g *Gate, ctx context.Context) <-chan bool {
			done := make(chan bool, 1)
			go func() { done <- g.Await(ctx) }()
			synctest.Wait()
			if len(done) > 0 {
				t.Error("answers before the bans are known")
			}
			return done
		}
		g, earlier := New("Dovecot"), New("Dovecot")
		earlier.Set(enforce.Diff{Want: prefixes("192.0.2.7/32")})
		g.Inherit(earlier) // of before the last bans
		done := waits(g, t.Context())
		g.Set(enforce.Diff{})
		if !<-done || !g.Await(t.Context()) {
			t.Error("the bans are known, and it says that they are not")
		}
		began := time.Now()
		if <-waits(New("Dovecot"), t.Context()) || time.Since(began) != opening {
			t.Errorf("waited %v for a ledger that hangs, want %v", time.Since(began), opening)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done = waits(New("Dovecot"), ctx)
		if cancel(); <-done {
			t.Error("at the end it says that the bans are known")
		}
	})
}

func TestALostLedgerLetsNobodyGo(t *testing.T) {
	g := New("Dovecot")
	g.Set(enforce.Diff{Want: prefixes("192.0.2.7/32", "192.0.2.9/32")})
	g.Set(enforce.Diff{Partial: true, Remove: prefixes("192.0.2.9/32"), Want: prefixes("203.0.113.1/32")})
	if got, _ := g.Held(t.Context()); !slices.Equal(got, prefixes("192.0.2.7/32", "203.0.113.1/32")) {
		t.Errorf("held %v", got)
	}
}

func TestFreshAreThoseWhoWereServed(t *testing.T) {
	g := New("Dovecot")
	if fresh := g.Set(enforce.Diff{Want: prefixes("192.0.2.7/32")}); fresh != nil {
		t.Errorf("at the start %v are new: they were banned in an earlier life", fresh)
	}
	if fresh := g.Set(enforce.Diff{Want: prefixes("192.0.2.7/32", "192.0.2.8/32")}); !slices.Equal(fresh, prefixes("192.0.2.8/32")) {
		t.Errorf("new: %v", fresh)
	}
}

// Bans that nobody asks for stop nobody, and people must learn of it.
func TestSilenceIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New("Dovecot")
		a := netip.MustParseAddr("192.0.2.7")
		g.Set(enforce.Diff{Want: prefixes("192.0.2.7/32")})
		since := time.Now()
		time.Sleep(time.Minute)
		gap := func() enforce.Gap {
			got, err := g.Gap(t.Context(), a, since)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		says := func(word string) {
			t.Helper()
			if got := strings.Join(g.Notes(), " "); !strings.Contains(got, word) {
				t.Errorf("notes: %q, want %q", got, word)
			}
		}
		if got := gap(); got.Kind != enforce.Unfetched || !strings.Contains(got.Text, "Dovecot has not asked since") {
			t.Errorf("never asked: %+v", got)
		}
		says("not asked since the start")
		g.Refuses(netip.MustParseAddr("203.0.113.1"))
		if got := gap(); got.Kind != enforce.NoGap {
			t.Errorf("asked for another: %+v", got)
		}
		says("refused 0 times")
		g.Refuses(a)
		if got := gap(); got.Kind != enforce.Refusing {
			t.Errorf("refused: %+v", got)
		}
		says("refused 1 times")
		time.Sleep(7 * time.Hour)
		says("not asked since")
	})
}

// A reload opens no door.
func TestTheNextGateRefusesWhomThisOneDoes(t *testing.T) {
	g, next := New("Dovecot"), New("Dovecot")
	g.Set(enforce.Diff{Want: prefixes("192.0.2.7/32")})
	g.Refuses(netip.MustParseAddr("192.0.2.7"))
	next.Inherit(g)
	if held, _ := next.Held(t.Context()); !slices.Equal(held, prefixes("192.0.2.7/32")) || !next.Refuses(netip.MustParseAddr("192.0.2.7")) {
		t.Errorf("the next holds %v", held)
	}
	if notes := strings.Join(next.Notes(), " "); !strings.Contains(notes, "refused 2 times") {
		t.Errorf("notes: %q", notes)
	}
	if fresh := next.Set(enforce.Diff{Want: prefixes("192.0.2.7/32", "192.0.2.8/32")}); !slices.Equal(fresh, prefixes("192.0.2.8/32")) {
		t.Errorf("new: %v", fresh)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	g := New("Dovecot")
	g.Set(enforce.Diff{Want: prefixes("10.0.0.0/8")})
	a := netip.MustParseAddr("10.0.0.1")
	for range 3 * maxRefused {
		g.Refuses(a)
		a = a.Next()
	}
	if n := len(g.last); n > maxRefused {
		t.Errorf("%d clients are remembered, want %d at most", n, maxRefused)
	}
}

func BenchmarkRefuses(b *testing.B) {
	g := New("Dovecot")
	var want []netip.Prefix
	for i := range 50_000 {
		want = append(want, netip.MustParsePrefix(fmt.Sprintf("10.%d.%d.%d/32", i>>16, i>>8&255, i&255)))
	}
	g.Set(enforce.Diff{Want: want})
	a := netip.MustParseAddr("203.0.113.9")
	for b.Loop() {
		g.Refuses(a)
	}
}
