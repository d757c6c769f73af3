package pyre

import "unicode/utf8"

// A jump leads past what the next byte alone decides: repetitions that it does not
// begin, and branches of which it begins one or none. Most filters begin with many
// parts that may be missing.
type jump struct {
	at [utf8.RuneSelf]uint8 // the place in to, 0 where the byte does not decide
	to [maxLeads + 1]*node
}

// maxLeads is to how many nodes a jump may lead.
const maxLeads = 7

// maxJump is past how many nodes a jump leads.
const maxJump = 32

// dead is where a jump leads if the search fails there.
var dead = &node{op: opFail, code: opFail}

// jumps gives each node of the graph that is worth it a jump.
func (re *Regexp) jumps() {
	re.prog.each(map[*node]bool{}, func(n *node) {
		n.id, re.nodes = int32(len(re.nodes)), append(re.nodes, n)
		n.code = n.quickest()
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
		to := n.past(b)
		if to == n {
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

// only returns the node that a search goes on with before it takes b, nil if b does
// not decide that.
func (n *node) only(b byte) *node {
	switch n.op {
	case opAlt:
		var one *node
		for _, a := range n.alts {
			if !a.first.Has(b) {
				continue
			}
			if one != nil {
				return nil
			}
			one = a
		}
		return one
	case opLoop:
		in, out := n.sub.first.Has(b), n.next.first.Has(b)
		switch {
		case n.slot >= 0 || in == out:
			return nil
		case in:
			return n.sub
		}
		return n.next
	case opRun:
		if n.min == 0 && !n.class.Tab[b] {
			return n.next
		}
	}
	return nil
}

// leap returns where the jump of a node leads from i, nil if the general way has to
// be gone.
func (m *Matcher) leap(n *node, i int) *node {
	if i >= len(m.text) || m.table {
		return nil
	}
	if b := m.text[i]; b < utf8.RuneSelf {
		return n.jump.to[n.jump.at[b]&maxLeads]
	}
	return nil
}
