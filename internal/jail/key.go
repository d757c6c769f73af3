package jail

import (
	"math"
	"net/netip"

	"github.com/edgeban/edgeban"
)

// A key is a subject without pointers: the address as 16 bytes and the length
// of the prefix among them. A million of them cost the collector nothing.
type key [17]byte

func keyOf(p netip.Prefix) key {
	var k key
	a := p.Addr().As16()
	copy(k[:16], a[:])
	k[16] = byte(p.Bits())
	if p.Addr().Is4() {
		k[16] += 96
	}
	return k
}

// crowd returns the network whose crowd the subject is part of: an IPv6 /48 or
// an IPv4 /24.
func (k key) crowd() [16]byte {
	var c [16]byte
	a := netip.AddrFrom16([16]byte(k[:16]))
	if a.Is4In6() {
		copy(c[:15], k[:15])
	} else {
		copy(c[:6], k[:6])
	}
	return c
}

// untilOf returns the end of a ban, as far away as there is for one without end.
func untilOf(b edgeban.Ban) int64 {
	if b.Until.IsZero() {
		return math.MaxInt64
	}
	return b.Until.UnixNano()
}
