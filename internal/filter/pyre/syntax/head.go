package syntax

import (
	"slices"
	"unicode/utf8"
)

// A Head is what the first bytes of a text can be. It says nothing of what follows a byte
// beyond ASCII: that may be of the same character.
type Head [4]First

// At reports whether a text can begin so.
func (h *Head) At(t []byte) bool {
	for i := range h {
		if !h[i].At(t, i) {
			return false
		}
		if i >= len(t) || t[i] >= utf8.RuneSelf {
			break
		}
	}
	return true
}

// Free is the Head of any text.
var Free = Head{Anything, Anything, Anything, Anything}

// Opening returns what a text can begin with in which t is found.
func (t *Node) Opening() Head {
	if !t.Begins(TextBegin) {
		return Free
	}
	return t.head(Free)
}

// head returns what a text can begin with that t matches from its start, where next
// follows.
func (t *Node) head(next Head) Head {
	switch t.Kind {
	case Lit:
		for i := range slices.Backward([]byte(t.Lit)) {
			next = next.behind(firstOf(t.Lit[i:], t.Fold))
		}
	case Char:
		return next.behind(t.Class.First())
	case Cat:
		for _, s := range slices.Backward(t.Subs) {
			next = s.head(next)
		}
	case Alt, Cond:
		var h Head
		for _, s := range t.Subs {
			h = h.or(s.head(next))
		}
		return h
	case Group, Atomic:
		return t.Subs[0].head(next)
	case Repeat:
		if t.Max != t.Min { // how many follow is not worth knowing
			next = Free.behind(t.Subs[0].First(next[0]).Or(next[0]))
		}
		for range min(t.Min, len(next)) {
			next = t.Subs[0].head(next)
		}
	case Assert:
		next[0] = t.Assert.first(next[0])
	case Back:
		return Free
	}
	return next
}

// behind returns what begins with f, where h follows.
func (h Head) behind(f First) Head {
	copy(h[1:], h[:])
	h[0] = f
	return h
}

func (h Head) or(g Head) Head {
	for i := range h {
		h[i] = h[i].Or(g[i])
	}
	return h
}
