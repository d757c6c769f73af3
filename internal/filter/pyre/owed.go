package pyre

import (
	"bytes"
	"slices"
)

// Where a group took part that a condition asks for later, what that then asks for
// has to come later, too: (?P<a>\S+)|…) … (?(a): |$) takes no word with a where no ": "
// follows. Without asking at once, all that lies between is tried in all ways first.

// maxOwed bounds how many groups of an expression are asked in that way.
const maxOwed = 4

// owe finds out what is owed where a group ends.
func (re *Regexp) owe() {
	re.prog.each(map[*node]bool{}, func(n *node) {
		if n.op != opSave || n.slot%2 == 0 || len(re.owed) == maxOwed {
			return
		}
		all := n.next.owes(n.slot-1, map[*node][]string{})
		if len(all) == 0 {
			return
		}
		n.op, n.lit, n.width = opShut, slices.MaxFunc(all, func(a, b string) int { return len(a) - len(b) }), int32(len(re.owed))
		re.owed = append(re.owed, n.lit)
	})
}

// owes returns literals that are on every way from n to the end if the group of slot took
// part, and not on every way if it did not.
func (n *node) owes(slot int32, known map[*node][]string) []string {
	if all, ok := known[n]; ok {
		return all
	}
	var all []string
	switch n.op {
	case opCond:
		yes, no := n.alts[0], n.alts[1]
		if n.slot == slot {
			without := no.musts(map[*node][]string{})
			all = slices.DeleteFunc(yes.musts(map[*node][]string{}), func(s string) bool { return slices.Contains(without, s) })
			break
		}
		all = both(yes.owes(slot, known), no.owes(slot, known))
	case opAlt:
		all = n.alts[0].owes(slot, known)
		for _, a := range n.alts[1:] {
			all = both(all, a.owes(slot, known))
		}
	case opMatch, opHeld, opFail:
	case opSave:
		if n.slot != slot { // else the group is taken anew
			all = n.next.owes(slot, known)
		}
	default:
		all = n.next.owes(slot, known)
	}
	known[n] = all
	return all
}

// musts returns literals that are on every way from n to the end.
func (n *node) musts(known map[*node][]string) []string {
	if all, ok := known[n]; ok {
		return slices.Clone(all)
	}
	var all []string
	switch n.op {
	case opAlt, opCond:
		all = n.alts[0].musts(known)
		for _, a := range n.alts[1:] {
			all = both(all, a.musts(known))
		}
	case opMatch, opHeld, opFail:
	case opLit:
		all = append(n.next.musts(known), n.lit)
	default:
		all = n.next.musts(known)
	}
	known[n] = all
	return slices.Clone(all)
}

// both returns what is in a and in b.
func both(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return !slices.Contains(b, s) })
}

// owing reports whether what is owed from i on still comes.
func (m *Matcher) owing(n *node, i int) bool {
	last := &m.last[n.width]
	if *last == unknown {
		*last = -1
		if lit := []byte(n.lit); bytes.Contains(m.text, lit) {
			*last = bytes.LastIndex(m.text, lit)
		}
	}
	return i <= *last
}

const unknown = -2 // a place that was not looked for yet
