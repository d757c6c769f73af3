package doctor

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/edgeban/edgeban/internal/zone"
)

// networks returns the networks that this system has an address in.
func networks() ([]netip.Prefix, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var all []netip.Prefix
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err == nil && !p.Addr().IsLoopback() && !p.Addr().IsLinkLocalUnicast() {
			all = append(all, p)
		}
	}
	return all, nil
}

// flat looks for clients in the same network as this host: their packets go from
// one to the other, and no rule of a firewall can stand between.
func (e *exam) flat() {
	l := e.link("host", "flat network")
	own, err := e.networks()
	if err != nil {
		l.untried("the own networks are not known: %v", err)
		return
	}
	zones := zone.New(e.Config.Zones, own)
	shared := map[netip.Prefix]netip.Addr{}
	for _, a := range slices.SortedFunc(maps.Keys(e.clients), netip.Addr.Compare) {
		for _, p := range own {
			if p.Masked().Contains(a) && p.Addr() != a && !e.accepts(a) && !e.held(zones, a) {
				shared[p.Masked()] = a
			}
		}
	}
	if len(shared) == 0 {
		l.good("no client of the logs shares a network with this host, but for those whom a door holds")
		return
	}
	var words, nets []string
	for _, p := range slices.SortedFunc(maps.Keys(shared), netip.Prefix.Compare) {
		words = append(words, fmt.Sprintf("%s (in %s) is in %s, as this host", shared[p], e.clients[shared[p]], p))
		nets = append(nets, p.String())
	}
	l.warn("hold them at a door (zones: and a traefik target); or give the servers a network (VLAN) of their own, so that the firewall stands between; or accept it: never: ["+strings.Join(nets, ", ")+"]",
		"%s: its packets do not cross the firewall, no ban can stop it", strings.Join(words, "; "))
}

// accepts reports whether a is protected from bans anyway.
func (e *exam) accepts(a netip.Addr) bool {
	_, ok := e.list.Contains(a)
	return ok
}
