// Package pattern runs the patterns of filters: Python's regular expressions, as
// package pyre has them, with fail2ban's tags.
//
// <HOST> stands for an address and nothing else. It never matches a part of a
// longer word, so that 1203.0.113.9 does not name 203.0.113.9; whether the text
// is a valid address is for the caller to say.
package pattern

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeban/edgeban/internal/filter/pyre"
)

// A Pattern finds who did what in a line. It is safe for concurrent use.
type Pattern struct {
	re     *pyre.Regexp
	groups []Tag // by number of the regular expression's group; tags for none
	lits   [][]string
}

// An Error is a mistake in a pattern.
type Error struct {
	Offset int // byte in the pattern
	Msg    string
}

func (e *Error) Error() string { return e.Msg }

// Compile reads a pattern. The error is an *Error.
func Compile(text string) (*Pattern, error) {
	t := translation{text: text}
	if err := t.run(); err != nil {
		return nil, err
	}
	re, err := pyre.Compile(t.out.String(), 0)
	if err != nil {
		return nil, t.explain(err)
	}
	p := &Pattern{re: re, lits: literals(re.Required())}
	for _, name := range re.Groups() {
		p.groups = append(p.groups, tagOf(name))
	}
	return p, nil
}

// Literals returns sets of strings: a line that matches has at least one string
// of each, also where it is wrapped as a JSON string. The first set is the best
// to search for; there may be none.
func (p *Pattern) Literals() [][]string { return p.lits }

// Has reports whether the pattern can fill the tag.
func (p *Pattern) Has(t Tag) bool { return slices.Contains(p.groups, t) }

// Match searches line and fills g. It reports false also if the host is only
// part of a longer word, and if m is spent.
func (p *Pattern) Match(m *pyre.Matcher, line []byte, g *Groups) bool {
	*g = Groups{}
	if !m.Search(p.re, line) {
		return false
	}
	for i, tag := range p.groups {
		if tag == tags {
			continue
		}
		from, to := m.Span(i)
		if from < 0 {
			continue
		}
		if tag == Host && !whole(line, from, to) {
			return false
		}
		g[tag] = line[from:to]
	}
	return true
}

// whole reports whether line[from:to] is not part of a longer word, name or
// address.
func whole(line []byte, from, to int) bool {
	if to < len(line) {
		switch b := line[to]; {
		case alnum(b), b == '%', b == '-', b == '_', b >= 0x80:
			return false
		case b == '.' || b == ':':
			if to+1 < len(line) && b == '.' && alnum(line[to+1]) {
				return false
			}
			if b == ':' && bytes.IndexByte(line[from:to], ':') >= 0 && to+1 < len(line) && hex(line[to+1]) {
				return false
			}
		}
	}
	if from == 0 {
		return true
	}
	switch b := line[from-1]; {
	case alnum(b), b == '.', b == '%', b == '-', b == '_', b >= 0x80:
		return false
	case b == ':':
		return !headOfIPv6(line[:from])
	}
	return true
}

// headOfIPv6 reports whether text ends in what could be the beginning of an
// address, such as ::ffff: before the rest of it.
func headOfIPv6(text []byte) bool {
	i := len(text)
	for i > 0 && (hex(text[i-1]) || text[i-1] == ':') {
		i--
	}
	return i == 0 || !alnum(text[i-1])
}

func hex(b byte) bool { return '0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'f' }

func alnum(b byte) bool { return '0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'z' }

// A translation turns tags into named groups.
type translation struct {
	text string
	out  strings.Builder
	from []int // for each byte of out, its place in text
	open []spelling
	at   []int // where the open tags stand
	n    int
}

func (t *translation) run() error {
	for i := 0; i < len(t.text); {
		if t.text[i] == '\\' && i+1 < len(t.text) {
			t.put(t.text[i:i+2], i)
			i += 2
			continue
		}
		n, err := t.tag(i)
		if err != nil {
			return err
		}
		if n == 0 {
			t.put(t.text[i:i+1], i)
			n = 1
		}
		i += n
	}
	if len(t.open) > 0 {
		last := len(t.open) - 1
		return &Error{t.at[last], fmt.Sprintf("<%s> has no end; write </%[1]s> after what it takes", t.open[last].name)}
	}
	return nil
}

func (t *translation) put(s string, at int) {
	t.out.WriteString(s)
	for range len(s) {
		t.from = append(t.from, at)
	}
}

// tag translates the tag at i and returns its length, 0 if there is none.
func (t *translation) tag(i int) (int, error) {
	if t.text[i] != '<' || strings.HasSuffix(t.text[:i], "(?") || strings.HasSuffix(t.text[:i], "(?P") {
		return 0, nil
	}
	n := strings.IndexByte(t.text[i:], '>')
	if n < 0 {
		return 0, nil
	}
	name := t.text[i+1 : i+n]
	end, alone := strings.HasPrefix(name, "/"), strings.HasSuffix(name, "/")
	name = strings.Trim(name, "/")
	s, ok := lookup(name)
	switch {
	case !ok && strings.HasPrefix(name, "F-") && !strings.ContainsAny(name, "< "):
		return 0, &Error{i, fmt.Sprintf("<%s> is not a tag; the tags are %s", name, names())}
	case !ok:
		return 0, nil
	case end:
		if len(t.open) == 0 || t.open[len(t.open)-1].name != name {
			return 0, &Error{i, fmt.Sprintf("</%s> ends nothing; write <%[1]s> before what it takes", name)}
		}
		t.open, t.at = t.open[:len(t.open)-1], t.at[:len(t.at)-1]
		t.put(")", i)
	case s.alone == "":
		t.put(s.address(t.group(s.tag)), i)
	case alone:
		t.put("(?P<"+t.group(s.tag)+">"+s.alone+")", i)
	default:
		t.open, t.at = append(t.open, s), append(t.at, i)
		t.put("(?P<"+t.group(s.tag)+">", i)
	}
	return n + 1, nil
}

// group makes a name that no other group has, so that a tag may stand in each
// branch of an alternation.
func (t *translation) group(tag Tag) string {
	t.n++
	return "tag" + strconv.Itoa(int(tag)) + "_" + strconv.Itoa(t.n)
}

// tagOf undoes group.
func tagOf(group string) Tag {
	rest, ok := strings.CutPrefix(group, "tag")
	number, _, under := strings.Cut(rest, "_")
	n, err := strconv.Atoi(number)
	if !ok || !under || err != nil || n >= int(tags) {
		return tags
	}
	return Tag(n)
}

// explain says where in the pattern the regular expression is wrong.
func (t *translation) explain(err error) error {
	e, ok := errors.AsType[*pyre.Error](err)
	if !ok {
		return &Error{0, err.Error()}
	}
	at := len(t.text)
	if e.Offset < len(t.from) {
		at = t.from[e.Offset]
	}
	return &Error{at, e.Msg}
}
