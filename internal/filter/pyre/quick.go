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

// straight runs an opRun that is not lazy, over ASCII. It reports false, having done
// nothing, if that is not what there is; without a next node the run failed.
func (m *Matcher) straight(n *node, i int) (end int, next *node, ok bool) {
	t, j := m.text, i
	if c := n.class; c.Stop >= 0 && n.max == syntax.Unbounded {
		if k := bytes.IndexByte(t[i:], byte(c.Stop)); k >= 0 {
			j = i + k
		} else {
			j = len(t)
		}
		if n.min > 1 {
			return 0, nil, false // bytes are not characters
		}
	} else {
		limit := len(t)
		if n.max != syntax.Unbounded {
			limit = min(limit, i+int(n.max))
		}
		for j < limit && t[j] < utf8.RuneSelf && c.Tab[t[j]] {
			j++
		}
		if j < limit && t[j] >= utf8.RuneSelf {
			return 0, nil, false
		}
	}
	lo := i + int(n.min)
	if n.min == 1 && j > i {
		lo = i + n.class.Width(t, i)
	}
	if j < lo {
		return i, nil, true
	}
	m.steps -= (j - i) / stepBytes
	if n.whole {
		if !m.begins(n.next).At(t, j) {
			return i, nil, true
		}
		return j, n.next, true
	}
	p := m.down(n, lo, j, -1)
	if p < 0 {
		return i, nil, true
	}
	if p > lo {
		m.push(frame{n, int32(lo), int32(p), 0, -1})
	}
	return p, n.next, true
}

// plain reports whether straight may run the node.
func (n *node) plain() bool {
	return n.op == opRun && n.lit == "" && (n.whole || n.greed != syntax.Lazy)
}

// span returns the end of the longest run at i, over ASCII. It reports false if that
// is not what there is.
func (n *node) ascii1(t []byte, i int) (end int, ok bool) {
	limit := len(t)
	if n.max != syntax.Unbounded {
		limit = min(limit, i+int(n.max))
	} else if c := n.class; c.Stop >= 0 {
		if k := bytes.IndexByte(t[i:], byte(c.Stop)); k >= 0 {
			return i + k, n.min <= 1
		}
		return limit, n.min <= 1
	}
	tab := &n.class.Tab
	for ; i < limit; i++ {
		if b := t[i]; !tab[b] || b >= utf8.RuneSelf {
			return i, b < utf8.RuneSelf
		}
	}
	return i, true
}
