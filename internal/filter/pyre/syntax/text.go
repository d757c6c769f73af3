package syntax

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// A property is what \d, \s and \w ask of a character.
type property uint8

const (
	digit property = iota
	space
	word
)

// has reports whether r is what Python's str patterns call a digit, a blank or a
// part of a word. With the flag a, only ASCII is.
func (p property) has(r rune, ascii bool) bool {
	switch {
	case r >= utf8.RuneSelf && ascii:
		return false
	case p == digit:
		return '0' <= r && r <= '9' || r >= utf8.RuneSelf && unicode.IsDigit(r)
	case p == space:
		// str.isspace: the white space of Unicode and the four separators of ASCII.
		return r == ' ' || '\t' <= r && r <= '\r' || 0x1c <= r && r <= 0x1f && !ascii ||
			r >= utf8.RuneSelf && unicode.IsSpace(r)
	case r < utf8.RuneSelf:
		return wordByte(byte(r))
	}
	return unicode.IsLetter(r) || unicode.IsNumber(r)
}

func wordByte(b byte) bool {
	return 'a' <= b|0x20 && b|0x20 <= 'z' || '0' <= b && b <= '9' || b == '_'
}

// lower returns the ASCII letter that r is equal to without regard to case, or r.
func lower(r rune) rune {
	switch {
	case 'A' <= r && r <= 'Z':
		return r + 0x20
	case r == 0x130 || r == 0x131:
		return 'i'
	case r == 0x17f:
		return 's'
	case r == 0x212a:
		return 'k'
	}
	return r
}

// FoldPrefix returns the end of lit, which is in lower case, at t[i]; -1 if it
// does not stand there.
func FoldPrefix(t []byte, i int, lit string, ascii bool) int {
	for k := range len(lit) {
		if i >= len(t) {
			return -1
		}
		r, w := rune(t[i]), 1
		if r >= utf8.RuneSelf && !ascii {
			r, w = utf8.DecodeRune(t[i:])
		}
		if lower(r) != rune(lit[k]) {
			return -1
		}
		i += w
	}
	return i
}

// Repeated returns the end of the text is, at t[i]; -1 if it does not stand there.
func Repeated(t []byte, i int, is []byte, fold Folding) int {
	if fold == Exact && bytes.HasPrefix(t[i:], is) {
		return i + len(is)
	}
	for len(is) > 0 {
		r, w := utf8.DecodeRune(is)
		s, v := utf8.DecodeRune(t[i:])
		if v == 0 || r != s && (fold == Exact || fold.lower(r) != fold.lower(s)) {
			return -1
		}
		is, i = is[w:], i+v
	}
	return i
}

// lower returns r in lower case.
func (d Folding) lower(r rune) rune {
	if d == ASCII && r >= utf8.RuneSelf {
		return r
	}
	return unicode.ToLower(r)
}

// Inside reports whether the byte at p is part of a character that begins before.
func Inside(t []byte, p int) bool {
	for k := 1; k < utf8.UTFMax && k <= p; k++ {
		if utf8.RuneStart(t[p-k]) {
			_, w := utf8.DecodeRune(t[p-k:])
			return w > k
		}
	}
	return false
}

// Last returns the last place from lo to hi where lit stands, lo-1 if there is none.
func Last(t []byte, lit string, lo, hi int) int {
	t = t[:min(hi+len(lit), len(t))]
	at := lo - 1
	for {
		k := bytes.Index(t[at+1:], []byte(lit))
		if k < 0 {
			return at
		}
		at += k + 1
	}
}

// Holds reports whether a holds at t[i].
func (a Assertion) Holds(t []byte, i int, ascii bool) bool {
	switch a {
	case TextBegin:
		return i == 0
	case LineBegin:
		return i == 0 || t[i-1] == '\n'
	case TextEnd:
		return i == len(t)
	case LastLineEnd:
		return i == len(t) || i == len(t)-1 && t[i] == '\n'
	case LineEnd:
		return i == len(t) || t[i] == '\n'
	}
	if len(t) == 0 {
		return false // Python: neither \b nor \B
	}
	before, after := false, false
	if i > 0 {
		if b := t[i-1]; b < utf8.RuneSelf {
			before = wordByte(b)
		} else {
			r, _ := utf8.DecodeLastRune(t[:i])
			before = word.has(r, ascii)
		}
	}
	if i < len(t) {
		if b := t[i]; b < utf8.RuneSelf {
			after = wordByte(b)
		} else {
			r, _ := utf8.DecodeRune(t[i:])
			after = word.has(r, ascii)
		}
	}
	return (before != after) == (a == Boundary)
}
