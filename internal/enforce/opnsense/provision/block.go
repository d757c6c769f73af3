package provision

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/edgeban/edgeban/internal/enforce/opnsense/rules"
)

// block plans the rules. Whoever wrote one that does it all is left alone; where none
// does, ours is made, or mended: it is known by its UUID.
func (p *Plan) block(context.Context) error {
	aliases := []string{p.w.Alias}
	if p.w.Feed != nil {
		aliases = append(aliases, p.w.feedAlias())
	}
	for _, alias := range aliases {
		p.rule(alias, "in")
		if p.w.Out {
			p.rule(alias, "out")
		}
	}
	return nil
}

func (p *Plan) rule(alias, direction string) {
	want := p.fields(alias, direction)
	id := ruleID(alias, direction)
	ours := rules.Rule{UUID: rules.Text(id)}
	i := slices.IndexFunc(p.rules, func(r rules.Rule) bool { return r.UUID == ours.UUID })
	verb, after := "make", slices.Clone(p.rules)
	if i >= 0 {
		verb, ours = "mend", after[i]
		after = slices.Delete(after, i, i+1)
	}
	is := ours
	ours.Take(want, order(want["interface"]))
	if rules.Told(p.rules) {
		ours.Loaded = "1" // as it will be
	}
	after = append(after, ours)
	now, then := p.judge(p.rules, alias, direction), p.judge(after, alias, direction)
	same := i >= 0 && ours.Same(is)
	if !same && (!all(now, blocks) || !all(now, first) && all(then, first)) {
		p.step(fmt.Sprintf("%s a rule on %s: block %s, IPv4 and IPv6, %s alias %s", verb, place(want["interface"]), direction, preposition(direction), alias), func(ctx context.Context) error {
			return p.save(ctx, "firewall/filter/set_rule/"+id, "rule", want)
		})
		now = then
	}
	if same && !all(now, blocks) {
		p.step("the rule that blocks "+direction+" was saved and never applied", nothing)
	}
	for _, v := range now {
		for _, r := range people(v.Wins) {
			p.once("pass rule %s comes before the block rule, and lets through what it allows: --interfaces all makes a floating rule, which comes first; or move the block rule up", r.Name())
		}
	}
}

func nothing(context.Context) error { return nil }

func blocks(v rules.Verdict) bool { return v.Blocks() }
func first(v rules.Verdict) bool  { return v.Blocks() && len(people(v.Wins)) == 0 }

// people leaves out the rule against locking people out, which no rule comes before.
func people(all []rules.Rule) []rules.Rule {
	return slices.DeleteFunc(slices.Clone(all), rules.Rule.Lockout)
}

func all(vs []rules.Verdict, is func(rules.Verdict) bool) bool {
	return !slices.ContainsFunc(vs, func(v rules.Verdict) bool { return !is(v) })
}

func place(ifaces string) string {
	if ifaces == "" {
		return "all interfaces"
	}
	return ifaces
}

func preposition(direction string) string {
	if direction == "out" {
		return "to"
	}
	return "from"
}

// judge returns what rules do at each interface with each family.
func (p *Plan) judge(rows []rules.Rule, alias, direction string) (vs []rules.Verdict) {
	if direction == "out" {
		rows = rules.Mirror(rows)
	}
	for _, iface := range p.ifaces {
		for _, f := range []rules.Family{rules.IPv4, rules.IPv6} {
			vs = append(vs, rules.Judge(rows, alias, iface, f))
		}
	}
	return vs
}

// fields are those of a rule of ours. A log of what is blocked would flood.
func (p *Plan) fields(alias, direction string) map[string]string {
	f := map[string]string{
		"enabled": "1", "sequence": "1", "action": "block", "quick": "1", "interface": strings.Join(p.w.Interfaces, ","), "interfacenot": "0",
		"direction": direction, "ipprotocol": "inet46", "protocol": "any", "log": "0",
		"source_net": alias, "source_not": "0", "source_port": "", "destination_net": "any", "destination_not": "0", "destination_port": "",
		"description": "edgeban: what is banned stays out",
	}
	if direction == "out" {
		f["source_net"], f["destination_net"] = "any", alias
		f["description"] = "edgeban: nobody talks to what is banned"
	}
	return f
}

// order is where the firewall puts a rule of ours: floating ones come first.
func order(ifaces string) string {
	if ifaces == "" || strings.Contains(ifaces, ",") {
		return "200000.0000001"
	}
	return "400000.0000001"
}

// ruleID is the UUID of our rule for an alias: the same each time, so that to make
// it twice makes one.
func ruleID(alias, direction string) string {
	sum := sha256.Sum256([]byte("edgeban rule " + alias + " " + direction))
	sum[6], sum[8] = sum[6]&0x0f|0x40, sum[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}
