package opnsense

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/api"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/rules"
)

// linkRule is the rule that blocks what the alias holds. Its flaws are links too.
const linkRule = rules.Exists

// outside is the interface that attackers come in by, as the firewall calls it.
const outside = "wan"

// A Blocking is what the firewall's rules do with packets from a banned address.
type Blocking struct {
	Known    bool   // false if the key may not look
	Blocks   bool   // some rule refuses them
	Counted  bool   // only the counters of pf's table say so, or that no rule has looked at it
	Link     string // which link of the doctor's is broken; empty if none is
	Evidence string
	Fix      string
}

// Blocking asks the firewall whether a rule refuses packets from addr, were it in the
// alias: for whoever sees a banned address come in all the same. Findings of the
// rules need the privilege to read them; without it the counters of pf's table tell
// whether any rule looks at it (since 26.1), and without those nothing is known.
func (a *Alias) Blocking(ctx context.Context, addr netip.Addr) (Blocking, error) {
	all, err := a.looks.Rules(ctx)
	if api.Denied(err) {
		return a.evaluated(ctx)
	}
	if err != nil {
		return Blocking{}, err
	}
	family := rules.IPv4
	if addr.Unmap().Is6() {
		family = rules.IPv6
	}
	v := rules.Judge(all, a.name, outside, family)
	b := Blocking{Known: true, Blocks: v.Blocks(), Link: rules.Exists, Evidence: "no rule blocks what is in alias " + a.name, Fix: makeRule}
	switch {
	case v.Rule == nil:
	case len(v.Flaws) > 0:
		b.Link, b.Evidence, b.Fix = v.Flaws[0].Link, v.Rule.Name()+": "+v.Flaws[0].Says, mendRule(v.Flaws[0])
	case len(v.Wins) > 0:
		b.Link, b.Evidence, b.Fix = rules.Before, wins(v), moveAll(v)
	default:
		b.Link, b.Evidence, b.Fix = "", v.Rule.Name()+" blocks them", ""
	}
	return b, nil
}

const (
	makeRule = "edgeban setup opnsense makes one; or by hand a rule on WAN: block, direction in, IPv4+IPv6, protocol any, source the alias, then Apply"
	openDoor = "Firewall > Settings > Advanced: Disable anti-lockout, once a rule of yours lets you in"
	moveRule = "edgeban setup opnsense --interfaces all makes a floating rule, which comes first; or move the block rule above them, then Apply"
	lookKey  = "edgeban doctor --apikey FILE looks at the rules with the key that you used for edgeban setup opnsense"
)

func mendRule(f rules.Flaw) string {
	if f.Link == rules.Applied {
		return "edgeban setup opnsense --apply, or Firewall > Rules: Apply"
	}
	return "edgeban setup opnsense mends it; or by hand: " + f.Fix + ", then Apply"
}

// moveAll says how the block rule comes before all that win over it.
func moveAll(v rules.Verdict) string {
	if slices.ContainsFunc(v.Wins, rules.Rule.Lockout) {
		return openDoor
	}
	return moveRule
}

func wins(v rules.Verdict) string {
	var names []string
	for _, r := range v.Wins {
		names = append(names, r.Name())
	}
	if len(names) > 3 {
		names = append(names[:3], fmt.Sprintf("%d more", len(names)-3))
	}
	return "these pass rules come before the block rule, and let through what they allow: " + strings.Join(names, ", ")
}

// evaluated tells from the counters of pf's table whether a rule that is loaded
// looks at it.
func (a *Alias) evaluated(ctx context.Context) (Blocking, error) {
	sizes, err := a.looks.TableSize(ctx)
	if api.Denied(err) {
		return Blocking{Link: linkRule, Evidence: "the key may not look at rules (403)", Fix: lookKey}, nil
	}
	if err != nil {
		return Blocking{}, err
	}
	d, ok := sizes.Details[a.name]
	switch {
	case !ok || d.Match == nil || d.NoMatch == nil:
		return Blocking{Link: linkRule, Evidence: "the key may not look at rules (403), and this version does not count which tables they use", Fix: lookKey}, nil
	case *d.Match+*d.NoMatch > 0:
		return Blocking{Known: true, Blocks: true, Counted: true, Evidence: fmt.Sprintf("some rule that is loaded has compared packets with the alias (%d); which one it is, this key may not read", *d.Match+*d.NoMatch)}, nil
	}
	return Blocking{Counted: true, Link: linkRule, Evidence: "the key may not look at rules (403), and no rule has compared a packet with the alias yet", Fix: lookKey}, nil
}

// rules looks at the rule that blocks, for both families.
func (c *checkup) rules(ctx context.Context) {
	all, err := c.a.looks.Rules(ctx)
	if api.Denied(err) {
		c.withoutRules(ctx)
		return
	}
	if api.RefusedWith(err) == http.StatusUnauthorized { // ours is accepted, or nobody would ask for rules
		c.add(edgeban.Warning, linkRule, "the key that was given to look at rules is not accepted (401)", "give the file of one that is as --apikey, or leave it out")
		c.untried("nobody could look at rules", rules.CoverIPv4, rules.CoverIPv6, rules.Before)
		return
	}
	if err != nil {
		c.unexpected(linkRule, err)
		return
	}
	v4, v6 := rules.Judge(all, c.a.name, outside, rules.IPv4), rules.Judge(all, c.a.name, outside, rules.IPv6)
	if v4.Rule == nil {
		c.add(edgeban.Broken, linkRule, "no rule blocks what is in alias "+c.a.name, makeRule)
		c.untried("there is no block rule", rules.CoverIPv4, rules.CoverIPv6, rules.Before)
		return
	}
	shared := slices.DeleteFunc(slices.Clone(v4.Flaws), func(f rules.Flaw) bool { return f.Link == rules.CoverIPv4 })
	if v4.Blocks() || v6.Blocks() {
		shared = nil
	}
	c.good(linkRule, "%s", v4.Rule.Name())
	for _, f := range shared {
		c.add(edgeban.Broken, f.Link, v4.Rule.Name()+": "+f.Says, mendRule(f))
	}
	if len(shared) > 0 {
		c.untried("the block rule does not hold", rules.CoverIPv4, rules.CoverIPv6, rules.Before)
		return
	}
	c.cover(rules.IPv4, v4)
	c.cover(rules.IPv6, v6)
	v := v4
	if len(v.Wins) == 0 {
		v = v6
	}
	if len(v.Wins) > 0 {
		c.add(edgeban.Broken, rules.Before, wins(v), moveAll(v))
		return
	}
	also := ""
	if i := slices.IndexFunc(all, rules.Rule.Lockout); i >= 0 {
		also = "; by " + string(all[i].Interface) + " everybody may reach the firewall itself (anti-lockout rule)"
	}
	c.good(rules.Before, "none comes before the block rule on %s%s", outside, also)
}

func (c *checkup) cover(f rules.Family, v rules.Verdict) {
	if v.Blocks() {
		c.good(f.Cover(), "%s", v.Rule.Name())
		return
	}
	says, fix := "no rule blocks it", "set its TCP/IP version to IPv4+IPv6"
	if len(v.Flaws) > 0 {
		says, fix = v.Rule.Name()+": "+v.Flaws[0].Says, v.Flaws[0].Fix
	}
	c.add(edgeban.Broken, f.Cover(), says, mendRule(rules.Flaw{Fix: fix}))
}

// withoutRules finds out as much as a key can that may not read rules.
func (c *checkup) withoutRules(ctx context.Context) {
	b, err := c.a.evaluated(ctx)
	switch {
	case err != nil:
		c.unexpected(linkRule, err)
	case b.Blocks:
		c.good(linkRule, "%s", b.Evidence)
	default:
		c.add(edgeban.Warning, linkRule, b.Evidence, b.Fix)
	}
	c.untried("the key may not look at rules", rules.CoverIPv4, rules.CoverIPv6, rules.Before)
}
