package pyre

import (
	"unicode/utf8"

	"github.com/edgeban/edgeban/internal/filter/pyre/graph"
	"github.com/edgeban/edgeban/internal/filter/pyre/syntax"
)

// This file has what the plain phase of a search does most, in a few branches: all
// that is rare, or not ASCII, is left to the general way.

// dash is run for the plain phase.
func (m *Matcher) dash(n *graph.Node, i int) int {
	t := m.text
	for steps := 1; ; steps++ {
		if n.Jump != nil && i < len(t) && t[i] < utf8.RuneSelf {
			if to := &n.Jump.To[n.Jump.At[t[i]]&graph.MaxLeads]; to.Node != nil {
				if to.Left >= 0 {
					m.push(to.Left, int32(i), to.Aux, -1)
				}
				n = to.Node
				continue
			}
		}
		to, next := i, (*graph.Node)(nil)
		switch n.Code {
		case graph.OpByte:
			if i < len(t) && t[i] == n.Lit[0] {
				i, n = i+1, n.Next
				continue
			}
		case graph.OpLit:
			if end := i + len(n.Lit); end <= len(t) && string(t[i:end]) == n.Lit {
				i, n = end, n.Next
				continue
			}
		case graph.OpClass:
			if w := n.Class.Width(t, i); w > 0 {
				i, n = i+w, n.Next
				continue
			}
		case graph.OpSave:
			m.set(int(n.Slot), i)
			n = n.Next
			continue
		case graph.OpWhole:
			to, next = m.wholly(n, i)
		case graph.OpGreedy:
			to, next = m.greedily(n, i)
		case graph.OpMatch:
			return i
		default:
			to, next = m.do(n, i)
		}
		if next != nil && n.Op <= graph.OpSave {
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

// wholly runs an OpWhole.
func (m *Matcher) wholly(n *graph.Node, i int) (int, *graph.Node) {
	t := m.text
	end := n.Class.ASCII(t, i, n.Max)
	switch {
	case end < len(t) && t[end] >= utf8.RuneSelf:
		return m.repeat(n, i)
	case end < i+int(n.Min):
		return i, nil
	}
	m.steps -= (end - i) / stepBytes
	return end, n.Next
}

// greedily runs an OpGreedy.
func (m *Matcher) greedily(n *graph.Node, i int) (int, *graph.Node) {
	t := m.text
	end, lo := n.Class.ASCII(t, i, n.Max), i+int(n.Min)
	switch {
	case end < len(t) && t[end] >= utf8.RuneSelf:
		return m.repeat(n, i)
	case end < lo:
		return i, nil
	case n.Min == 1 && t[i] >= utf8.RuneSelf:
		return m.repeat(n, i)
	}
	m.steps -= (end - i) / stepBytes
	if n.After != "" {
		end = syntax.Last(t, n.After, lo, end)
	}
	if !n.Plain || end == len(t) || !n.Next.First.Has(t[end]) {
		if end = m.down(n, lo, end, -1); end < 0 {
			return i, nil
		}
	}
	if end > lo {
		m.push(n.ID, int32(lo), int32(end), -1)
	}
	return end, n.Next
}
