package config

import (
	"cmp"
	"slices"

	"github.com/edgeban/edgeban/internal/config/node"
)

// readZones reads the zones in the order of the file.
func readZones(v node.Value, c *Config) {
	if v.Null() {
		return
	}
	if !v.IsMapping() {
		v.Wrong("is %s; write each zone as a key, such as lan: {targets: [proxy]}", v.Kind())
		return
	}
	rest := ""
	for item := range v.Named("keep one, or give one another name") {
		if _, err := node.Name(item.Key()); err != nil {
			item.Wrong("%v", err)
			continue
		}
		z := readZone(item, c.Targets)
		if _, named := item.Get("networks"); z.Name != Internet && !named && item.IsMapping() {
			if rest != "" {
				item.Wrong("has no networks: and would be the private ones, which is what %s is; name those of one of the two", node.Quote(rest))
			}
			rest = cmp.Or(rest, z.Name)
		}
		c.Zones = append(c.Zones, z)
	}
}

func readZone(v node.Value, targets []Target) Zone {
	z := Zone{Name: v.Key(), Policy: PolicyBan}
	v.Mapping([]node.Field{
		node.Key("networks", node.Each(&z.Networks, node.Value.Words, node.As(prefix))),
		node.Key("targets", node.Each(&z.Targets, node.Value.Some, target(targets))),
		node.Key("escalate", node.Each(&z.Escalate, node.Value.Some, target(targets))),
		node.Key("policy", node.Into(&z.Policy, node.OneOf(PolicyBan, PolicyNotify, PolicyNever))),
		node.Key("look", node.Into(&z.Look, node.Value.Text)),
	})
	networks, named := v.Get("networks")
	policy, said := v.Get("policy")
	switch {
	case z.Name == Internet && named:
		networks.Wrong("is not for this zone, which is whatever the others are not; take the key out")
	case z.Name == Internet && z.Policy != PolicyBan:
		policy.Wrong("would let everybody in; take the key out")
	case z.Name != Internet && z.Policy == PolicyBan && len(z.Targets)+len(z.Escalate) == 0:
		if said && policy.Is(string(PolicyBan)) {
			policy.Wrong("needs targets: that hold the bans")
		}
		z.Policy = PolicyNotify
	case z.Policy != PolicyBan && len(z.Targets)+len(z.Escalate) > 0:
		policy.Wrong("bans nobody, and targets: or escalate: are here; keep one of the two")
	}
	for _, name := range z.Escalate {
		if slices.Contains(z.Targets, name) {
			steps, _ := v.Get("escalate")
			steps.Wrong("%s is in targets: already; keep it in one of the two", node.Quote(name))
		}
	}
	return z
}
