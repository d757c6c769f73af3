package flood

import (
	"net/netip"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/edgeban/edgeban"
)

func TestFloodOfOneAddressIsFewMatches(t *testing.T) {
	const enough = 5
	var f Flood
	f.Begin(enough, nil)
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for i := range 100_000 {
		f.Add(&edgeban.Match{Kind: edgeban.Failure, Addr: netip.MustParseAddr("203.0.113.9"), Time: at.Add(time.Duration(i/50_000) * time.Second)})
	}
	if n := len(f.Matches); n > 2*(enough+1) { // of two seconds
		t.Errorf("%d matches of 100,000 lines, want a few", n)
	}
	n := 0
	for _, m := range f.Matches {
		n += m.Count
	}
	if n != 100_000 {
		t.Errorf("they stand for %d failures, want all", n)
	}
}

// Many addresses are told from each other, in however many chunks they come, and what
// a flood of them took is given back.
func TestFloodOfManyAddressesIsForgotten(t *testing.T) {
	const many = 10 * few
	var f Flood
	for round := range 3 {
		f.Begin(2, nil)
		for n := range 5 * many {
			a := netip.AddrFrom4([4]byte{203, 0, byte(n % many >> 8), byte(n % many)})
			f.Add(&edgeban.Match{Kind: edgeban.Failure, Addr: a})
		}
		if len(f.Matches) != 3*many {
			t.Errorf("round %d: %d matches, want two of each of %d addresses and one for the rest", round, len(f.Matches), many)
		}
	}
	f.Begin(2, nil)
	f.Begin(2, nil)
	if len(f.seen) != 2*few {
		t.Errorf("there is room for %d afterwards, want %d", len(f.seen), 2*few)
	}
}

// The few that a flood leaves must not keep the memory of all.
func TestWhatIsLeftOfAFloodKeepsNothingBesideIt(t *testing.T) {
	beside := strings.Repeat("a line. ", 1000)
	within := func(s string) bool {
		from, at := uintptr(unsafe.Pointer(unsafe.StringData(beside))), uintptr(unsafe.Pointer(unsafe.StringData(s)))
		return from <= at && at < from+uintptr(len(beside))
	}
	for name, c := range map[string]struct {
		counts, ignored, again int
		own                    bool
	}{
		"one address again and again": {counts: 1, again: 90, own: true},
		"many that are ignored":       {counts: 10, ignored: 80, own: true},
		"many that count":             {counts: 80, ignored: 10},
	} {
		var f Flood
		f.Begin(2, nil)
		add := func(n int, ignored string) {
			text := beside[8*n : 8*n+8]
			f.Add(&edgeban.Match{Kind: edgeban.Failure, Addr: netip.AddrFrom4([4]byte{203, 0, 113, byte(n)}), Text: text, User: text[:1], Ignored: ignored})
		}
		for n := range c.counts {
			add(n, "")
		}
		for n := range c.ignored {
			add(c.counts+n, "mine")
		}
		for range c.again {
			add(0, "")
		}
		f.End()
		for _, m := range f.Matches {
			if m.Text != "a line. " || m.User != "a" || within(m.Text) == c.own || within(m.User) == c.own {
				t.Fatalf("%s: %q of %q is kept with what lies beside it: %v, want %v", name, m.Text, m.User, within(m.Text), !c.own)
			}
		}
	}
}
