package graph

import (
	"unicode/utf8"

	"github.com/edgeban/edgeban/internal/filter/pyre/syntax"
)

// A jump leads past what the next byte alone decides: repetitions that it does not
// begin, and branches of which it begins one or none; then into the first of several
// that it begins. Most filters begin with many parts that may be missing.
type jump struct {
	At [utf8.RuneSelf]uint8 // the place in to, 0 where the byte does not decide
	To [MaxLeads + 1]lead
}

// A lead is the node that a jump leads to, and what is left to try if that fails.
type lead struct {
	Node *Node // nil: the general way has to be gone
	Left int32 // the id of the node that has other ways, -1 for none
	Aux  int32 // of its frame
}

// MaxLeads is to how many nodes a jump may lead.
const MaxLeads = 15

// maxJump is past how many nodes a jump leads.
const maxJump = 32

// dead is where a jump leads if the search fails there.
var dead = &Node{Op: OpFail, Code: OpFail}

// jumps gives each node of the graph that is worth it a jump.
func (g *Graph) jumps() {
	g.Prog.each(map[*Node]bool{}, func(n *Node) {
		n.ID, g.Nodes = int32(len(g.Nodes)), append(g.Nodes, n)
		n.Code = n.quickest()
	})
	g.Prog.each(map[*Node]bool{}, func(n *Node) {
		if n.Op == OpAlt || n.Op == OpLoop || n.Op == OpRun && n.Min == 0 {
			n.Jump = n.decided()
		}
	})
}

// each calls f with all nodes of the graph.
func (n *Node) each(seen map[*Node]bool, f func(*Node)) {
	for n != nil && !seen[n] {
		seen[n] = true
		f(n)
		n.Sub.each(seen, f)
		for _, a := range n.Alts {
			a.each(seen, f)
		}
		n = n.Next
	}
}

// decided returns the jump of a node, nil if no byte decides anything.
func (n *Node) decided() *jump {
	j, leads := &jump{}, 1
	for b := range byte(utf8.RuneSelf) {
		to := n.leads(b)
		if to.Node == n {
			continue
		}
		k := 1
		for k < leads && j.To[k] != to {
			k++
		}
		if k == leads {
			if leads == len(j.To) {
				continue // the general way finds it
			}
			j.To[k] = to
			leads++
		}
		j.At[b] = uint8(k)
	}
	if leads == 1 {
		return nil
	}
	return j
}

// leads returns where a search gets to from n before it takes b.
func (n *Node) leads(b byte) lead {
	n = n.past(b)
	if first, aux := n.choices(b); first != nil {
		return lead{first.past(b), n.ID, aux}
	}
	return lead{n, -1, 0}
}

// past returns the node that a search gets to from n, before it takes b, without
// anything left to try; dead if there is none.
func (n *Node) past(b byte) *Node {
	for range maxJump {
		if !n.First.Has(b) {
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
func (n *Node) choices(b byte) (first *Node, aux int32) {
	switch {
	case n.Op == OpAlt && !n.Asks:
		if first, more := n.begun(b); more > 0 {
			return first, int32(more)
		}
	case n.Op == OpLoop && n.Slot < 0 && n.Sub.When == nil && n.Next.When == nil && n.Sub.First.Has(b) && n.Next.First.Has(b):
		return pick(n.Greed == syntax.Lazy, n.Next, n.Sub), 1
	}
	return nil, 0
}

// begun returns the first of the branches that b begins, and which is the second; 0 if
// there is none.
func (n *Node) begun(b byte) (first *Node, second int) {
	for k, a := range n.Alts {
		switch {
		case !a.First.Has(b):
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
func (n *Node) only(b byte) *Node {
	switch n.Op {
	case OpAlt:
		if one, more := n.begun(b); more == 0 {
			return one
		}
	case OpLoop:
		if in, out := n.Sub.First.Has(b), n.Next.First.Has(b); n.Slot < 0 && in != out {
			return pick(in, n.Sub, n.Next)
		}
	case OpRun:
		if n.Min == 0 && !n.Class.Tab[b] {
			return n.Next
		}
	}
	return nil
}
