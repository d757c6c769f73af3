package jail

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/edgeban/edgeban/internal/config"
)

func numbered(i int) key {
	return keyOf(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32))
}

// TestTableIsAMap does the same to a table and to a map, and wants what was frozen
// meanwhile to stay as it was.
func TestTableIsAMap(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	got, want := newTable(), map[key][]stamp{}
	content := func(ps pages) map[key][]stamp {
		all := map[key][]stamp{}
		for c := range ps.all() {
			all[c.key] = slices.Clone(c.window())
		}
		return all
	}
	type kept struct {
		pages
		want map[key][]stamp
	}
	var frozen []kept
	for step := range 60_000 {
		k := numbered(r.IntN(5000))
		switch r.IntN(4) {
		case 0:
			got.drop(k)
			delete(want, k)
		case 1, 2:
			at := int64(r.IntN(50))
			got.edit(k).addWindow(at, 1, 1000, 5)
			c := count{}
			if len(want[k]) > 0 {
				c.setWindow(slices.Clone(want[k]))
			}
			c.addWindow(at, 1, 1000, 5)
			want[k] = slices.Clone(c.window())
		default:
			c := got.find(k)
			if (c != nil) != (want[k] != nil) || c != nil && !slices.Equal(c.window(), want[k]) {
				t.Fatalf("step %d: got %+v, want %v", step, c, want[k])
			}
		}
		if got.len() != len(want) {
			t.Fatalf("step %d: %d counts, want %d", step, got.len(), len(want))
		}
		if step%6000 == 0 {
			frozen = append(frozen, kept{got.freeze(), maps.Clone(want)})
		}
	}
	for i, f := range append(frozen, kept{got.pages, want}) {
		if !maps.EqualFunc(content(f.pages), f.want, slices.Equal) {
			t.Errorf("frozen %d: it is not what it was", i)
		}
	}
}

// What is left when a flood is over is found, and its room taken again.
func TestEmptiedTableTakesAgain(t *testing.T) {
	tab := newTable()
	for range 3 {
		for i := range 10_000 {
			tab.edit(numbered(i)).addWindow(1, 1, 10, 5)
		}
		for i := range 10_000 {
			if i%1000 != 7 {
				tab.drop(numbered(i))
			}
		}
		if tab.len() != 10 || tab.find(numbered(9007)) == nil || tab.find(numbered(9008)) != nil {
			t.Fatalf("%d counts are left, want every thousandth", tab.len())
		}
	}
	if n := len(tab.pages) * pageLen; n > 10_000+pageLen {
		t.Errorf("room for %d counts, want it taken again", n)
	}
}

// TestHalfASnapshotIsAnError cuts a snapshot anywhere.
func TestHalfASnapshotIsAnError(t *testing.T) {
	j := New(rules(func(c *config.Jail) { c.Increment = config.Increment{Enabled: true, Factor: 1} }), forget)
	judgeAll(j, randomDay(rand.New(rand.NewPCG(5, 6)), j.c))
	whole := j.Freeze(time.Time{}).Snapshot()
	for cut := range whole {
		if err := New(j.c, forget).Restore(whole[:cut]); err == nil {
			t.Fatalf("restored from %d of %d bytes", cut, len(whole))
		}
	}
	if err := New(j.c, forget).Restore(append(whole, 0)); err == nil {
		t.Error("restored from a byte too many")
	}
}

// FuzzRestore wants whatever is restored to be restored again.
func FuzzRestore(f *testing.F) {
	for _, count := range []config.Count{config.Window, config.Rate} {
		j := New(rules(func(c *config.Jail) { c.Count = count }), forget)
		judgeAll(j, randomDay(rand.New(rand.NewPCG(7, 8)), j.c))
		f.Add(j.Freeze(time.Time{}).Snapshot())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		j := New(rules(nil), forget)
		if j.Restore(b) != nil {
			return
		}
		again := New(rules(nil), forget)
		if err := again.Restore(j.Freeze(time.Time{}).Snapshot()); err != nil || again.Len() != j.Len() {
			t.Errorf("%d counts are %d again: %v", j.Len(), again.Len(), err)
		}
	})
}
