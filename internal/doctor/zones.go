package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/zone"
)

// zones says of each zone which targets really stand between it and the services.
func (e *exam) zones() {
	own, err := e.networks()
	if err != nil {
		return // flat has said so
	}
	m := zone.New(e.Config.Zones, own)
	for _, z := range e.Config.Zones {
		l := e.link("zone "+z.Name, "targets")
		switch z.Policy {
		case config.PolicyNever:
			l.good("it is protected: whoever attacks from there is not even told of")
			continue
		case config.PolicyNotify:
			l.good("whoever attacks from there is told of, and not banned")
			continue
		}
		e.between(l, m, z)
	}
}

// between looks which of a zone's targets its packets cross.
func (e *exam) between(l link, m *zone.Map, z config.Zone) {
	flat, where := flatOf(m, z)
	first := z.Targets
	if z.Name == config.Internet && len(first) == 0 {
		for _, t := range e.Config.Targets {
			if !slices.Contains(z.Escalate, t.Name) {
				first = append(first, t.Name)
			}
		}
	}
	var stand, idle []string
	for _, t := range e.Config.Targets {
		switch named := slices.Contains(first, t.Name); {
		case named && flat && !isDoor(t):
			idle = append(idle, t.Name)
		case named:
			stand = append(stand, passes(t))
		}
	}
	words := "between it and the services: " + strings.Join(stand, "; ")
	if len(z.Escalate) > 0 {
		words += "; if a ban leaks there: " + strings.Join(z.Escalate, ", then ")
	}
	switch {
	case len(stand) == 0 && len(idle) > 0:
		l.warn("name a door as well, such as a traefik target, or give the servers a network (VLAN) of their own",
			"nothing stands between: %s share the network %s with this host, so that their packets do not cross %s", z.Name, where, strings.Join(idle, ", "))
	case len(idle) > 0:
		l.warn("take it out, or give the servers a network (VLAN) of their own", "%s; but not %s: this host is in %s as well", words, strings.Join(idle, ", "), where)
	default:
		l.good("%s", words)
	}
}

// flatOf returns a network in which both this host and a zone are.
func flatOf(m *zone.Map, z config.Zone) (bool, netip.Prefix) {
	if z.Name == config.Internet {
		return false, netip.Prefix{}
	}
	networks := z.Networks
	if len(networks) == 0 { // the private ones and this host's own
		if own, ok := m.Own(); ok {
			return true, own
		}
	}
	for _, p := range networks {
		if shared, ok := m.Shares(p); ok {
			return true, shared
		}
	}
	return false, netip.Prefix{}
}

// isDoor reports whether everybody passes a target, wherever they are.
func isDoor(t config.Target) bool { return t.Traefik != nil || t.Dovecot != nil || t.Postfix != nil }

// passes names a target, and what passes it.
func passes(t config.Target) string {
	switch {
	case t.Traefik != nil:
		c := t.Traefik
		return fmt.Sprintf("%s (%s of Traefik)", t.Name, strings.Join(slices.Concat(c.TCP, c.TLS, c.HTTP, c.HTTPS), ", "))
	case t.Dovecot != nil:
		return t.Name + " (logins that Dovecot is asked for)"
	case t.Postfix != nil:
		return t.Name + " (SMTP connections to Postfix)"
	case t.OPNsense != nil:
		return fmt.Sprintf("%s (what its rules for alias %s see)", t.Name, t.OPNsense.Alias)
	}
	return t.Name + " (whoever pulls the list)"
}

// held reports whether a door holds the bans of an address.
func (e *exam) held(m *zone.Map, a netip.Addr) bool {
	p := netip.PrefixFrom(a, a.BitLen())
	z := m.Of(p)
	return z != nil && m.Refuse(p) == "" && slices.ContainsFunc(e.Config.Targets, func(t config.Target) bool {
		return isDoor(t) && (slices.Contains(z.Targets, t.Name) || slices.Contains(z.Escalate, t.Name))
	})
}
