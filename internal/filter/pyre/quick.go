package pyre

import (
	"bytes"
	"unicode/utf8"

	"github.com/edgeban/edgeban/internal/filter/pyre/syntax"
)

// This file has what the plain phase of a search does most, in a few branches: all
// that is rare, or not ASCII, is left to the general way.

// fork decides at an opLoop by the next byte. It returns nil if the general way has to.
func (m *Matcher) fork(n *node, i int) *node {
	if n.slot >= 0 || i >= len(m.text) {
		return nil
	}
	b := m.text[i]
	in, out := m.begins(n.sub).Has(b), m.begins(n.next).Has(b)
	switch {
	case in == out:
		return nil
	case in:
		return n.sub
	}
	return n.next
}

// straight runs an opRun without a limit that is not lazy, over ASCII. It reports
// false, having done nothing, if that is not what there is; without a next node the
// run failed.
func (m *Matcher) straight(n *node, i int) (end int, next *node, ok bool) {
	t, j := m.text, i
	if c := n.class; c.Stop >= 0 {
		if k := bytes.IndexByte(t[i:], byte(c.Stop)); k >= 0 {
			j = i + k
		} else {
			j = len(t)
		}
		if n.min > 1 {
			return 0, nil, false // bytes are not characters
		}
	} else {
		for j < len(t) && t[j] < utf8.RuneSelf && c.Tab[t[j]] {
			j++
		}
		if j < len(t) && t[j] >= utf8.RuneSelf {
			return 0, nil, false
		}
	}
	lo := i + n.min
	if n.min == 1 && j > i {
		lo = i + n.class.Width(t, i)
	}
	if j < lo {
		return i, nil, true
	}
	m.steps -= (j - i) / stepBytes
	f := m.begins(n.next)
	if n.whole {
		if !f.At(t, j) {
			return i, nil, true
		}
		return j, n.next, true
	}
	for p := j; p >= lo; p-- {
		if !f.At(t, p) || p < len(t) && t[p]&0xC0 == 0x80 && p > lo && inside(t, p) {
			continue
		}
		if p > lo {
			m.push(frame{n, int32(lo), int32(p), 0, -1})
		}
		m.steps -= (j - p) / stepBytes
		return p, n.next, true
	}
	m.steps -= (j - lo) / stepBytes
	return i, nil, true
}

// plain reports whether straight may run the node.
func (n *node) plain() bool {
	return n.op == opRun && n.max == syntax.Unbounded && n.lit == "" && (n.whole || n.greed != syntax.Lazy)
}
