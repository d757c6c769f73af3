package enforce

import (
	"net/netip"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
)

// BenchmarkPlan compares 100,000 bans with a target that holds them.
func BenchmarkPlan(b *testing.B) {
	const n = 100_000
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var all []want
	var known []edgeban.Held
	var listed []netip.Prefix
	for i := range n {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
		all = append(all, wantOf(p, edgeban.Ban{Since: now, Until: now.Add(time.Hour)}))
		known = append(known, edgeban.Held{Subject: p, Target: "edge", Sent: now, Held: now})
		listed = append(listed, p)
	}
	b.ReportAllocs()
	for b.Loop() {
		v := view{now: now, wanted: newWants(all), known: newHoldings(known), listed: newSet(listed)}
		if p := v.plan(); p.counts.Held != n || len(p.diff.Add)+len(p.diff.Remove)+len(p.notes) > 0 {
			b.Fatalf("got %+v, want nothing to do", p.counts)
		}
	}
}
