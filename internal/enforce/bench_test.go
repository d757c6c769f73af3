package enforce

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/store/sqlite"
)

// ledger returns what a ledger says of the target edge after some notes.
func ledger(b *testing.B, notes []edgeban.Held) edgeban.Holdings {
	b.Helper()
	store, err := sqlite.Open(filepath.Join(b.TempDir(), "ledger.db"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { store.Close() })
	if err := store.Note(b.Context(), notes, nil); err != nil {
		b.Fatal(err)
	}
	known, err := store.Holdings(b.Context(), "edge")
	if err != nil {
		b.Fatal(err)
	}
	return known
}

// BenchmarkPlan compares 100,000 bans with a target that holds them.
func BenchmarkPlan(b *testing.B) {
	const n = 100_000
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	var all []want
	var notes []edgeban.Held
	var listed []netip.Prefix
	for i := range n {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
		all = append(all, wantOf(p, edgeban.Ban{Since: now, Until: now.Add(time.Hour)}))
		notes = append(notes, edgeban.Held{Subject: p, Target: "edge", Sent: now, Held: now})
		listed = append(listed, p)
	}
	known := ledger(b, notes)
	b.ReportAllocs()
	for b.Loop() {
		v := view{now: now, wanted: newWants(all), known: known, listed: newSet(listed)}
		if p := v.plan(); p.counts.Held != n || len(p.diff.Add)+len(p.diff.Remove)+len(p.notes) > 0 {
			b.Fatalf("got %+v, want nothing to do", p.counts)
		}
	}
}
