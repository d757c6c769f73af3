package compat

import (
	"bytes"
	"hash/maphash"
)

// A memo knows what the patterns took of the last texts that failed: who guesses
// passwords makes one line, but for its date, again and again. What a text gives
// depends on nothing else.
type memo struct {
	seed  maphash.Seed
	known []memory // by hash, once there is one
	at    int      // where the text belongs that was asked for last
}

type memory struct {
	text   []byte
	groups fields // parts of it
}

const remembered = 128 // texts, of long bytes at most

// find returns what was taken of a text, nil if that is not known.
func (m *memo) find(text []byte) fields {
	if m.known == nil || len(text) > long {
		return nil
	}
	m.at = int(maphash.Bytes(m.seed, text) % remembered)
	if e := &m.known[m.at]; bytes.Equal(e.text, text) {
		return e.groups
	}
	return nil
}

// keep returns the memory for the text that find was asked for last, which has the text.
func (m *memo) keep(text []byte) *memory {
	if m.known == nil {
		m.seed, m.known = maphash.MakeSeed(), make([]memory, remembered)
		m.find(text)
	}
	e := &m.known[m.at]
	e.text = append(e.text[:0], text...)
	return e
}
