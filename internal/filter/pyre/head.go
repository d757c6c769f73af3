package pyre

import "github.com/edgeban/edgeban/internal/filter/pyre/syntax"

// Opens reports whether the first bytes of text are such that Search may find something
// in it. That costs less than a search in vain.
func (re *Regexp) Opens(text []byte) bool { return re.head.At(text) }

// headOf returns what a text begins with in which t is found.
func headOf(t *syntax.Node) syntax.Head {
	if !t.Begins(syntax.TextBegin) {
		return syntax.Free
	}
	return t.Head(syntax.Free)
}
