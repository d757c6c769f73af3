// Package zone says in which network an address is, and which targets are to hold
// its bans. It is data and pure functions: it sends nothing.
package zone

import (
	"net/netip"
	"slices"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/never"
)

// A Map is the zones of a configuration on this host. It is immutable. A nil Map has
// none.
type Map struct {
	named    []entry // narrower networks first
	rest     *config.Zone
	internet *config.Zone
	own      []netip.Prefix // this host's networks
}

type entry struct {
	network netip.Prefix
	zone    *config.Zone
}

// New returns the zones on a host that has an address in each of some networks.
func New(zones []config.Zone, own []netip.Prefix) *Map {
	m := &Map{}
	for _, z := range slices.Clone(zones) {
		switch {
		case z.Name == config.Internet:
			m.internet = &z
		case len(z.Networks) == 0:
			m.rest = &z
		}
		for _, p := range z.Networks {
			m.named = append(m.named, entry{p.Masked(), &z})
		}
	}
	for _, p := range own {
		if p = p.Masked(); !p.IsSingleIP() && !p.Addr().IsLoopback() {
			m.own = append(m.own, p)
		}
	}
	slices.SortStableFunc(m.named, func(a, b entry) int { return b.network.Bits() - a.network.Bits() })
	return m
}

// Of returns the zone of a subject; nil if it is in none.
func (m *Map) Of(p netip.Prefix) *config.Zone {
	if m == nil || !p.IsValid() {
		return nil
	}
	for _, e := range m.named {
		if covers(e.network, p) {
			return e.zone
		}
	}
	if never.PrivatePrefix(p) {
		return m.rest
	}
	if m.rest != nil && slices.ContainsFunc(m.own, func(q netip.Prefix) bool { return covers(q, p) }) {
		return m.rest
	}
	return m.internet
}

// covers reports whether p contains all of q.
func covers(p, q netip.Prefix) bool { return p.Bits() <= q.Bits() && p.Contains(q.Addr()) }

// Inside reports whether a subject is in a network of the owner's: a private one, or
// one that a zone has.
func (m *Map) Inside(p netip.Prefix) bool {
	if never.PrivatePrefix(p) {
		return true
	}
	z := m.Of(p)
	return z != nil && z.Name != config.Internet
}

// Shares returns a network that this host shares with all of p: packets between the
// two cross no firewall.
func (m *Map) Shares(p netip.Prefix) (netip.Prefix, bool) {
	if m == nil {
		return netip.Prefix{}, false
	}
	i := slices.IndexFunc(m.own, func(q netip.Prefix) bool { return q.Overlaps(p) })
	if i < 0 {
		return netip.Prefix{}, false
	}
	return m.own[i], true
}

// Own returns a network that this host shares with others.
func (m *Map) Own() (netip.Prefix, bool) {
	if m == nil || len(m.own) == 0 {
		return netip.Prefix{}, false
	}
	return m.own[0], true
}

// Protected returns the networks that zones say are never banned, for whom private
// are the networks of a zone that names none.
func Protected(zones []config.Zone, private []string) (words []string) {
	for _, z := range zones {
		if z.Policy != config.PolicyNever {
			continue
		}
		if len(z.Networks) == 0 {
			words = append(words, private...)
		}
		for _, p := range z.Networks {
			words = append(words, p.String())
		}
	}
	return words
}

// Refuse says why no target is sent a subject, or returns "".
func (m *Map) Refuse(p netip.Prefix) string {
	switch z := m.Of(p); {
	case z != nil && z.Name != config.Internet && z.Policy != config.PolicyBan:
		return "in zone " + z.Name + ", which is told and not banned"
	case never.PrivatePrefix(p) && (z == nil || z.Name == config.Internet):
		return "a private address: its packets do not cross the edge"
	}
	return ""
}

// Sends reports whether a target holds the bans of a subject from the beginning, and
// whether the zone has decided that, rather than left it to the jail.
func (m *Map) Sends(p netip.Prefix, target string) (sends, decided bool) {
	z := m.Of(p)
	switch {
	case z == nil:
		return true, false
	case z.Name != config.Internet:
		return slices.Contains(z.Targets, target), true
	case len(z.Targets) > 0:
		sends = slices.Contains(z.Targets, target)
	default:
		sends = !slices.Contains(z.Escalate, target)
	}
	return sends, !sends
}
