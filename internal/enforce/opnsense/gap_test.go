package opnsense

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
)

// A fine firewall blocks what the alias holds.
func fine(privileges ...string) *opnsensetest.Firewall {
	f := opnsensetest.New(opnsensetest.Options{
		Users: []opnsensetest.User{{Name: "edgeban", Key: opnsensetest.Key, Secret: opnsensetest.Secret, Privileges: append(privileges, opnsensetest.Tables)}},
		Rules: []opnsensetest.Rule{{UUID: "edb00000-0000-4000-9000-000000000001", Fields: map[string]string{
			"action": "block", "interface": "wan", "ipprotocol": "inet46", "sequence": "1", "source_net": opnsensetest.AliasName,
		}}},
	})
	f.Apply()
	f.Insert("__lan_network", "192.168.1.0/24", "2001:db8:1::/64")
	f.Insert("__wan_network", "198.51.100.0/24")
	f.Insert("__lo0_network", "127.0.0.0/8")
	return f
}

func TestWhatAGapIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counters := opnsensetest.AliasView
		rules, states := opnsensetest.FilterAPI, opnsensetest.ShowStates
		old, young := time.Now().Add(-time.Hour), time.Now().Add(-time.Minute)
		since := time.Now().Add(-10 * time.Minute)
		for _, c := range []struct {
			name   string
			rights []string
			states []opnsensetest.State
			addr   string
			want   enforce.GapKind
			fails  bool
		}{
			{"nothing is wrong", []string{rules, states}, nil, "203.0.113.9", enforce.NoGap, false},
			{"it is in the LAN", []string{rules, states}, nil, "2001:db8:1::50", enforce.Behind, false},
			{"it is a neighbour outside", []string{rules, states}, nil, "198.51.100.9", enforce.NoGap, false},
			{"an old connection", []string{rules, states}, []opnsensetest.State{{ID: "1/a", Src: "203.0.113.9", Dst: "192.168.1.10", Since: old}}, "203.0.113.9", enforce.OpenState, false},
			{"an old IPv6 connection", []string{rules, states}, []opnsensetest.State{{ID: "1/a", Src: "2001:db8:bad::9", Dst: "2001:db8:1::10", Since: old}}, "2001:db8:bad::9", enforce.OpenState, false},
			{"a connection since then", []string{rules, states}, []opnsensetest.State{{ID: "1/a", Src: "203.0.113.9", Dst: "192.168.1.10", Since: young}}, "203.0.113.9", enforce.NoGap, false},
			{"one of our own to it", []string{rules, states}, []opnsensetest.State{{ID: "1/a", Src: "192.168.1.10", Dst: "203.0.113.9", Since: old}}, "203.0.113.9", enforce.NoGap, false},
			{"an old connection of another", []string{rules, states}, []opnsensetest.State{{ID: "1/a", Src: "203.0.113.90", Dst: "192.168.1.10", Since: old}}, "203.0.113.9", enforce.NoGap, false},
			{"the key may not see states", []string{rules}, []opnsensetest.State{{ID: "1/a", Src: "203.0.113.9", Dst: "192.168.1.10", Since: old}}, "203.0.113.9", enforce.NoGap, false},
			{"the key may not see rules", []string{states}, nil, "203.0.113.9", enforce.NoGap, true},
			{"the key may see counters, and no rule has looked", []string{counters, states}, nil, "203.0.113.9", enforce.NoRule, false},
			{"the key may see counters, and a state", []string{counters, states}, []opnsensetest.State{{ID: "1/a", Src: "203.0.113.9", Dst: "192.168.1.10", Since: old}}, "203.0.113.9", enforce.OpenState, false},
			{"the key may not see rules, but a state", []string{states}, []opnsensetest.State{{ID: "1/a", Src: "203.0.113.9", Dst: "192.168.1.10", Since: old}}, "203.0.113.9", enforce.OpenState, false},
		} {
			f := fine(c.rights...)
			f.SetStates(c.states...)
			g, err := reach(t, f).Gap(t.Context(), netip.MustParseAddr(c.addr), since)
			if g.Kind != c.want || (err != nil) != c.fails {
				t.Errorf("%s: %q %s (%v), want %q, an error: %v", c.name, g.Kind, g.Text, err, c.want, c.fails)
			}
		}
		f := fine(counters)
		f.Packet(opnsensetest.Packet{From: "203.0.113.77", Interface: "wan", ToPort: 993})
		for addr, fails := range map[string]bool{"203.0.113.9": false, "2001:db8:bad::9": true} { // whether the rule is for IPv6 is not counted
			if g, err := reach(t, f).Gap(t.Context(), netip.MustParseAddr(addr), since); g.Kind != enforce.NoGap || (err != nil) != fails {
				t.Errorf("some rule looks at the alias, for %s: %+v (%v), want no gap, an error: %v", addr, g, err, fails)
			}
		}
		f = fine(rules)
		f.Fail(opnsensetest.ServerError, -1)
		if g, err := reach(t, f, func(c *config.OPNsense) { c.Timeout = time.Second }).Gap(t.Context(), netip.MustParseAddr("203.0.113.9"), since); err == nil {
			t.Errorf("a firewall that fails: %+v, want an error", g)
		}
	})
}
