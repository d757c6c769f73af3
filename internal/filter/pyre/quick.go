package pyre

import (
	"unicode/utf8"

	"github.com/edgeban/edgeban/internal/filter/pyre/syntax"
)

// This file has what the plain phase of a search does most, in a few branches: all
// that is rare, or not ASCII, is left to the general way.

// quickest returns what the machine does at a node.
func (n *node) quickest() op {
	switch {
	case n.op == opLit && len(n.lit) == 1:
		return opByte
	case n.op != opRun || n.lit != "":
	case n.class.Tab[utf8.RuneSelf] && (n.min > 1 || n.max != syntax.Unbounded): // bytes are not characters
	case n.whole:
		return opWhole
	case n.greed != syntax.Lazy:
		return opGreedy
	}
	return n.op
}

// dash is run for the plain phase.
func (m *Matcher) dash(n *node, i int) int {
	t := m.text
	for steps := 1; ; steps++ {
		if n.jump != nil && i < len(t) && t[i] < utf8.RuneSelf {
			if to := &n.jump.to[n.jump.at[t[i]]&maxLeads]; to.node != nil {
				if to.left >= 0 {
					m.push(to.left, int32(i), to.aux, -1)
				}
				n = to.node
				continue
			}
		}
		to, next := i, (*node)(nil)
		switch n.code {
		case opByte:
			if i < len(t) && t[i] == n.lit[0] {
				i, n = i+1, n.next
				continue
			}
		case opLit:
			if end := i + len(n.lit); end <= len(t) && string(t[i:end]) == n.lit {
				i, n = end, n.next
				continue
			}
		case opClass:
			if w := n.class.Width(t, i); w > 0 {
				i, n = i+w, n.next
				continue
			}
		case opSave:
			m.set(int(n.slot), i)
			n = n.next
			continue
		case opWhole:
			to, next = m.wholly(n, i)
		case opGreedy:
			to, next = m.greedily(n, i)
		case opMatch:
			return i
		default:
			to, next = m.do(n, i)
		}
		if next != nil && n.op <= opSave {
			i, n = to, next
			continue
		}
		if m.steps -= steps; m.steps < 0 {
			return -1
		}
		steps = 0
		if next != nil {
			i, n = to, next
		} else if i, n = m.back(); n == nil {
			return -1
		}
	}
}

// wholly runs an opWhole.
func (m *Matcher) wholly(n *node, i int) (int, *node) {
	t := m.text
	end := n.class.ASCII(t, i, n.max)
	switch {
	case end < len(t) && t[end] >= utf8.RuneSelf:
		return m.repeat(n, i)
	case end < i+int(n.min):
		return i, nil
	}
	m.steps -= (end - i) / stepBytes
	return end, n.next
}

// greedily runs an opGreedy.
func (m *Matcher) greedily(n *node, i int) (int, *node) {
	t := m.text
	end, lo := n.class.ASCII(t, i, n.max), i+int(n.min)
	switch {
	case end < len(t) && t[end] >= utf8.RuneSelf:
		return m.repeat(n, i)
	case end < lo:
		return i, nil
	case n.min == 1 && t[i] >= utf8.RuneSelf:
		return m.repeat(n, i)
	}
	m.steps -= (end - i) / stepBytes
	if n.after != "" {
		end = syntax.Last(t, n.after, lo, end)
	}
	if !n.plain || end == len(t) || !n.next.first.Has(t[end]) {
		if end = m.down(n, lo, end, -1); end < 0 {
			return i, nil
		}
	}
	if end > lo {
		m.push(n.id, int32(lo), int32(end), -1)
	}
	return end, n.next
}
