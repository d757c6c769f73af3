package never

import "net/netip"

// Private reports whether a cannot be met on the public internet: RFC 1918,
// unique local (fc00::/7), carrier-grade NAT (100.64.0.0/10), link-local and
// loopback addresses. The ranges for documentation are not private.
func Private(a netip.Addr) bool {
	if a.Is4() && !privateOctets[a.As4()[0]] {
		return false
	}
	return a.IsValid() && PrivatePrefix(single(a))
}

// privateOctets are what private IPv4 addresses begin with. Most begin otherwise.
var privateOctets = func() (o [256]bool) {
	for _, p := range private {
		if a := p.Addr(); a.Is4() {
			o[a.As4()[0]] = true
		}
	}
	return o
}()

// PrivatePrefix reports whether all of p is private.
func PrivatePrefix(p netip.Prefix) bool {
	if !p.IsValid() {
		return false
	}
	p = canonical(p)
	for _, q := range private {
		if covers(q, p) {
			return true
		}
	}
	return false
}

// PrivateWords returns the private networks, but for loopback and link-local ones,
// as they stand in a configuration.
func PrivateWords() (words []string) {
	for _, p := range private {
		if a := p.Addr(); !a.IsLoopback() && !a.IsLinkLocalUnicast() {
			words = append(words, p.String())
		}
	}
	return words
}

// private are networks of which none of IPv4 begins with more than one octet.
var private = []netip.Prefix{
	v4(10, 0, 8),
	v4(172, 16, 12),
	v4(192, 168, 16),
	v4(100, 64, 10),
	v4(169, 254, 16),
	v4(127, 0, 8),
	v6(0xfc, 0, 7),
	v6(0xfe, 0x80, 10),
	netip.PrefixFrom(netip.IPv6Loopback(), 128),
}

// always are the networks that no remote host can come from.
func always() []entry {
	return []entry{
		{prefix: v4(127, 0, 8), why: "loopback"},
		{prefix: netip.PrefixFrom(netip.IPv6Loopback(), 128), why: "loopback"},
		{prefix: v4(0, 0, 8), why: "the unspecified network"},
		{prefix: netip.PrefixFrom(netip.IPv6Unspecified(), 128), why: "the unspecified address"},
		{prefix: v4(169, 254, 16), why: "link-local"},
		{prefix: v6(0xfe, 0x80, 10), why: "link-local"},
		{prefix: v4(224, 0, 4), why: "multicast"},
		{prefix: v6(0xff, 0, 8), why: "multicast"},
		{prefix: single(netip.AddrFrom4([4]byte{255, 255, 255, 255})), why: "broadcast"},
		// Single IPv4 addresses in IPv6 are asked for as IPv4; this is for networks around them.
		{prefix: netip.PrefixFrom(netip.AddrFrom16([16]byte{10: 0xff, 11: 0xff}), 96), why: "IPv4 in IPv6"},
	}
}

// v4 returns the network a.b.0.0/bits.
func v4(a, b byte, bits int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{a, b}), bits)
}

// v6 returns the network that begins with the bytes a and b.
func v6(a, b byte, bits int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{a, b}), bits)
}
