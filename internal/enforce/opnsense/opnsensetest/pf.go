package opnsensetest

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// A table is a table of pf: its entries as pf spells them. An entry that is no
// address has no prefix.
type table map[string]netip.Prefix

// add does what `pfctl -T add` does, and reports whether pf took it: host bits
// are masked, the spelling becomes pf's.
func (t table) add(item string) bool {
	text, negated := strings.CutPrefix(item, "!")
	p, ok := parse(text)
	if !ok {
		return false
	}
	text = spell(p)
	if negated {
		text = "!" + text
	}
	t[text] = p
	return true
}

// show lists the entries in pf's order: IPv4 first, each family by number.
func (t table) show() []string {
	out := make([]string, 0, len(t))
	for text := range t {
		out = append(out, text)
	}
	slices.SortFunc(out, func(a, b string) int {
		return cmp.Or(t[a].Addr().Compare(t[b].Addr()), cmp.Compare(t[a].Bits(), t[b].Bits()), strings.Compare(a, b))
	})
	return out
}

func (t table) contains(a netip.Addr) bool {
	for text, p := range t {
		if p.Contains(a) && !strings.HasPrefix(text, "!") {
			return true
		}
	}
	return false
}

func parse(text string) (netip.Prefix, bool) {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), a.Zone() == ""
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err == nil
}

func spell(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
