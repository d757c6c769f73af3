package compat

import "bytes"

// A probe is a text that patterns are about to search. It tells cheaply which of
// them cannot match.
type probe struct {
	text  []byte
	lower []byte // the same in lower case, once somebody asks
}

func (p *probe) set(text []byte) { p.text, p.lower = text, p.lower[:0] }

// may reports whether the text has a literal of each set.
func (p *probe) may(sets [][]literal) bool {
	for _, set := range sets {
		if !p.has(set) {
			return false
		}
	}
	return true
}

func (p *probe) has(set []literal) bool {
	for i := range set {
		text := p.text
		if set[i].fold {
			text = p.lowered()
		}
		if bytes.Contains(text, set[i].text) {
			return true
		}
	}
	return false
}

func (p *probe) lowered() []byte {
	if len(p.lower) == 0 {
		for _, b := range p.text {
			if b >= 'A' && b <= 'Z' {
				b += 'a' - 'A'
			}
			p.lower = append(p.lower, b)
		}
	}
	return p.lower
}
