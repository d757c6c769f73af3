package pyre

import (
	"bytes"
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
	case n.whole:
		return opWhole
	case n.greed != syntax.Lazy:
		return opGreedy
	}
	return n.op
}

// span returns the end of the longest run at i, over ASCII. It reports false if that
// is not what there is.
func (n *node) span(t []byte, i int) (end int, ok bool) {
	limit := len(t)
	if n.max != syntax.Unbounded {
		limit = min(limit, i+int(n.max))
	} else if c := n.class; c.Stop >= 0 {
		if k := bytes.IndexByte(t[i:], byte(c.Stop)); k >= 0 {
			limit = i + k
		}
		return limit, n.min <= 1 // bytes are not characters
	}
	tab := &n.class.Tab
	for k, b := range t[i:limit] {
		if b >= utf8.RuneSelf || !tab[b] {
			return i + k, b < utf8.RuneSelf
		}
	}
	return limit, true
}

// wholly runs an opWhole.
func (m *Matcher) wholly(n *node, i int) (int, *node) {
	end, ok := n.span(m.text, i)
	if !ok || m.table {
		return m.repeat(n, i)
	}
	if end < i+int(n.min) {
		return i, nil
	}
	m.steps -= (end - i) / stepBytes
	return end, n.next
}

// greedily runs an opGreedy.
func (m *Matcher) greedily(n *node, i int) (int, *node) {
	end, ok := n.span(m.text, i)
	if !ok || m.table {
		return m.repeat(n, i)
	}
	lo := i + int(n.min)
	if n.min == 1 && end > i {
		lo = i + n.class.Width(m.text, i)
	}
	if end < lo {
		return i, nil
	}
	m.steps -= (end - i) / stepBytes
	p := end
	if !n.plain || end >= len(m.text) || m.text[end] >= utf8.RuneSelf || !n.next.first.Has(m.text[end]) {
		if p = m.down(n, lo, end, -1); p < 0 {
			return i, nil
		}
	}
	if p > lo {
		m.push(n.id, int32(lo), int32(p), -1)
	}
	return p, n.next
}
