package pyre

import (
	"unicode/utf8"

	"github.com/edgeban/edgeban/internal/filter/pyre/syntax"
)

// A jump leads past what the next byte alone decides: repetitions that it does not
// begin, and branches of which it begins one or none; then into the first of several
// that it begins. Most filters begin with many parts that may be missing.
type jump struct {
	at [utf8.RuneSelf]uint8 // the place in to, 0 where the byte does not decide
	to [maxLeads + 1]lead
}

// A lead is the node that a jump leads to, and what is left to try if that fails.
type lead struct {
	node *node // nil: the general way has to be gone
	left int32 // the id of the node that has other ways, -1 for none
	aux  int32 // of its frame
}

// maxLeads is to how many nodes a jump may lead.
const maxLeads = 15

// maxJump is past how many nodes a jump leads.
const maxJump = 32

// dead is where a jump leads if the search fails there.
var dead = &node{op: opFail, code: opFail}

// jumps gives each node of the graph that is worth it a jump.
func (re *Regexp) jumps() {
	re.prog.each(map[*node]bool{}, func(n *node) {
		n.id, re.nodes = int32(len(re.nodes)), append(re.nodes, n)
		n.code = n.quickest()
	})
	re.prog.each(map[*node]bool{}, func(n *node) {
		if n.op == opAlt || n.op == opLoop || n.op == opRun && n.min == 0 {
			n.jump = n.decided()
		}
	})
}

// each calls f with all nodes of the graph.
func (n *node) each(seen map[*node]bool, f func(*node)) {
	for n != nil && !seen[n] {
		seen[n] = true
		f(n)
		n.sub.each(seen, f)
		for _, a := range n.alts {
			a.each(seen, f)
		}
		n = n.next
	}
}

// decided returns the jump of a node, nil if no byte decides anything.
func (n *node) decided() *jump {
	j, leads := &jump{}, 1
	for b := range byte(utf8.RuneSelf) {
		to := n.leads(b)
		if to.node == n {
			continue
		}
		k := 1
		for k < leads && j.to[k] != to {
			k++
		}
		if k == leads {
			if leads == len(j.to) {
				continue // the general way finds it
			}
			j.to[k] = to
			leads++
		}
		j.at[b] = uint8(k)
	}
	if leads == 1 {
		return nil
	}
	return j
}

// leads returns where a search gets to from n before it takes b.
func (n *node) leads(b byte) lead {
	n = n.past(b)
	if first, aux := n.choices(b); first != nil {
		return lead{first.past(b), n.id, aux}
	}
	return lead{n, -1, 0}
}

// past returns the node that a search gets to from n, before it takes b, without
// anything left to try; dead if there is none.
func (n *node) past(b byte) *node {
	for range maxJump {
		if !n.first.Has(b) {
			return dead
		}
		next := n.only(b)
		if next == nil {
			return n
		}
		n = next
	}
	return n
}

// choices returns which of several ways a search tries first at n before b, and the aux
// of the frame for the others; nil if b alone does not tell.
func (n *node) choices(b byte) (first *node, aux int32) {
	switch {
	case n.op == opAlt && !n.asks:
		if first, more := n.begun(b); more > 0 {
			return first, int32(more)
		}
	case n.op == opLoop && n.slot < 0 && n.sub.when == nil && n.next.when == nil && n.sub.first.Has(b) && n.next.first.Has(b):
		return pick(n.greed == syntax.Lazy, n.next, n.sub), 1
	}
	return nil, 0
}

// begun returns the first of the branches that b begins, and which is the second; 0 if
// there is none.
func (n *node) begun(b byte) (first *node, second int) {
	for k, a := range n.alts {
		switch {
		case !a.first.Has(b):
		case first != nil:
			return first, k
		default:
			first = a
		}
	}
	return first, 0
}

// only returns the node that a search goes on with before it takes b, nil if b does
// not decide that.
func (n *node) only(b byte) *node {
	switch n.op {
	case opAlt:
		if one, more := n.begun(b); more == 0 {
			return one
		}
	case opLoop:
		if in, out := n.sub.first.Has(b), n.next.first.Has(b); n.slot < 0 && in != out {
			return pick(in, n.sub, n.next)
		}
	case opRun:
		if n.min == 0 && !n.class.Tab[b] {
			return n.next
		}
	}
	return nil
}
