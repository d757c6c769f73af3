package compat

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"github.com/edgeban/edgeban/internal/filter/scan"
)

// Needs returns what the failregexes need of a line as it is written, each a place of
// its index. It is nil for a filter that has to see every line in full: one whose
// matches span lines, or whose log is not UTF-8.
//
// A pattern sees the line without its date, so what it needs may stand before and
// behind the date. Where all dates are at the start of the line, behind two
// characters that are no words at most, all of a literal but two such characters
// stands behind it. Elsewhere it matters what can stand beside a date: a literal is
// parted at one place at most, and only where it has the like. One half of it is
// whole in any case, and of two literals that do not overlap one.
func (f *Filter) Needs() []scan.Need {
	if f.lines > 1 || f.code != nil {
		return nil
	}
	c := cutter{leading: f.leading}
	c.before, c.after = f.dates.Edges()
	needs := make([]scan.Need, len(f.fail))
	for i := range f.fail {
		sets := slices.Concat(f.fail[i].needs, f.prefNeeds())
		for _, set := range sets {
			needs[i] = append(needs[i], c.raw(set)...)
		}
		if !c.leading {
			needs[i] = append(needs[i], pairs(sets)...)
		}
	}
	return needs
}

// prefNeeds returns what the prefregex needs, and so every failregex.
func (f *Filter) prefNeeds() [][]literal {
	if f.pref == nil {
		return nil
	}
	return f.pref.needs
}

// A cutter knows where dates are cut out: at the start of lines only, or where a word
// may stand right before or behind them.
type cutter struct{ leading, before, after bool }

// raw returns sets of literals: a line has one of each, if it has one of set when its
// date is cut out.
func (c cutter) raw(set []literal) [][]scan.Literal {
	var whole, halves []scan.Literal
	add := func(all *[]scan.Literal, text []byte, fold bool) {
		if l := (scan.Literal{Text: string(text), Fold: fold}); !slices.Contains(*all, l) {
			*all = append(*all, l)
		}
	}
	for _, l := range set {
		if c.leading {
			add(&whole, behind(l.text), l.fold)
			continue
		}
		add(&whole, c.piece(l.text), l.fold)
		half := (len(l.text) + 1) / 2
		add(&halves, l.text[:half], l.fold)
		add(&halves, l.text[len(l.text)-half:], l.fold)
	}
	if c.leading {
		return [][]scan.Literal{whole}
	}
	return [][]scan.Literal{whole, halves}
}

// maxPairs bounds of how many sets pairs are made.
const maxPairs = 8

// pairs returns what two sets make together: of a literal of the one and a literal of
// the other a date can have parted one.
func pairs(sets [][]literal) (all [][]scan.Literal) {
	few := slices.DeleteFunc(slices.Clone(sets), func(set []literal) bool { return len(set) > maxPairs })
	few = few[:min(len(few), maxPairs)]
	for i, a := range few {
		for _, b := range few[:i] {
			if slices.ContainsFunc(a, func(l literal) bool {
				return slices.ContainsFunc(b, func(m literal) bool { return l.overlaps(m) || m.overlaps(l) })
			}) {
				continue
			}
			var both []scan.Literal
			for _, l := range slices.Concat(a, b) {
				both = append(both, scan.Literal{Text: string(l.text), Fold: l.fold})
			}
			all = append(all, both)
		}
	}
	return all
}

// overlaps reports whether m may begin within l and both go on, so that one place may
// lie within both. Letters of either case are taken for the same.
func (l literal) overlaps(m literal) bool {
	for from := range max(len(l.text)-1, 0) {
		n := min(len(l.text)-from, len(m.text))
		if n < 2 || bytes.EqualFold(l.text[from:from+n], m.text[:n]) {
			return true
		}
	}
	return false
}

// piece returns the longest part of a literal within which no date can have stood.
func (c cutter) piece(text []byte) []byte {
	longest, from := text[:0], 0
	for i := 1; i <= len(text); i++ {
		if i < len(text) && (!c.before && word(text[i-1]) || !c.after && word(text[i])) {
			continue
		}
		if i-from > len(longest) {
			longest = text[from:i]
		}
		from = i
	}
	return longest
}

// word reports whether b is a letter or digit of ASCII, or _: what else may be one is
// not taken for one.
func word(b byte) bool { return 'a' <= b|0x20 && b|0x20 <= 'z' || '0' <= b && b <= '9' || b == '_' }

// behind leaves out what of a literal may stand before a date at the start of a line.
func behind(text []byte) []byte {
	for range 2 {
		r, size := utf8.DecodeRune(text)
		if size == 0 || r < utf8.RuneSelf && word(byte(r)) {
			break
		}
		text = text[size:]
	}
	return text
}
