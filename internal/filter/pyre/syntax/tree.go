package syntax

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// A Kind is what a node of the syntax tree stands for.
type Kind uint8

const (
	Empty  Kind = iota
	Lit         // the text Lit, as Fold says
	Char        // one character of Class
	Cat         // Subs, one after the other
	Alt         // one of Subs, the first that leads to a match
	Group       // Subs[0], captured as Group
	Repeat      // Subs[0], Min to Max times, as Greed says
	Assert      // Assert holds here
	Look        // Subs[0] matches here, or up to here (Behind), or does Not
	Atomic      // the first match of Subs[0], and no other
	Back        // what Group took, as Fold says
	Cond        // Subs[0] if Group took part, else Subs[1]
)

// An Assertion is about a place, not a character.
type Assertion uint8

const (
	TextBegin Assertion = iota
	LineBegin
	TextEnd     // \Z
	LastLineEnd // $: the end, or a newline that is the last character
	LineEnd
	Boundary
	NotBoundary
)

// Greed is in which order the numbers of repetitions are tried.
type Greed uint8

const (
	Greedy Greed = iota
	Lazy
	Possessive
)

// Unbounded is the Max of a repetition without one.
const Unbounded = -1

// A Node is an expression as it was written.
type Node struct {
	Kind     Kind
	Lit      string // in lower case unless Fold is Exact; never empty
	Fold     Folding
	Class    *Class
	Subs     []*Node
	Min, Max int
	Greed    Greed
	Assert   Assertion
	ASCII    bool // of Assert: words are those of ASCII
	Group    int
	Behind   bool
	Not      bool
	Width    int // of a look-behind, in characters
}

// cat joins items, and literals that stand side by side.
func cat(items []*Node) *Node {
	var out []*Node
	for _, t := range items {
		if t.Kind == Empty {
			continue
		}
		if t.Kind == Cat {
			out = append(out, t.Subs...)
			continue
		}
		out = append(out, t)
	}
	joined := out[:0:0]
	for _, t := range out {
		if n := len(joined); n > 0 && t.Kind == Lit && joined[n-1].Kind == Lit {
			if fold, ok := sameFold(joined[n-1], t); ok {
				joined[n-1] = &Node{Kind: Lit, Lit: joined[n-1].Lit + t.Lit, Fold: fold}
				continue
			}
		}
		joined = append(joined, t)
	}
	switch len(joined) {
	case 0:
		return &Node{Kind: Empty}
	case 1:
		return joined[0]
	}
	return &Node{Kind: Cat, Subs: joined}
}

// sameFold returns the folding of two literals as one. What has no letters is
// the same under any.
func sameFold(a, b *Node) (Folding, bool) {
	switch {
	case a.Fold == b.Fold:
		return a.Fold, true
	case a.Fold == Exact && caseless(a.Lit):
		return b.Fold, true
	case b.Fold == Exact && caseless(b.Lit):
		return a.Fold, true
	}
	return Exact, false
}

// caseless reports whether s is ASCII without letters.
func caseless(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf || 'a' <= r|0x20 && r|0x20 <= 'z' }) < 0
}

// alt joins branches. Branches of one character each are a class.
func alt(branches []*Node) *Node {
	if len(branches) == 1 {
		return branches[0]
	}
	all := &Class{}
	for i, b := range branches {
		c := Single(b)
		if c != nil && i == 0 {
			all.fold, all.ascii = c.fold, c.ascii
		}
		if c == nil || c.neg || c.fold != all.fold || c.ascii != all.ascii {
			return &Node{Kind: Alt, Subs: branches}
		}
		all.ranges = append(all.ranges, c.ranges...)
		all.props = append(all.props, c.props...)
	}
	return &Node{Kind: Char, Class: all.finish()}
}

// Single returns the class of the one character that t matches, nil if it does
// not match exactly one.
func Single(t *Node) *Class {
	if t.Kind == Char {
		return t.Class
	}
	if t.Kind != Lit {
		return nil
	}
	r, w := utf8.DecodeRuneInString(t.Lit)
	if w < len(t.Lit) {
		return nil
	}
	return (&Class{ranges: []rune{r, r}, fold: t.Fold}).finish()
}

// repeat makes t match from least to most times.
func repeat(t *Node, least, most int, g Greed) *Node {
	switch {
	case most == 0 || t.Kind == Empty:
		return &Node{Kind: Empty}
	case least == 1 && most == 1 && g != Possessive:
		return t
	}
	return &Node{Kind: Repeat, Subs: []*Node{t}, Min: least, Max: most, Greed: g}
}

// widest is more characters than any text has; twice as many are a number on any machine.
const widest = 1 << 29

// A span of widths, in characters.
type widths struct{ min, max int }

func (w widths) add(v widths) widths {
	return widths{min(w.min+v.min, widest), min(w.max+v.max, widest)}
}

// times returns how wide n of a width are.
func times(n, width int) int {
	if width > 0 && n > widest/width {
		return widest
	}
	return n * width
}

// widths returns how many characters t can match. Groups are those of the groups
// that a back-reference may name.
func (t *Node) widths(groups []widths) widths {
	var w widths
	switch t.Kind {
	case Lit:
		n := utf8.RuneCountInString(t.Lit)
		return widths{n, n}
	case Char:
		return widths{1, 1}
	case Back:
		return groups[t.Group]
	case Cat:
		for _, s := range t.Subs {
			w = w.add(s.widths(groups))
		}
	case Group, Atomic:
		return t.Subs[0].widths(groups)
	case Alt, Cond:
		w.min = widest
		for _, s := range t.Subs {
			v := s.widths(groups)
			w = widths{min(w.min, v.min), max(w.max, v.max)}
		}
	case Repeat:
		v := t.Subs[0].widths(groups)
		w.min = times(t.Min, v.min)
		switch {
		case v.max == 0:
		case t.Max == Unbounded:
			w.max = widest
		default:
			w.max = times(t.Max, v.max)
		}
	}
	return w
}

// Nullable reports whether t may match the empty text.
func (t *Node) Nullable() bool {
	switch t.Kind {
	case Lit, Char:
		return false
	case Cat:
		return !slices.ContainsFunc(t.Subs, func(s *Node) bool { return !s.Nullable() })
	case Alt, Cond:
		return slices.ContainsFunc(t.Subs, (*Node).Nullable)
	case Group, Atomic:
		return t.Subs[0].Nullable()
	case Repeat:
		return t.Min == 0 || t.Subs[0].Nullable()
	}
	return true
}

// Any reports whether f holds for t or for a part of it.
func (t *Node) Any(f func(*Node) bool) bool {
	return f(t) || slices.ContainsFunc(t.Subs, func(s *Node) bool { return s.Any(f) })
}

// Begins reports whether whatever t matches begins where a holds.
func (t *Node) Begins(a Assertion) bool {
	switch t.Kind {
	case Assert:
		return t.Assert == a
	case Cat, Group, Atomic:
		return t.Subs[0].Begins(a)
	case Alt:
		return !slices.ContainsFunc(t.Subs, func(s *Node) bool { return !s.Begins(a) })
	}
	return false
}

// Always returns the groups that take part in whatever t matches, and take something.
func (t *Node) Always() (groups []int) {
	switch {
	case t.Kind == Group && !t.Nullable():
		groups = append(groups, t.Group)
	case t.Kind == Repeat && t.Min == 0, t.Kind == Alt, t.Kind == Cond, t.Kind == Look:
		return nil
	}
	for _, s := range t.Subs {
		groups = append(groups, s.Always()...)
	}
	return groups
}
