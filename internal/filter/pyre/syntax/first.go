package syntax

import "slices"

// A First is what something can begin with: bytes, or the end of the text.
type First struct {
	bits [4]uint64
	End  bool
}

// Anything is every byte, and the end.
var Anything = First{bits: [4]uint64{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}, End: true}

func (f *First) add(b byte) { f.bits[b>>6] |= 1 << (b & 63) }

// Has reports whether b is one of the bytes.
func (f *First) Has(b byte) bool { return f.bits[b>>6]>>(b&63)&1 != 0 }

// At reports whether what f describes can begin at t[i].
func (f *First) At(t []byte, i int) bool {
	if i < len(t) {
		return f.Has(t[i])
	}
	return f.End
}

// Or returns what is in f or in g.
func (f First) Or(g First) First {
	for i := range f.bits {
		f.bits[i] |= g.bits[i]
	}
	f.End = f.End || g.End
	return f
}

// And returns what is in both f and g.
func (f First) And(g First) First {
	for i := range f.bits {
		f.bits[i] &= g.bits[i]
	}
	f.End = f.End && g.End
	return f
}

// Only returns the single byte of f, -1 if there are more or the end is one.
func (f *First) Only() int {
	at := -1
	for b := range 256 {
		if !f.Has(byte(b)) {
			continue
		}
		if at >= 0 {
			return -1
		}
		at = b
	}
	if f.End {
		return -1
	}
	return at
}

// First returns what t can begin with, where next follows it.
func (t *Node) First(next First) First {
	switch t.Kind {
	case Lit:
		return firstOf(t.Lit, t.Fold)
	case Char:
		return t.Class.First()
	case Cat:
		for _, s := range slices.Backward(t.Subs) {
			next = s.First(next)
		}
	case Alt, Cond:
		var f First
		for _, s := range t.Subs {
			f = f.Or(s.First(next))
		}
		return f
	case Group, Atomic:
		return t.Subs[0].First(next)
	case Repeat:
		f := t.Subs[0].First(next)
		if t.Min == 0 {
			f = f.Or(next)
		}
		return f
	case Assert:
		return t.Assert.first(next)
	case Back:
		return Anything
	}
	return next
}

// first returns what can stand where a holds and next follows.
func (a Assertion) first(next First) First {
	switch a {
	case TextEnd:
		return next.And(First{End: true})
	case LastLineEnd, LineEnd:
		f := First{End: true}
		f.add('\n')
		return next.And(f)
	}
	return next
}

// firstOf returns what a literal can begin with.
func firstOf(lit string, fold Folding) First {
	var f First
	if fold == Exact {
		f.add(lit[0])
		return f
	}
	fold.orbit(rune(lit[0]), func(r rune) bool {
		f.add(string(r)[0])
		return false
	})
	return f
}
