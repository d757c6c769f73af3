package syntax

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// globals reads flags for the whole expression, which may stand at its start.
func (p *parser) globals(f *Flags, start bool) bool {
	at := p.i
	end := strings.IndexAny(p.src[at:], ":)")
	if !strings.HasPrefix(p.src[at:], "(?") || end < 3 || p.src[at+end] != ')' {
		return false
	}
	letters := p.src[at+2 : at+end]
	if strings.Trim(letters, "aimsuxLt") != "" {
		return false
	}
	if !start {
		p.fail(at, "flags for the whole expression belong at its start; write (?%s:...) for a part of it", letters)
	}
	p.i += 2
	for p.peek() != ')' {
		p.flag(f, true)
	}
	p.i++
	return true
}

// flags reads the flags of a group up to their colon.
func (p *parser) flags(f Flags, at int) Flags {
	on := true
	for seen := ""; !p.next(":"); {
		switch c := p.peek(); {
		case c == '-' && on && p.i+1 < len(p.src) && p.src[p.i+1] != ':':
			on = false
			p.i++
		case c == 0 || !strings.ContainsRune("aimsuxLt", rune(c)) || strings.IndexByte(seen, c) >= 0 && !on:
			p.fail(at, "this is not a group of Python's re; write \\( for the character")
		default:
			seen += string(c)
			p.flag(&f, on)
		}
	}
	return f
}

// flag reads one flag.
func (p *parser) flag(f *Flags, on bool) {
	c := p.src[p.i]
	switch c {
	case 'i':
		f.Fold = on
	case 'm':
		f.Multi = on
	case 's':
		f.DotAll = on
	case 'x':
		f.Verbose = on
	case 'a', 'u':
		if !on {
			p.fail(p.i, "the flag %c cannot be turned off", c)
		}
		f.ASCII = c == 'a'
	default:
		p.fail(p.i, "the flag %c has no meaning here; leave it out", c)
	}
	p.i++
}

// class reads a set in brackets.
func (p *parser) class(f *Flags) *Node {
	at := p.i
	p.i++
	c := &Class{neg: p.next("^"), fold: f.folding(), ascii: f.ASCII}
	for first := true; first || p.peek() != ']'; first = false {
		from := p.i
		lo, prop := p.member(at)
		if prop != nil {
			c.props = append(c.props, *prop)
		}
		if p.peek() != '-' || strings.HasPrefix(p.src[p.i:], "-]") {
			if prop == nil {
				c.ranges = append(c.ranges, lo, lo)
			}
			continue
		}
		p.i++
		hi, last := p.member(at)
		if prop != nil || last != nil || hi < lo {
			p.fail(from, "%s is not a range; write the lower character first, and \\- for the character", p.src[from:p.i])
		}
		c.ranges = append(c.ranges, lo, hi)
	}
	p.i++
	if len(c.ranges) == 2 && c.ranges[0] == c.ranges[1] && len(c.props) == 0 && !c.neg {
		return literal(c.ranges[0], f)
	}
	return &Node{Kind: Char, Class: c.finish()}
}

// member reads one character of a class, or a property.
func (p *parser) member(class int) (rune, *asked) {
	if p.i >= len(p.src) {
		p.fail(class, "this [ has no ] behind it; write \\[ for the character")
	}
	if p.src[p.i] != '\\' {
		return p.char(), nil
	}
	at := p.i
	p.i++
	switch c := p.peek(); {
	case c == 'b':
		p.i++
		return '\b', nil
	case '0' <= c && c <= '7':
		return p.octal(at), nil
	case c == '8' || c == '9':
		p.fail(at, "\\%c is not a character", c)
	}
	if prop, ok := p.property(); ok {
		return 0, &prop
	}
	return p.escaped(at), nil
}

// octal reads up to three digits.
func (p *parser) octal(at int) rune {
	n := rune(0)
	for i := 0; i < 3 && '0' <= p.peek() && p.peek() <= '7'; i++ {
		n = n*8 + rune(p.peek()-'0')
		p.i++
	}
	if n > 0o377 {
		p.fail(at, "%s is more than \\377", p.src[at:p.i])
	}
	return n
}

// property reads the letter of a property.
func (p *parser) property() (asked, bool) {
	i := strings.IndexByte("dDsSwW", p.peek())
	if p.i >= len(p.src) || i < 0 {
		return asked{}, false
	}
	p.i++
	return asked{property(i / 2), i%2 == 1}, true
}

// escape reads what a backslash begins outside of a class.
func (p *parser) escape(f *Flags) *Node {
	at := p.i
	p.i++
	if a, ok := p.property(); ok {
		return &Node{Kind: Char, Class: (&Class{props: []asked{a}, ascii: f.ASCII}).finish()}
	}
	c := p.peek()
	if i := strings.IndexByte("AZbB", c); i >= 0 && p.i < len(p.src) {
		p.i++
		return &Node{Kind: Assert, Assert: [...]Assertion{TextBegin, TextEnd, Boundary, NotBoundary}[i], ASCII: f.ASCII}
	}
	if '0' <= c && c <= '9' {
		return p.number(f, at)
	}
	return literal(p.escaped(at), f)
}

// number reads an octal character or a back-reference. Python takes it for a
// character if it begins with 0 or has three octal digits.
func (p *parser) number(f *Flags, at int) *Node {
	if p.peek() == '0' || p.i+3 <= len(p.src) && strings.Trim(p.src[p.i:p.i+3], "01234567") == "" {
		return literal(p.octal(at), f)
	}
	n := int(p.peek() - '0')
	p.i++
	if c := p.peek(); '0' <= c && c <= '9' {
		n = n*10 + int(c-'0')
		p.i++
	}
	if n >= len(p.names) {
		p.fail(at, "there is no group %d before this", n)
	}
	return p.reference(n, at, f)
}

// escaped reads the character behind a backslash.
func (p *parser) escaped(at int) rune {
	if p.i >= len(p.src) {
		p.fail(at, "there is nothing behind this \\; write \\\\ for the character")
	}
	r := p.char()
	if i := strings.IndexRune("abfnrtv", r); i >= 0 && r != 'b' {
		return rune("\a\b\f\n\r\t\v"[i])
	}
	switch {
	case r == 'x':
		return p.hex(at, 2)
	case r == 'u':
		return p.hex(at, 4)
	case r == 'U':
		return p.hex(at, 8)
	case r == 'N':
		p.fail(at, "write the number of the character, such as \\u2014, not its name")
	case 'a' <= r|0x20 && r|0x20 <= 'z':
		p.fail(at, "\\%c means nothing; write %[1]c for the character, \\\\ for a backslash", r)
	}
	return r
}

func (p *parser) hex(at, n int) rune {
	end := min(p.i+n, len(p.src))
	v, err := strconv.ParseUint(p.src[p.i:end], 16, 32)
	if err != nil || end < p.i+n || p.src[p.i] == '+' {
		p.fail(at, "\\%c needs %d hexadecimal digits", p.src[at+1], n)
	}
	if v > utf8.MaxRune {
		p.fail(at, "%s is beyond the last character, \\U0010ffff", p.src[at:end])
	}
	p.i = end
	return rune(v)
}
