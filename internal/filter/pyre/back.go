package pyre

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// again returns the end of what a group took, at t[i]; -1 if it took no part or
// that does not stand there.
func (m *Matcher) again(n *node, i int) int {
	if !m.took(int(n.slot)) {
		return -1
	}
	t, is := m.text, m.text[m.slots[n.slot]:m.slots[n.slot+1]]
	m.steps -= len(is) / stepBytes
	if !n.fold && bytes.HasPrefix(t[i:], is) {
		return i + len(is)
	}
	for len(is) > 0 {
		r, w := utf8.DecodeRune(is)
		s, v := utf8.DecodeRune(t[i:])
		if v == 0 || r != s && !(n.fold && lowerOf(r, n.ascii) == lowerOf(s, n.ascii)) {
			return -1
		}
		is, i = is[w:], i+v
	}
	return i
}

func lowerOf(r rune, ascii bool) rune {
	if ascii && r >= utf8.RuneSelf {
		return r
	}
	return unicode.ToLower(r)
}
