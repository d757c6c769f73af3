package jail

import (
	"cmp"
	"encoding/binary"
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

// compare orders keys by their bytes.
func (k *key) compare(o *key) int {
	order := binary.BigEndian
	if a, b := order.Uint64(k[:8]), order.Uint64(o[:8]); a != b {
		return cmp.Compare(a, b)
	}
	if a, b := order.Uint64(k[8:16]), order.Uint64(o[8:16]); a != b {
		return cmp.Compare(a, b)
	}
	return cmp.Compare(k[16], o[16])
}

// isIPv4 reports whether the subject is of IPv4.
func (k key) isIPv4() bool { return [12]byte(k[:12]) == [12]byte{10: 0xff, 11: 0xff} }

// A crowd is the network whose crowd a subject is part of: an IPv6 /48 or an IPv4
// /24, by the bytes in which they differ.
type crowd [7]byte

func (k key) crowd() (c crowd) {
	if k.isIPv4() {
		copy(c[:], k[12:15])
		c[6] = 4
	} else {
		copy(c[:], k[:6])
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
