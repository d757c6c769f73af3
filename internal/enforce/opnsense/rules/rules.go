// Package rules reads what the filter rules of an OPNsense firewall do with packets
// from the addresses of an alias. It asks nothing and changes nothing: it is given
// the rows that the firewall's API lists.
package rules

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Family is a version of the Internet protocol.
type Family string

// The families, as the firewall calls them.
const (
	IPv4 Family = "inet"
	IPv6 Family = "inet6"
)

// A Rule is a row of the API's search_rule. What a version does not say is empty.
type Rule struct {
	UUID            Text `json:"uuid"`
	Enabled         Text `json:"enabled"`
	Action          Text `json:"action"`
	Quick           Text `json:"quick"`
	Interface       Text `json:"interface"` // keys, with commas in between; empty for all
	InterfaceNot    Text `json:"interfacenot"`
	Direction       Text `json:"direction"`
	IPProtocol      Text `json:"ipprotocol"`
	Protocol        Text `json:"protocol"`
	Source          Text `json:"source_net"`
	SourceNot       Text `json:"source_not"`
	SourcePort      Text `json:"source_port"`
	Destination     Text `json:"destination_net"`
	DestinationNot  Text `json:"destination_not"`
	DestinationPort Text `json:"destination_port"`
	Schedule        Text `json:"sched"`
	Order           Text `json:"sort_order"` // priority of the group, a dot, and the place in it
	Description     Text `json:"description"`
	Loaded          Text `json:"pf_rules"` // how many rules of pf it became, where the version says so
}

// Text is a value of the API however it is written: "1", 1, true and null occur.
type Text string

// UnmarshalJSON never fails: what is no simple value counts as nothing.
func (t *Text) UnmarshalJSON(b []byte) error {
	var v any
	_ = json.Unmarshal(b, &v)
	switch v := v.(type) {
	case string:
		*t = Text(v)
	case float64:
		*t = Text(strconv.FormatFloat(v, 'f', -1, 64))
	case bool:
		*t = "0"
		if v {
			*t = "1"
		}
	default:
		*t = ""
	}
	return nil
}

// Name is what a person finds the rule by.
func (r Rule) Name() string {
	where := "all interfaces"
	if r.Interface != "" {
		where = string(r.Interface)
	}
	return fmt.Sprintf("%q on %s", cmp.Or(string(r.Description), string(r.UUID), "without a description"), where)
}

// on reports whether the rule is for packets at an interface.
func (r Rule) on(iface string) bool {
	listed := r.Interface == "" || slices.Contains(strings.Split(string(r.Interface), ","), iface)
	if r.InterfaceNot == "1" && r.Interface != "" {
		return !listed
	}
	return listed
}

func (r Rule) family(f Family) bool {
	return r.IPProtocol == "" || r.IPProtocol == "inet46" || string(r.IPProtocol) == string(f)
}

// blocks reports whether the rule names the alias as the source of what it refuses.
func (r Rule) blocks(alias string) bool {
	return (r.Action == "block" || r.Action == "reject") && names(r.Source, alias)
}

func names(list Text, alias string) bool {
	return slices.Contains(strings.Split(string(list), ","), alias)
}

// everything reports whether a side of a rule leaves nothing out.
func everything(net, not, port Text) bool {
	return (net == "" || net == "any") && not != "1" && (port == "" || port == "any")
}

// A Flaw is one thing that keeps a rule from refusing all packets of an alias.
type Flaw struct {
	Link string // of the chain: one of the constants
	Says string
	Fix  string // what is to be set in the rule
}

// The links that a rule can break.
const (
	Exists    = "block rule"
	Enabled   = "block rule enabled"
	Interface = "block rule interface"
	Direction = "block rule direction"
	Scope     = "block rule scope"
	Applied   = "block rule in force"
	CoverIPv4 = "IPv4 covered"
	CoverIPv6 = "IPv6 covered"
	Before    = "pass rules"
)

// Cover returns the link of a family.
func (f Family) Cover() string {
	if f == IPv6 {
		return CoverIPv6
	}
	return CoverIPv4
}

// flaws returns what keeps a rule that blocks the alias from refusing every packet
// of a family that comes in by an interface.
func (r Rule) flaws(iface string, f Family) (all []Flaw) {
	add := func(link, says, fix string) { all = append(all, Flaw{link, says, fix}) }
	if r.Enabled == "0" {
		add(Enabled, "the rule is disabled", "enable it")
	}
	if !r.on(iface) {
		add(Interface, "the rule stands on "+string(r.Interface)+", and attackers come in by "+iface, "set its interface to "+iface)
	}
	if r.Direction != "in" && r.Direction != "any" && r.Direction != "" {
		add(Direction, "the rule is for direction "+string(r.Direction), "set its direction to in")
	}
	if !r.family(f) {
		add(f.Cover(), "the rule is for "+string(r.IPProtocol)+" alone", "set its TCP/IP version to IPv4+IPv6")
	}
	switch {
	case r.SourceNot == "1":
		add(Scope, "the rule blocks everything but the alias (invert source)", "take invert from its source")
	case r.Protocol != "" && r.Protocol != "any":
		add(Scope, "the rule blocks protocol "+string(r.Protocol)+" alone", "set its protocol to any")
	case r.SourcePort != "" && r.SourcePort != "any":
		add(Scope, "the rule blocks source port "+string(r.SourcePort)+" alone", "set its source port to any")
	case !everything(r.Destination, r.DestinationNot, r.DestinationPort):
		add(Scope, strings.TrimSpace("the rule blocks destination "+string(r.Destination)+" "+string(r.DestinationPort)+" alone"), "set its destination and port to any")
	case r.Schedule != "" && r.Schedule != "none":
		add(Scope, "the rule holds at times alone ("+string(r.Schedule)+")", "take the schedule from it")
	}
	return all
}

// A Verdict is what the rules do with the packets of a family.
type Verdict struct {
	Rule  *Rule  // the one that blocks, or comes nearest to it; nil for none
	Flaws []Flaw // why it does not; none if it does
	Wins  []Rule // pass rules that let a part of those packets through all the same
}

// Blocks reports whether the packets are refused, all but those that Wins lets pass.
func (v Verdict) Blocks() bool { return v.Rule != nil && len(v.Flaws) == 0 }

// Judge returns what rules do with packets of a family from the addresses of an
// alias that come in by an interface.
func Judge(all []Rule, alias, iface string, f Family) (v Verdict) {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b Rule) int { return cmpOrder(a.Order, b.Order) })
	told := Told(all)
	at := -1
	for i, r := range all {
		if !r.blocks(alias) {
			continue
		}
		flaws := r.flaws(iface, f)
		if told && r.Enabled != "0" && number(string(r.Loaded)) == 0 {
			flaws = append(flaws, Flaw{Applied, "the rule was saved and never applied", "press Apply"})
		}
		if at < 0 || len(flaws) < len(v.Flaws) {
			at, v.Flaws = i, flaws
			v.Rule = &all[i]
		}
	}
	if !v.Blocks() {
		return v
	}
	for i, r := range all {
		// The first quick rule decides; without one the last rule does.
		first := i < at && (r.Quick == "1" || r.Quick == "") || i > at && v.Rule.Quick == "0"
		if first && r.lets(alias, iface, f) {
			v.Wins = append(v.Wins, r)
		}
	}
	return v
}

// people is the first priority of rules that people write. What comes before is
// automatic: neighbour discovery, DHCP and the like, and the anti-lockout rule.
const people = 200_000

// Told reports whether the firewall says which of the rules are in force.
func Told(all []Rule) bool {
	return slices.ContainsFunc(all, func(r Rule) bool { return r.Loaded != "" })
}

// lets reports whether a rule lets packets from the addresses of the alias pass, as
// far as that shows: a rule for certain sources is taken not to mean them.
func (r Rule) lets(alias, iface string, f Family) bool {
	group, _, _ := strings.Cut(string(r.Order), ".")
	if number(group) < people && r.Order != "" && !r.Lockout() {
		return false
	}
	anybody := r.Source == "" || r.Source == "any" || names(r.Source, alias)
	return r.Action == "pass" && r.Enabled != "0" && r.Direction != "out" && anybody && r.SourceNot != "1" && r.on(iface) && r.family(f)
}

// Lockout reports whether the rule is the automatic one that keeps the firewall's own
// ports open, whoever asks.
func (r Rule) Lockout() bool {
	return r.Action == "pass" && strings.Contains(strings.ToLower(string(r.Description)), "lockout")
}

// cmpOrder compares two places such as 200000.0000001.
func cmpOrder(a, b Text) int {
	ai, af, _ := strings.Cut(string(a), ".")
	bi, bf, _ := strings.Cut(string(b), ".")
	return cmp.Or(cmp.Compare(number(ai), number(bi)), cmp.Compare(number(af), number(bf)))
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}
