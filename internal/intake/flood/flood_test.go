package flood

import (
	"net/netip"
	"testing"
	"time"

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
