// Package datepattern finds the stamps of log lines in the way of fail2ban: the
// usual templates or those of a filter's datepattern, and the choice among them,
// which remembers what the log looked like before.
//
// It asks no clock: what a stamp leaves out is taken from the caller's "now". It
// neither cuts lines nor judges whether a stamp is too old.
//
// What differs from fail2ban, on purpose: a word in the place of a zone that is
// none is left alone, where fail2ban loses the line; {DEFAULT} means what its
// manual says; "today" and "last year" are those of the stamp's own zone; digits
// are those of ASCII; %s is a mistake, where it would match nothing.
package datepattern

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/edgeban/edgeban/internal/filter/pyre"
)

// Templates are the ways in which a log may write its stamps. They are safe for
// concurrent use.
type Templates struct {
	list []*template
}

// An Error is a mistake in a datepattern.
type Error struct {
	Line, Byte int // where, both from 1: which of the patterns, and where in it
	Msg        string
}

func (e *Error) Error() string { return fmt.Sprintf("line %d, byte %d: %s", e.Line, e.Byte, e.Msg) }

// Compile reads the lines of a datepattern, a template each; none, or only empty
// ones, mean the usual templates. An error is an *Error.
func Compile(patterns []string) (*Templates, error) {
	t := new(Templates)
	for i, p := range patterns {
		trimmed := strings.TrimLeft(p, " \t")
		if err := t.add(strings.TrimSpace(p)); err != nil {
			at := 0
			if syntax, ok := errors.AsType[*pyre.Error](err); ok {
				at = syntax.Offset
			}
			return nil, &Error{i + 1, len(p) - len(trimmed) + at + 1, err.Error()}
		}
	}
	if len(t.list) > 0 {
		return t, nil
	}
	return t, t.usual(func(*template) bool { return true })
}

// Names returns what people may know the templates by, in the order of the first
// choice: the pattern, or for one of the usual templates a stamp as an example.
func (t *Templates) Names() []string {
	var names []string
	for _, one := range t.list {
		names = append(names, one.name)
	}
	return names
}

// Leading reports whether every stamp is at the start of its line, after two
// characters that are no letters, digits or underscores at most: what is left of the
// line when it is cut out is as it was, but for these.
func (t *Templates) Leading() bool {
	return !slices.ContainsFunc(t.list, func(one *template) bool { return !one.tight })
}

// Edges reports whether a letter or digit of ASCII, or a _, may stand right before a
// stamp that is cut out, and right behind it. Where none may, no word is cut in two,
// nor can what is left make one of two.
func (t *Templates) Edges() (before, after bool) {
	for _, one := range t.list {
		before, after = before || one.before, after || one.after
	}
	after = after || len(t.list) > few // a search may end at far
	return before, after
}

// add compiles one line of a datepattern.
func (t *Templates) add(line string) error {
	key := line
	if !strings.Contains(line, "%") {
		key = upper(line)
	}
	switch {
	case line == "":
		return nil
	case key == "{DEFAULT}":
		return t.usual(func(*template) bool { return true })
	case key == "{^LN-BEG}":
		return t.usual(func(one *template) bool { return one.start })
	case key == "{NONE}":
		return t.append(line, "{UNB}^")
	case strings.Contains(key, "{DATE}"):
		return t.dates(line, strings.Index(key, "{DATE}"))
	}
	if p, ok := wholeWord(key); ok {
		return t.append(line, p)
	}
	return t.append(line, line)
}

// upper raises the letters of ASCII: all else keeps its place.
func upper(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

// append compiles one template, unless one of the same name is there.
func (t *Templates) append(name, pattern string) error {
	return t.weigh(written{name, pattern, 1})
}

func (t *Templates) weigh(w written) error {
	if slices.ContainsFunc(t.list, func(one *template) bool { return one.name == w.name }) {
		return nil
	}
	one, err := compile(w)
	if err == nil {
		t.list = append(t.list, one)
	}
	return err
}

// usual adds the usual templates that take accepts.
func (t *Templates) usual(take func(*template) bool) error {
	all, err := usual()
	if err != nil {
		return err
	}
	for _, one := range all {
		if take(one) && !slices.ContainsFunc(t.list, func(old *template) bool { return old.name == one.name }) {
			t.list = append(t.list, one)
		}
	}
	return nil
}

// usual compiles the usual templates, once for all logs: those that look from
// the start of the line before the others.
var usual = sync.OnceValues(func() ([]*template, error) {
	all := new(Templates)
	for _, f := range forms {
		if strings.HasPrefix(f.pattern, lineStart) || f.pattern[0] == '^' {
			continue
		}
		if err := all.weigh(written{lineStart + f.name, lineStart + f.inner(), 100}); err != nil {
			return nil, err
		}
	}
	for _, f := range forms {
		if err := all.append(f.name, f.pattern); err != nil {
			return nil, err
		}
	}
	return all.list, nil
})

// dates adds a template for each usual form in the place of the word {DATE} at i.
func (t *Templates) dates(line string, i int) error {
	before, after := line[:i], line[i+len("{DATE}"):]
	// A mistake around the word is told once, and where it was written: as much stands for it.
	if _, err := newTemplate(line, before+"(xxxx)"+after); err != nil {
		return err
	}
	for _, f := range forms {
		pattern := before + f.inner() + after
		switch {
		case !f.bare:
		case before+after == "":
			pattern = f.pattern
		case after == "" && (before == "^" || before == lineStart):
			pattern = lineStart + f.inner()
		default:
			pattern = before + nowhere + after
		}
		if err := t.append(before+f.name+after, pattern); err != nil {
			return &pyre.Error{Offset: i, Msg: err.Error()}
		}
	}
	return nil
}
