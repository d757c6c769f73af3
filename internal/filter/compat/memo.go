package compat

import (
	"bytes"
	"encoding/binary"
)

// A memo knows what the patterns took of the last texts that failed: who guesses
// passwords makes one line, but for its date, again and again. What a text gives
// depends on nothing else.
type memo struct {
	known []memory // by placeOf, once there is one
	at    int      // where the text belongs that was asked for last
	vain  int      // texts that were to be kept since one was found
}

type memory struct {
	text   []byte
	groups fields // parts of it
}

const (
	placeBits  = 7
	remembered = 1 << placeBits // texts, of long bytes at most

	// Where no text comes twice, only these of so many are kept.
	tries, rest = 4 * remembered, 64 * remembered
)

// placeOf returns where a text belongs, by a few of its bytes: those at the end tell lines
// apart, and whoever makes them alike only has his own looked at anew.
func placeOf(text []byte) int {
	n := len(text)
	if n < 16 {
		return n
	}
	sum := binary.LittleEndian.Uint64(text[n-8:]) ^ 3*binary.LittleEndian.Uint64(text[n-16:]) ^ 5*binary.LittleEndian.Uint64(text[n/2:])
	return int(sum * 0x9E3779B97F4A7C15 >> (64 - placeBits))
}

// find returns what was taken of a text, nil if that is not known.
func (m *memo) find(text []byte) fields {
	if m.known == nil || len(text) > long {
		return nil
	}
	m.at = placeOf(text)
	if e := &m.known[m.at]; bytes.Equal(e.text, text) {
		m.vain = 0
		return e.groups
	}
	return nil
}

// rests takes in a text that could be kept, and reports whether that is not worth it.
func (m *memo) rests() bool {
	m.vain = (m.vain + 1) % rest
	return m.vain > tries
}

// keep returns the memory for the text that find was asked for last, which has the text.
func (m *memo) keep(text []byte) *memory {
	if m.known == nil {
		m.known = make([]memory, remembered)
		m.find(text)
	}
	e := &m.known[m.at]
	e.text = append(e.text[:0], text...)
	return e
}
