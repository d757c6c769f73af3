package compat

import (
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
// stands behind it. Elsewhere one half of it stands on one side.
func (f *Filter) Needs() []scan.Need {
	if f.lines > 1 || f.code != nil {
		return nil
	}
	needs := make([]scan.Need, len(f.fail))
	for i := range f.fail {
		for _, sets := range [][][]literal{f.fail[i].needs, f.prefNeeds()} {
			for _, set := range sets {
				needs[i] = append(needs[i], raw(set, f.dates.Leading()))
			}
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

// raw returns literals of which a line has one, if it has one of set when its date
// is cut out.
func raw(set []literal, leading bool) []scan.Literal {
	var all []scan.Literal
	add := func(text []byte, fold bool) {
		if l := (scan.Literal{Text: string(text), Fold: fold}); !slices.Contains(all, l) {
			all = append(all, l)
		}
	}
	for _, l := range set {
		if leading {
			add(behind(l.text), l.fold)
			continue
		}
		half := (len(l.text) + 1) / 2
		add(l.text[:half], l.fold)
		add(l.text[len(l.text)-half:], l.fold)
	}
	return all
}

// behind leaves out what of a literal may stand before a date at the start of a line.
func behind(text []byte) []byte {
	for range 2 {
		r, size := utf8.DecodeRune(text)
		if size == 0 || 'a' <= r|0x20 && r|0x20 <= 'z' || '0' <= r && r <= '9' || r == '_' {
			break
		}
		text = text[size:]
	}
	return text
}
