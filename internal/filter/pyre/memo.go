package pyre

import (
	"bytes"
	"unicode/utf8"
)

// The lines of a log begin alike: with a host, and the name of a program. What a search
// did up to there, the next one need not do again.

const (
	mostAlike  = 64 // bytes of a text that are compared with those of the last one, and frames that are kept
	leastAlike = 6  // of them, to be worth it
	mostIdle   = 8
)

// A memo is how far a search got by nothing but what its text begins with.
type memo struct {
	re    *Regexp
	last  []byte // what the last text began with that the memo was of no use for
	text  []byte // all that was looked at; empty if nothing is known
	node  *node  // with which it goes on
	at    int
	slots []int32
	trail []change
	stack []frame
	idle  uint8 // texts that it was of no use for, in a row; then it rests until this is 0 again
}

// recall begins the search of an expression that matches only at the start of a text.
// It returns where to go on.
func (m *Matcher) recall() (*node, int) {
	o := &m.memo
	switch {
	case o.re != m.re:
		o.re, o.text, o.last = m.re, o.text[:0], o.last[:0]
		return m.re.prog, 0
	case len(o.text) > 0 && bytes.HasPrefix(m.text, o.text):
		o.idle = 0
		copy(m.slots, o.slots)
		m.trail, m.stack = append(m.trail, o.trail...), append(m.stack, o.stack...)
		return o.node, o.at
	}
	if o.idle++; o.idle > mostIdle {
		return m.re.prog, 0
	}
	alike := 0
	for alike < min(len(o.last), len(m.text)) && m.text[alike] == o.last[alike] && m.text[alike] < utf8.RuneSelf {
		alike++
	}
	o.last = append(o.last[:0], m.text[:min(len(m.text), mostAlike)]...)
	if alike < leastAlike {
		return m.re.prog, 0
	}
	var seen int
	o.node, o.at, seen = m.settled(alike)
	o.text = append(o.text[:0], m.text[:seen]...)
	o.slots, o.trail, o.stack = append(o.slots[:0], m.slots...), append(o.trail[:0], m.trail...), append(o.stack[:0], m.stack...)
	return o.node, o.at
}

// settled searches as far as the first bytes of the text alone decide, which are ASCII.
// It returns how many of them it has looked at.
func (m *Matcher) settled(alike int) (n *node, i, seen int) {
	n = m.re.prog
	for len(m.stack) < mostAlike && len(m.trail) < mostAlike {
		upTo := n.looks(m.text, i)
		if upTo > alike {
			break
		}
		to, next := m.do(n, i)
		if next == nil {
			break
		}
		n, i, seen = next, to, max(seen, upTo)
	}
	return n, i, seen
}

// looks returns up to where the text decides what the step of a node does at i.
func (n *node) looks(t []byte, i int) int {
	switch n.code {
	case opSave:
		return i
	case opByte, opClass, opAlt, opLoop:
		return i + 1
	case opLit:
		return i + len(n.lit)
	case opWhole, opGreedy:
		return n.class.ASCII(t, i, n.max) + 1 + max(1, len(n.after))
	}
	return len(t) + 1
}
