package never

import (
	"cmp"
	"net/netip"
	"slices"
	"sort"
)

// A List is an immutable set of protected networks, each with the reason why.
// A nil List protects nothing. It may be read from any goroutine.
type List struct {
	entries []entry // by address, wider ones first: of two that overlap the later one lies in the earlier one
	outside bool
	octets  [256]bool // first bytes of IPv4 addresses that some entry holds: most have none
}

// An entry is one protected network.
type entry struct {
	prefix netip.Prefix
	why    string
	role   Role
	parent int // the narrowest earlier entry that contains this one, or -1
}

// newList makes a List. Of equal prefixes the first one's reason and role are kept.
func newList(entries []entry, outside bool) *List {
	l := &List{entries: slices.Clone(entries), outside: outside}
	slices.SortStableFunc(l.entries, func(a, b entry) int { return compare(a.prefix, b.prefix) })
	for i := len(l.entries) - 2; i >= 0; i-- { // the one that is kept
		if a, b := &l.entries[i], l.entries[i+1]; a.prefix == b.prefix {
			a.role = cmp.Or(a.role, b.role)
		}
	}
	l.entries = slices.CompactFunc(l.entries, func(a, b entry) bool { return a.prefix == b.prefix })
	for i := range l.entries {
		l.entries[i].parent = l.narrowest(i-1, l.entries[i].prefix)
	}
	for _, e := range l.entries {
		l.mark(e.prefix)
	}
	return l
}

// mark takes in which octets a network begins with.
func (l *List) mark(p netip.Prefix) {
	if !p.Addr().Is4() {
		return
	}
	from := int(p.Masked().Addr().As4()[0])
	for b := range 1 << max(0, 8-p.Bits()) {
		l.octets[from+b] = true
	}
}

// Protects reports whether p overlaps a protected network, and words for people
// that say why: of those that contain p the narrowest one's, else the first
// one's that lies in p. What is no network at all is protected too: whatever it
// came from, it must not be banned.
func (l *List) Protects(p netip.Prefix) (why string, ok bool) {
	if !p.IsValid() {
		return "not a network", true
	}
	if l == nil {
		return "", false
	}
	p = canonical(p)
	next := sort.Search(len(l.entries), func(i int) bool { return compare(l.entries[i].prefix, p) > 0 })
	if i := l.narrowest(next-1, p); i >= 0 {
		return l.entries[i].why, true
	}
	if next < len(l.entries) && p.Contains(l.entries[next].prefix.Addr()) {
		return l.entries[next].why, true
	}
	return "", false
}

// A Role is what a single address is to this host, as far as that was found out.
type Role uint8

// The roles.
const (
	Stranger Role = iota // nothing that is known
	Own                  // of this host itself
	Gateway              // a router that this host sends by, or the machine under its container
	Peer                 // what the configuration talks to: the firewall, a notifier
)

// Role returns what a is to this host.
func (l *List) Role(a netip.Addr) Role {
	if l == nil || !a.IsValid() {
		return Stranger
	}
	p := single(a)
	i, ok := sort.Find(len(l.entries), func(i int) int { return compare(p, l.entries[i].prefix) })
	if !ok {
		return Stranger
	}
	return l.entries[i].role
}

// Contains is Protects for a single address.
func (l *List) Contains(a netip.Addr) (why string, ok bool) {
	if a.Is4() && (l == nil || !l.octets[a.As4()[0]]) {
		return "", false
	}
	return l.Protects(single(a))
}

// Narrow returns how much of subject may be banned for what addr did: subject,
// or addr alone if something in subject is protected. Whether addr itself is
// protected is another question: ask Contains first.
func (l *List) Narrow(subject netip.Prefix, addr netip.Addr) netip.Prefix {
	if _, ok := l.Protects(subject); ok {
		return single(addr)
	}
	return subject
}

// ProtectsOutside reports whether the owner's own words (never: or ignoreip)
// name anything outside the private networks. If not, nothing keeps the address
// that the owner comes from when away from home from being banned.
func (l *List) ProtectsOutside() bool { return l != nil && l.outside }

// narrowest returns the last of the entries up to i that contains p, or -1. If
// any does, entry i lies in it or is it, so that only its parents are asked.
func (l *List) narrowest(i int, p netip.Prefix) int {
	for i >= 0 && !covers(l.entries[i].prefix, p) {
		i = l.entries[i].parent
	}
	return i
}

// equal reports whether both say the same.
func (l *List) equal(m *List) bool {
	return l != nil && m != nil && l.outside == m.outside && slices.Equal(l.entries, m.entries)
}

// compare orders masked prefixes by address, wider ones first. Prefix.Compare
// says the same, but masks both each time.
func compare(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

// covers reports whether p contains all of q.
func covers(p, q netip.Prefix) bool {
	return p.Bits() <= q.Bits() && p.Contains(q.Addr())
}

// canonical returns p masked, without a zone, and as IPv4 if it is IPv4 in IPv6.
func canonical(p netip.Prefix) netip.Prefix {
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked()
}

// single returns the network that holds a alone.
func single(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	return netip.PrefixFrom(a, a.BitLen()) // drops a zone
}
