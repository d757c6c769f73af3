package graph

import (
	"slices"
)

// Where a group took part that a condition asks for later, what that then asks for
// has to come later, too: (?P<a>\S+)|…) … (?(a): |$) takes no word with a where no ": "
// follows. Without asking at once, all that lies between is tried in all ways first.

// MaxOwed bounds how many groups of an expression are asked in that way.
const MaxOwed = 4

// owe finds out what is owed where a group ends.
func (g *Graph) owe() {
	g.Prog.each(map[*Node]bool{}, func(n *Node) {
		if n.Op != OpSave || n.Slot%2 == 0 || len(g.Owed) == MaxOwed {
			return
		}
		all := n.Next.owes(n.Slot-1, map[*Node][]string{})
		if len(all) == 0 {
			return
		}
		n.Op, n.Lit, n.Width = OpShut, slices.MaxFunc(all, func(a, b string) int { return len(a) - len(b) }), int32(len(g.Owed))
		g.Owed = append(g.Owed, n.Lit)
	})
}

// owes returns literals that are on every way from n to the end if the group of slot took
// part, and not on every way if it did not.
func (n *Node) owes(slot int32, known map[*Node][]string) []string {
	if all, ok := known[n]; ok {
		return all
	}
	var all []string
	switch n.Op {
	case OpCond:
		yes, no := n.Alts[0], n.Alts[1]
		if n.Slot == slot {
			without := no.musts(map[*Node][]string{})
			all = slices.DeleteFunc(yes.musts(map[*Node][]string{}), func(s string) bool { return slices.Contains(without, s) })
			break
		}
		all = both(yes.owes(slot, known), no.owes(slot, known))
	case OpAlt:
		all = n.Alts[0].owes(slot, known)
		for _, a := range n.Alts[1:] {
			all = both(all, a.owes(slot, known))
		}
	case OpMatch, OpHeld, OpFail:
	case OpSave:
		if n.Slot != slot { // else the group is taken anew
			all = n.Next.owes(slot, known)
		}
	default:
		all = n.Next.owes(slot, known)
	}
	known[n] = all
	return all
}

// musts returns literals that are on every way from n to the end.
func (n *Node) musts(known map[*Node][]string) []string {
	if all, ok := known[n]; ok {
		return slices.Clone(all)
	}
	var all []string
	switch n.Op {
	case OpAlt, OpCond:
		all = n.Alts[0].musts(known)
		for _, a := range n.Alts[1:] {
			all = both(all, a.musts(known))
		}
	case OpMatch, OpHeld, OpFail:
	case OpLit:
		all = append(n.Next.musts(known), n.Lit)
	default:
		all = n.Next.musts(known)
	}
	known[n] = all
	return slices.Clone(all)
}

// both returns what is in a and in b.
func both(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return !slices.Contains(b, s) })
}
