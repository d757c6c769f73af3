package pf

import (
	"net/netip"
	"slices"
	"strings"
)

// A Rule is one line of the rule set.
type Rule struct {
	Label, Description string
	Action             string // pass, block, reject
	Log, Quick         bool
	Interface          string // a device; empty for all
	Direction          string // in, out; empty for both
	Family             string // inet, inet6; empty for both
	Protocol           string // empty for all
	From, To           Endpoint
	Ports              []string // of the destination; empty for all

	evaluations, packets, bytes, states int
}

// Stats are the counters of all rules with a label, by the names of the API.
// pf_rules is how many there are.
func (f *Filter) Stats(label string) map[string]int {
	out := map[string]int{}
	for i := range f.Rules {
		if r := &f.Rules[i]; r.Label == label {
			out["pf_rules"]++
			out["evaluations"] += r.evaluations
			out["packets"] += r.packets
			out["bytes"] += r.bytes
			out["states"] += r.states
		}
	}
	return out
}

// An Endpoint is one side of a rule: a table, or networks, or anybody.
type Endpoint struct {
	Not   bool
	Table string
	Nets  []netip.Prefix
	Text  string // as the rule set has it: any, (self), a list
}

// String is the rule as the product writes it.
func (r Rule) String() string {
	words := []string{map[string]string{"reject": "block return"}[r.Action]}
	if words[0] == "" {
		words[0] = r.Action
	}
	add := func(there bool, text string) {
		if there {
			words = append(words, text)
		}
	}
	add(r.Direction != "", r.Direction)
	add(r.Log, "log")
	add(r.Quick, "quick")
	add(r.Interface != "", "on "+r.Interface)
	add(r.Family != "", r.Family)
	add(r.Protocol != "", "proto "+r.Protocol)
	add(true, "from "+r.From.String()+" to "+r.To.String())
	add(len(r.Ports) > 0, "port {"+strings.Join(r.Ports, " ")+"}")
	add(true, `label "`+r.Label+`"`)
	add(r.Description != "", "# "+r.Description)
	return strings.Join(words, " ")
}

func (e Endpoint) String() string {
	text := "{" + e.Text + "}"
	switch {
	case e.Table != "":
		text = "$" + e.Table
	case e.Text == "(self)":
		text = e.Text
	}
	if e.Not {
		return "!" + text
	}
	return text
}

// matches asks tables last, as pf does: what is asked is counted.
func (f *Filter) matches(r *Rule, p Packet) bool {
	r.evaluations++
	direction, family := "in", "inet6"
	if p.Out {
		direction = "out"
	}
	if p.From.Is4() {
		family = "inet"
	}
	fits := func(want, have string) bool { return want == "" || want == have }
	return fits(r.Interface, p.Interface) && fits(r.Direction, direction) && fits(r.Family, family) &&
		fits(r.Protocol, p.Protocol) && (len(r.Ports) == 0 || slices.Contains(r.Ports, p.port())) &&
		f.is(r.From, p.From) && f.is(r.To, p.To)
}

func (f *Filter) is(e Endpoint, a netip.Addr) bool {
	var found bool
	switch {
	case e.Table != "":
		t := f.Tables[e.Table]
		if t == nil {
			return false
		}
		if found = t.Find(a) != nil; found {
			t.Match++
		} else {
			t.NoMatch++
		}
	case e.Text == "any":
		found = true
	default:
		found = slices.ContainsFunc(e.Nets, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	return found != e.Not
}
