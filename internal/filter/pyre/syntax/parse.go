package syntax

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of an expression.
const (
	maxExpr   = 64 << 10 // bytes
	maxDepth  = 200      // of groups in groups
	maxRepeat = 1 << 20
)

// An Error is a mistake in an expression.
type Error struct {
	Offset int // byte in the expression
	Msg    string
}

func (e *Error) Error() string { return e.Msg }

// Flags hold in a part of an expression: i, m, s, x and a.
type Flags struct {
	Fold, Multi, DotAll, Verbose, ASCII bool
}

// A parser reads Python's syntax. Its methods stop at the first mistake by
// panicking with an *Error, which Parse recovers.
type parser struct {
	src    string
	i      int
	depth  int
	names  []string // of the groups
	taken  []widths // of the groups
	closed []bool   // the group has its end
	behind int      // the number of groups before the outermost look-behind; 0 outside of any
	later  []later
}

// Later is a group that a condition asks for by its number, before it may be known.
type later struct{ group, at int }

// Parse returns the tree of src, and the names of its groups by their number, ""
// for one without. The error is an *Error.
func Parse(src string, f Flags) (t *Node, names []string, err error) {
	if len(src) > maxExpr {
		return nil, nil, &Error{maxExpr, fmt.Sprintf("the expression is longer than %d bytes; take it apart", maxExpr)}
	}
	if !utf8.ValidString(src) {
		at := strings.IndexFunc(src, func(r rune) bool { return r == utf8.RuneError })
		return nil, nil, &Error{at, "the expression is not valid UTF-8"}
	}
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(*Error)
			if !ok {
				panic(r)
			}
			t, names, err = nil, nil, e
		}
	}()
	p := &parser{src: src, names: []string{""}, taken: make([]widths, 1), closed: make([]bool, 1)}
	t = p.branches(&f, true)
	if p.i < len(src) {
		p.fail(p.i, "this ) has no ( before it; write \\) for the character")
	}
	for _, l := range p.later {
		if l.group >= len(p.names) {
			p.fail(l.at, "there is no group %d", l.group)
		}
	}
	return t, p.names, nil
}

func (p *parser) fail(at int, format string, args ...any) {
	panic(&Error{min(at, len(p.src)), fmt.Sprintf(format, args...)})
}

// next reports whether the expression goes on with s, and goes behind it then.
func (p *parser) next(s string) bool {
	if strings.HasPrefix(p.src[p.i:], s) {
		p.i += len(s)
		return true
	}
	return false
}

// peek returns the next byte, 0 at the end.
func (p *parser) peek() byte {
	if p.i < len(p.src) {
		return p.src[p.i]
	}
	return 0
}

func (p *parser) char() rune {
	r, w := utf8.DecodeRuneInString(p.src[p.i:])
	p.i += w
	return r
}

// until returns what stands before the end of a name.
func (p *parser) until(end byte) string {
	n := strings.IndexByte(p.src[p.i:], end)
	if n <= 0 {
		p.fail(p.i, "here belongs the name of a group, and %c behind it", end)
	}
	name := p.src[p.i : p.i+n]
	p.i += n + 1
	return name
}

// branches reads alternatives up to the end of a group.
func (p *parser) branches(f *Flags, top bool) *Node {
	if p.depth++; p.depth > maxDepth {
		p.fail(p.i, "more than %d groups are inside of each other", maxDepth)
	}
	defer func() { p.depth-- }()
	all := []*Node{p.sequence(f, top)}
	for p.next("|") {
		all = append(all, p.sequence(f, false))
	}
	return alt(all)
}

// sequence reads items up to the end of a branch. Global flags, allowed at the
// start, change f.
func (p *parser) sequence(f *Flags, start bool) *Node {
	var items []*Node
	repeated, place := false, false // the last item has its quantifier, is a place
	for p.i < len(p.src) {
		at := p.i
		c := p.src[p.i]
		switch {
		case c == '|' || c == ')':
			return cat(items)
		case f.Verbose && p.blank():
			continue
		case p.next("(?#"):
			n := strings.IndexByte(p.src[p.i:], ')')
			if n < 0 {
				p.fail(at, "this comment has no end; write ) behind it")
			}
			p.i += n + 1
			continue
		case c == '*' || c == '+' || c == '?' || c == '{':
			least, most, ok := p.quantifier()
			if !ok {
				break
			}
			if len(items) == 0 || place {
				p.fail(at, "there is nothing to repeat before %s; write \\%c for the character", p.src[at:p.i], c)
			}
			if repeated {
				p.fail(at, "%s repeats what is repeated already; put (?: ) around that", p.src[at:p.i])
			}
			last := &items[len(items)-1]
			*last = repeat(*last, least, most, p.greed())
			repeated = true
			continue
		case c == '(' && p.globals(f, start && len(items) == 0):
			continue
		}
		items = append(items, p.item(f))
		repeated, place = false, c != '(' && items[len(items)-1].Kind == Assert
	}
	return cat(items)
}

// blank skips white space and a comment in a verbose expression.
func (p *parser) blank() bool {
	switch c := p.src[p.i]; {
	case c == ' ' || '\t' <= c && c <= '\r':
		p.i++
	case c == '#':
		if n := strings.IndexByte(p.src[p.i:], '\n'); n >= 0 {
			p.i += n + 1
		} else {
			p.i = len(p.src)
		}
	default:
		return false
	}
	return true
}

// quantifier reads how often the item before is to match. A brace that is no
// quantifier is a character.
func (p *parser) quantifier() (least, most int, ok bool) {
	start := p.i
	p.i++
	switch p.src[start] {
	case '*':
		return 0, Unbounded, true
	case '+':
		return 1, Unbounded, true
	case '?':
		return 0, 1, true
	}
	lo := p.digits()
	hi := lo
	if p.next(",") {
		hi = p.digits()
	} else if lo == "" {
		p.i = start
		return 0, 0, false
	}
	if !p.next("}") {
		p.i = start
		return 0, 0, false
	}
	least, most = p.count(lo, 0, start), p.count(hi, Unbounded, start)
	if most != Unbounded && most < least {
		p.fail(start, "%s ends before it begins; write the smaller number first", p.src[start:p.i])
	}
	return least, most, true
}

func (p *parser) digits() string {
	start := p.i
	for '0' <= p.peek() && p.peek() <= '9' {
		p.i++
	}
	return p.src[start:p.i]
}

func (p *parser) count(s string, missing, at int) int {
	if s == "" {
		return missing
	}
	n, err := strconv.Atoi(s)
	if err != nil || n > maxRepeat {
		p.fail(at, "%s repetitions are too many", s)
	}
	return n
}

func (p *parser) greed() Greed {
	switch {
	case p.next("?"):
		return Lazy
	case p.next("+"):
		return Possessive
	}
	return Greedy
}

// item reads a character, a class, a group or an assertion.
func (p *parser) item(f *Flags) *Node {
	switch p.src[p.i] {
	case '(':
		return p.group(f)
	case '[':
		return p.class(f)
	case '\\':
		return p.escape(f)
	case '.':
		p.i++
		c := &Class{neg: true}
		if !f.DotAll {
			c.ranges = []rune{'\n', '\n'}
		}
		return &Node{Kind: Char, Class: c.finish()}
	case '^':
		p.i++
		return &Node{Kind: Assert, Assert: pick(f.Multi, LineBegin, TextBegin)}
	case '$':
		p.i++
		return &Node{Kind: Assert, Assert: pick(f.Multi, LineEnd, LastLineEnd)}
	}
	return literal(p.char(), f)
}

func pick[T any](cond bool, yes, no T) T {
	if cond {
		return yes
	}
	return no
}

func (f *Flags) folding() Folding {
	return pick(!f.Fold, Exact, pick(f.ASCII, ASCII, Unicode))
}

// literal returns the tree of one character. What is not a run of bytes that
// stands for itself is a class.
func literal(r rune, f *Flags) *Node {
	d := f.folding()
	letter := d.orbit(r, func(o rune) bool { return o != r })
	switch {
	case r == utf8.RuneError || !utf8.ValidRune(r) || letter && r >= utf8.RuneSelf:
		return &Node{Kind: Char, Class: (&Class{ranges: []rune{r, r}, fold: d}).finish()}
	case letter:
		return &Node{Kind: Lit, Lit: string(r | 0x20), Fold: d}
	}
	return &Node{Kind: Lit, Lit: string(r)}
}

// group reads what begins with a parenthesis and is not a global flag.
func (p *parser) group(f *Flags) *Node {
	at := p.i
	switch {
	case p.next("(?P<"):
		return p.capture(f, p.name('>'), at)
	case p.next("(?P="):
		return p.reference(p.named(')'), at, f)
	case p.next("(?("):
		return p.condition(f, at)
	case p.next("(?:"):
		return p.inside(f, at)
	case p.next("(?>"):
		return &Node{Kind: Atomic, Subs: []*Node{p.inside(f, at)}}
	case p.next("(?="):
		return &Node{Kind: Look, Subs: []*Node{p.inside(f, at)}}
	case p.next("(?!"):
		return &Node{Kind: Look, Not: true, Subs: []*Node{p.inside(f, at)}}
	case p.next("(?<="):
		return p.lookBehind(f, at, false)
	case p.next("(?<!"):
		return p.lookBehind(f, at, true)
	case p.next("(?<"), p.next("(?P"):
		p.fail(at, "this is not a group of Python's re; write (?P<name>...) for one with a name")
	case p.next("(?"):
		g := p.flags(*f, at)
		return p.inside(&g, at)
	}
	p.i++
	return p.capture(f, "", at)
}

// inside reads up to the end of the group that began at at.
func (p *parser) inside(f *Flags, at int) *Node {
	g := *f
	t := p.branches(&g, false)
	if !p.next(")") {
		p.fail(at, "this ( has no ) behind it; write \\( for the character")
	}
	return t
}

func (p *parser) capture(f *Flags, name string, at int) *Node {
	n := len(p.names)
	if name != "" && slices.Contains(p.names, name) {
		p.fail(at, "there is a group %s already; give this one another name", name)
	}
	p.names, p.taken, p.closed = append(p.names, name), append(p.taken, widths{}), append(p.closed, false)
	t := p.inside(f, at)
	p.taken[n], p.closed[n] = t.widths(p.taken), true
	return &Node{Kind: Group, Group: n, Subs: []*Node{t}}
}

// name reads the name of a group.
func (p *parser) name(end byte) string {
	at := p.i
	name := p.until(end)
	for i, r := range name {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsNumber(r) && !unicode.IsMark(r)) {
			p.fail(at+i, "the name of a group is made of letters, digits and _, and begins with no digit")
		}
	}
	return name
}

// named reads the name of a group that exists.
func (p *parser) named(end byte) int {
	at := p.i
	name := p.name(end)
	n := slices.Index(p.names, name)
	if n < 0 {
		p.fail(at, "there is no group %s before this", name)
	}
	return n
}

// reference returns what a back-reference to a group stands for.
func (p *parser) reference(group, at int, f *Flags) *Node {
	if !p.closed[group] {
		p.fail(at, "the group that this names has not ended; it is empty here")
	}
	p.mayName(group, at)
	return &Node{Kind: Back, Group: group, Fold: f.folding()}
}

// mayName refuses groups inside of the look-behind that names them.
func (p *parser) mayName(group, at int) {
	if p.behind > 0 && group >= p.behind {
		p.fail(at, "a look-behind cannot name a group of its own")
	}
}

func (p *parser) lookBehind(f *Flags, at int, not bool) *Node {
	outer := p.behind
	if outer == 0 {
		p.behind = len(p.names)
	}
	t := p.inside(f, at)
	p.behind = outer
	w := t.widths(p.taken)
	if w.min != w.max || w.min == widest {
		p.fail(at, "a look-behind must be of one width: every branch as long as the others, nothing repeated without a fixed number")
	}
	return &Node{Kind: Look, Behind: true, Not: not, Width: w.min, Subs: []*Node{t}}
}

// condition reads what depends on whether a group took part.
func (p *parser) condition(f *Flags, at int) *Node {
	var group int
	if c := p.peek(); '0' <= c && c <= '9' {
		from := p.i
		n, err := strconv.Atoi(p.until(')'))
		if err != nil || n == 0 || n > maxExpr {
			p.fail(from, "a condition asks for a group by its name or its number")
		}
		group = n
		p.later = append(p.later, later{group, from})
	} else {
		group = p.named(')')
	}
	if p.behind > 0 && (group >= len(p.closed) || !p.closed[group]) {
		p.fail(at, "a look-behind cannot ask for a group that has not ended")
	}
	p.mayName(group, at)
	if p.depth++; p.depth > maxDepth {
		p.fail(at, "more than %d groups are inside of each other", maxDepth)
	}
	g := *f
	subs := []*Node{p.sequence(&g, false), {Kind: Empty}}
	if p.next("|") {
		subs[1] = p.sequence(&g, false)
	}
	p.depth--
	if p.peek() == '|' {
		p.fail(p.i, "a condition has two branches at most; put (?: ) around the second")
	}
	if !p.next(")") {
		p.fail(at, "this ( has no ) behind it; write \\( for the character")
	}
	return &Node{Kind: Cond, Group: group, Subs: subs}
}
