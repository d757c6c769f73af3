package sqlite_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
)

// Who holds an address is known after a restart too, whatever the entry around it.
func TestWhoHoldsAnAddress(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	p := netip.MustParsePrefix
	for _, h := range []edgeban.Held{
		{Subject: p("192.0.2.9/32"), Target: "edge", Sent: noon, Held: noon},
		{Subject: p("192.0.2.0/24"), Target: "feed", Sent: noon},
		{Subject: p("192.0.2.9/32"), Target: "gone", Sent: noon, Held: noon, Released: noon.Add(time.Hour)},
		{Subject: p("192.0.2.8/32"), Target: "edge", Sent: noon, Held: noon},
		{Subject: p("2001:db8::/64"), Target: "edge", Sent: noon, Held: noon},
	} {
		if err := s.Note(t.Context(), []edgeban.Held{h}, nil); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		for addr, want := range map[string]string{
			"192.0.2.9":   "[192.0.2.0/24 feed 192.0.2.9/32 edge]",
			"192.0.2.7":   "[192.0.2.0/24 feed]",
			"192.0.3.9":   "[]",
			"2001:db8::7": "[2001:db8::/64 edge]",
			"2001:db9::7": "[]",
		} {
			hs, err := s.Around(t.Context(), netip.MustParseAddr(addr))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, h := range hs {
				got = append(got, h.Subject.String()+" "+h.Target)
			}
			slices.Sort(got)
			if fmt.Sprint(got) != want {
				t.Errorf("%s: %v, want %s", addr, got, want)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, dir)
	}
}

func BenchmarkWhoHoldsAnAddress(b *testing.B) {
	s := open(b, b.TempDir())
	var all []edgeban.Held
	for i := range 100_000 {
		a := netip.AddrFrom4([4]byte{20, byte(i >> 16), byte(i >> 8), byte(i)})
		all = append(all, edgeban.Held{Subject: netip.PrefixFrom(a, 32), Target: "edge", Sent: noon, Held: noon})
	}
	if err := s.Note(b.Context(), all, nil); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Around(b.Context(), netip.MustParseAddr("203.0.113.9")); err != nil {
			b.Fatal(err)
		}
	}
}
