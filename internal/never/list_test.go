package never

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
)

func list(prefixes ...string) *List {
	var es []entry
	for _, p := range prefixes {
		es = append(es, entry{prefix: canonical(netip.MustParsePrefix(p)), why: p})
	}
	return newList(es, false)
}

func TestAnOverlapProtectsEitherWay(t *testing.T) {
	l := list("192.0.2.0/24", "192.0.2.7/32", "203.0.113.9/32", "2001:db8:1::/48", "2001:db8:1::5/128", "::ffff:198.51.100.0/120")
	for _, c := range []struct{ ask, why string }{
		{"192.0.2.7/32", "192.0.2.7/32"}, // the narrowest says why
		{"192.0.2.8/32", "192.0.2.0/24"},
		{"192.0.2.0/25", "192.0.2.0/24"},
		{"192.0.0.0/16", "192.0.2.0/24"}, // it lies in what is asked for
		{"192.0.3.0/24", ""},
		{"192.0.1.255/32", ""},
		{"203.0.113.0/24", "203.0.113.9/32"},
		{"203.0.113.77/24", "203.0.113.9/32"}, // not masked
		{"203.0.113.8/32", ""},
		{"203.0.113.10/32", ""},
		{"0.0.0.0/0", "192.0.2.0/24"},
		{"::ffff:203.0.113.9/128", "203.0.113.9/32"},
		{"198.51.100.4/32", "::ffff:198.51.100.0/120"},
		{"2001:db8:1:0::/64", "2001:db8:1::/48"},
		{"2001:db8:1::5/128", "2001:db8:1::5/128"},
		{"2001:db8::/32", "2001:db8:1::/48"},
		{"2001:db8:2::/64", ""},
		{"::/0", "2001:db8:1::/48"},
	} {
		why, ok := l.Protects(netip.MustParsePrefix(c.ask))
		if why != c.why || ok != (c.why != "") {
			t.Errorf("Protects(%s) = %q, %v, want %q", c.ask, why, ok, c.why)
		}
	}
}

func TestASpellingOfAnAddressDoesNotSlipThrough(t *testing.T) {
	l := list("203.0.113.9/32", "2001:db8::1/128")
	for _, a := range []string{"203.0.113.9", "::ffff:203.0.113.9", "2001:db8::1", "2001:db8::1%eth0", "2001:0DB8:0:0::1"} {
		if _, ok := l.Contains(netip.MustParseAddr(a)); !ok {
			t.Errorf("%s is not protected", a)
		}
	}
	if why, ok := l.Contains(netip.Addr{}); !ok {
		t.Errorf("no address at all is not protected (%q)", why)
	}
	if why, ok := (*List)(nil).Contains(netip.MustParseAddr("203.0.113.9")); ok {
		t.Errorf("a nil list protects: %q", why)
	}
}

func TestANetworkAroundTheOwnerIsNarrowed(t *testing.T) {
	l := list("2001:db8:0:1::5/128")
	attacker := netip.MustParseAddr("2001:db8:0:1::bad")
	if got, want := l.Narrow(netip.MustParsePrefix("2001:db8:0:1::/64"), attacker).String(), "2001:db8:0:1::bad/128"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := l.Narrow(netip.MustParsePrefix("2001:db8:0:2::/64"), attacker).String(), "2001:db8:0:2::/64"; got != want {
		t.Errorf("with nothing to protect: got %s, want %s", got, want)
	}
}

func TestPrivate(t *testing.T) {
	for addr, want := range map[string]bool{
		"10.1.2.3": true, "172.16.0.1": true, "172.31.255.255": true, "192.168.123.1": true, "100.64.0.1": true,
		"169.254.1.1": true, "127.0.0.1": true, "::1": true, "fc00::1": true, "fdff::1": true, "fe80::1%eth0": true, "::ffff:10.0.0.1": true,
		"172.32.0.1": false, "172.15.0.1": false, "100.128.0.1": false, "100.63.0.1": false, "11.0.0.1": false, "192.169.0.1": false,
		"192.0.2.1": false, "198.51.100.1": false, "203.0.113.1": false, "2001:db8::1": false, "::ffff:8.8.8.8": false, "fec0::1": false,
	} {
		if got := Private(netip.MustParseAddr(addr)); got != want {
			t.Errorf("Private(%s) = %v", addr, got)
		}
	}
	for prefix, want := range map[string]bool{"10.0.0.0/8": true, "8.0.0.0/6": false, "192.168.0.0/15": false, "fc00::/7": true, "::/0": false, "192.168.1.7/24": true} {
		if got := PrivatePrefix(netip.MustParsePrefix(prefix)); got != want {
			t.Errorf("PrivatePrefix(%s) = %v", prefix, got)
		}
	}
	if Private(netip.Addr{}) || PrivatePrefix(netip.Prefix{}) {
		t.Error("nothing at all is private")
	}
}

// FuzzProtects compares the list with a look at every entry, over networks that
// are crowded enough to nest.
func FuzzProtects(f *testing.F) {
	f.Add([]byte{1, 2, 3, 24, 1, 2, 3, 32, 1, 2, 0, 16}, []byte{1, 2, 3, 31})
	f.Add([]byte{0x81, 2, 3, 24, 0x81, 2, 3, 8}, []byte{0x81, 2, 9, 9})
	f.Fuzz(func(t *testing.T, set, ask []byte) {
		if len(ask) < 4 {
			return
		}
		var es []entry
		for ; len(set) >= 4; set = set[4:] {
			p := prefixOf(set)
			es = append(es, entry{prefix: p, why: p.String()})
		}
		l, p := newList(es, false), prefixOf(ask)
		want, overlaps := naive(es, p)
		why, ok := l.Protects(p)
		if ok != overlaps || want != "" && why != want {
			t.Errorf("Protects(%s) = %q, %v, want %q, %v in %v", p, why, ok, want, overlaps, es)
		}
		if _, ok := l.Contains(p.Addr()); ok != anyContains(es, p.Addr()) {
			t.Errorf("Contains(%s) = %v in %v", p.Addr(), ok, es)
		}
	})
}

// prefixOf makes a network of four bytes: of IPv6 if the first bit is set.
func prefixOf(b []byte) netip.Prefix {
	if b[0]&0x80 == 0 {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{b[0] & 3, b[1] & 3, 0, b[2]}), int(b[3])%33).Masked()
	}
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{b[0] & 3, b[1] & 3, 15: b[2]}), int(b[3])%129).Masked()
}

// naive returns the narrowest entry that contains p, and whether any overlaps.
func naive(es []entry, p netip.Prefix) (why string, overlaps bool) {
	bits := -1
	for _, e := range es {
		overlaps = overlaps || e.prefix.Overlaps(p)
		if e.prefix.Overlaps(p) && e.prefix.Bits() <= p.Bits() && e.prefix.Bits() > bits {
			why, bits = e.why, e.prefix.Bits()
		}
	}
	return why, overlaps
}

func anyContains(es []entry, a netip.Addr) bool {
	for _, e := range es {
		if e.prefix.Contains(a) {
			return true
		}
	}
	return false
}

func BenchmarkContains(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	es := always()
	for i := range 10000 {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], r.Uint32())
		es = append(es, entry{prefix: netip.PrefixFrom(netip.AddrFrom4(a), 16+r.IntN(17)).Masked(), why: fmt.Sprint(i)})
	}
	l := newList(es, false)
	asked := make([]netip.Addr, 1024)
	for i := range asked {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], r.Uint32())
		asked[i] = netip.AddrFrom4(a)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		l.Contains(asked[i%len(asked)])
	}
}
