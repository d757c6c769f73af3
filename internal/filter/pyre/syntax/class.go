package syntax

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"unicode"
	"unicode/utf8"
)

// A Folding is which characters are equal.
type Folding uint8

const (
	Exact   Folding = iota
	Unicode         // with the flag i: by lower case, and some letters more
	ASCII           // with the flags i and a: the letters of ASCII in both cases
)

// orbit calls f with every character that is equal to r, itself included, until f
// returns true, and reports whether it did.
func (d Folding) orbit(r rune, f func(rune) bool) bool {
	switch {
	case f(r):
		return true
	case d == Exact:
		return false
	case r < utf8.RuneSelf && (r|0x20 < 'a' || 'z' < r|0x20):
		return false
	case d == ASCII:
		return r < utf8.RuneSelf && f(r^0x20)
	}
	for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
		if f(o) {
			return true
		}
	}
	// What Python's tables join and Unicode's simple folding does not.
	for _, set := range joined {
		if slices.Contains(set, r) {
			return slices.ContainsFunc(set, f)
		}
	}
	return false
}

// The letters i with and without a dot, and three pairs of letters with the same
// upper case.
var joined = [][]rune{{'i', 'I', 0x130, 0x131}, {0x390, 0x1fd3}, {0x3b0, 0x1fe3}, {0xfb05, 0xfb06}}

// A Class is a set of characters.
type Class struct {
	Stop int // the only byte that is not in the class; -1 if that is not so

	// Tab says of a byte below 0x80 whether it is in the class. Of the others it
	// says whether all characters beyond ASCII are.
	Tab  [256]bool
	some bool // some characters beyond ASCII are in the class, some are not

	ranges []rune // pairs: first and last
	props  []asked
	neg    bool
	fold   Folding
	ascii  bool // the properties are those of ASCII

	latin [256]bool // of a character below 0x100, whether it is in the class
	bad   bool      // a byte that is no UTF-8 is
}

// Asked is a property that is asked for, or against.
type asked struct {
	property
	not bool
}

// known are classes that were made: most expressions use the same few, which is
// quick to compile, and to search with while they are in the processor's cache.
var known = struct {
	sync.Mutex
	classes map[string]*Class
}{classes: map[string]*Class{}}

const mostKnown = 4096

// finish returns a class that says the same, with its tables.
func (c *Class) finish() *Class {
	key := fmt.Sprint(c.ranges, c.props, c.neg, c.fold, c.ascii)
	known.Lock()
	defer known.Unlock()
	if k := known.classes[key]; k != nil {
		return k
	}
	c.tables()
	if len(known.classes) < mostKnown {
		known.classes[key] = c
	}
	return c
}

func (c *Class) tables() {
	none := !slices.ContainsFunc(c.ranges, func(r rune) bool { return r >= utf8.RuneSelf }) &&
		!slices.ContainsFunc(c.props, func(a asked) bool { return a.not || !c.ascii })
	if c.fold == Unicode && none {
		none = !c.raw('i') && !c.raw('k') && !c.raw('s') // equal to letters beyond ASCII
	}
	every := c.every()
	c.some = !none && !every
	c.bad = c.has(utf8.RuneError)
	for r := range c.latin {
		c.latin[r] = c.has(rune(r))
	}
	n := 0
	c.Stop = -1
	for b := range len(c.Tab) {
		if b < utf8.RuneSelf {
			c.Tab[b] = c.latin[b]
		} else {
			c.Tab[b] = !c.some && every != c.neg
		}
		if !c.Tab[b] {
			n, c.Stop = n+1, b
		}
	}
	if n != 1 || c.some {
		c.Stop = -1
	}
}

// every reports whether a property and its opposite are in the class.
func (c *Class) every() bool {
	return slices.ContainsFunc(c.props, func(a asked) bool { return !a.not && slices.Contains(c.props, asked{a.property, true}) })
}

// in is has, quick for what is common beyond ASCII: Latin-1, and the bytes of a
// hostile text that are no UTF-8.
func (c *Class) in(r rune) bool {
	switch {
	case r < rune(len(c.latin)):
		return c.latin[r]
	case r == utf8.RuneError:
		return c.bad
	}
	return c.has(r)
}

// has reports whether r is in the class.
func (c *Class) has(r rune) bool { return c.raw(r) != c.neg }

func (c *Class) raw(r rune) bool { return c.fold.orbit(r, c.listed) }

func (c *Class) listed(r rune) bool {
	for i := 0; i < len(c.ranges); i += 2 {
		if c.ranges[i] <= r && r <= c.ranges[i+1] {
			return true
		}
	}
	for _, a := range c.props {
		if a.has(r, c.ascii) != a.not {
			return true
		}
	}
	return false
}

// Width returns the length of the character at t[i], 0 if it is not in the class.
func (c *Class) Width(t []byte, i int) int {
	if i >= len(t) {
		return 0
	}
	b := t[i]
	if b < utf8.RuneSelf {
		if c.Tab[b] {
			return 1
		}
		return 0
	}
	if !c.some && !c.Tab[b] {
		return 0
	}
	r, w := utf8.DecodeRune(t[i:])
	if c.some && !c.in(r) {
		return 0
	}
	return w
}

// Span returns the end of the run of characters of the class that begins at
// t[i], or a place not before limit up to which all are of the class.
func (c *Class) Span(t []byte, i, limit int) int {
	if c.Stop >= 0 {
		if n := bytes.IndexByte(t[i:limit], byte(c.Stop)); n >= 0 {
			return i + n
		}
		return limit
	}
	for {
		for i < limit && c.Tab[t[i]] {
			i++
		}
		if !c.some || i >= limit || t[i] < utf8.RuneSelf {
			return i
		}
		r, w := utf8.DecodeRune(t[i:])
		if !c.in(r) {
			return i
		}
		i += w
	}
}

// ASCII returns the end of the longest run at t[i] of up to most characters, over those of
// ASCII. Where others stand it may be further on, or not so far.
func (c *Class) ASCII(t []byte, i int, most int32) int {
	limit := len(t)
	if most != Unbounded {
		limit = min(limit, i+int(most))
	} else if c.Stop >= 0 {
		if k := bytes.IndexByte(t[i:], byte(c.Stop)); k >= 0 {
			limit = i + k
		}
		return limit
	}
	for k, b := range t[i:limit] {
		if !c.Tab[b] {
			return i + k
		}
	}
	return limit
}

// Take returns the end of the at most n characters of the class that begin at
// t[i], and their number.
func (c *Class) Take(t []byte, i, n int) (end, took int) {
	for took < n {
		w := c.Width(t, i)
		if w == 0 {
			break
		}
		i += w
		took++
	}
	return i, took
}

// First returns the first bytes of the characters of the class.
func (c *Class) First() First {
	var f First
	for b := range len(c.Tab) {
		if c.Tab[b] || b >= utf8.RuneSelf && c.some {
			f.add(byte(b))
		}
	}
	return f
}
