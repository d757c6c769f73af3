package ini

import (
	"fmt"
	"regexp"
	"strings"
)

const (
	maxNesting = 10      // of %(name)s, as upstream has it
	maxValue   = 1 << 20 // bytes of an expanded value
)

// A Lookup gives values that stand before those of the files.
type Lookup func(name string) (Text, bool, error)

// Get returns the value of an option, in place of which [DEFAULT] may have one,
// with every %(name)s expanded. A name is looked up in vars, which may be nil, the
// section, and [DEFAULT]; sec/opt, known/opt and default/opt are what other
// sections, earlier files, and [DEFAULT] say; __name__ is the section.
func (d *Document) Get(section, option string, vars Lookup) (Text, bool, error) {
	e := expansion{d: d, section: section, option: strings.ToLower(option), vars: vars}
	raw, ok, err := e.lookup(e.option)
	if err != nil || !ok || d.sections[section] == nil {
		return Text{}, false, err
	}
	if !strings.Contains(raw.s, "%") {
		return raw, true, nil
	}
	if err := e.expand(raw, 1); err != nil {
		return Text{}, false, err
	}
	return e.out.Text(), true, nil
}

// FromSection is Get for a name that may be sec/opt, which is then expanded by
// what its own section says. Known is what earlier files said.
func (d *Document) FromSection(section, name string, vars Lookup) (Text, bool, error) {
	if m := sectionOption.FindStringSubmatch(name); m != nil {
		sec, opt := m[1], strings.ToLower(m[2])
		var before map[string]Text
		switch strings.ToLower(sec) {
		case "known":
			sec, before = section, d.known[section]
		case "default":
			sec, before = section, d.defaults
		}
		if before != nil {
			e := expansion{d: d, section: section, option: opt, before: before}
			raw, ok := before[opt]
			if !ok {
				raw, ok = d.defaults[opt]
			}
			if ok {
				err := e.expand(raw, 1)
				return e.out.Text(), err == nil, err
			}
		}
		if v, ok, err := d.Get(sec, opt, nil); ok || err != nil {
			return v, ok, err
		}
	}
	return d.Get(section, name, vars)
}

var sectionOption = regexp.MustCompile(`^([\pL\pN_-]+)/([^\s>]+)$`)

// An expansion is the reading of one option.
type expansion struct {
	d               *Document
	section, option string
	vars            Lookup
	before          map[string]Text // what stands, with [DEFAULT], before the section; may be nil
	out             Builder
}

// lookup returns the raw value of a name.
func (e *expansion) lookup(name string) (Text, bool, error) {
	if name == "__name__" {
		return NewText(e.section, e.d.Place(e.section)), true, nil
	}
	if e.vars != nil {
		if v, ok, err := e.vars(name); ok || err != nil {
			return v, ok, err
		}
	}
	if e.before != nil {
		if v, ok := e.before[name]; ok {
			return v, true, nil
		}
		if v, ok := e.d.defaults[name]; ok {
			return v, true, nil
		}
	}
	if s := e.d.sections[e.section]; s != nil {
		if v, ok := s.options[name]; ok {
			return v, true, nil
		}
	}
	v, ok := e.d.defaults[name]
	return v, ok, nil
}

// elsewhere returns the raw value of sec/opt.
func (e *expansion) elsewhere(name string) (Text, bool) {
	sec, opt, ok := strings.Cut(name, "/")
	if !ok || !word.MatchString(sec) {
		return Text{}, false
	}
	options := e.d.known[e.section]
	switch sec {
	case "known":
	case "default":
		options = nil
	default:
		s := e.d.sections[sec]
		if s == nil {
			return Text{}, false
		}
		options = s.options
	}
	v, ok := options[opt]
	if !ok {
		v, ok = e.d.defaults[opt]
	}
	return v, ok
}

var word = regexp.MustCompile(`^[\pL\pN_-]+$`)

// expand appends raw with its names replaced.
func (e *expansion) expand(raw Text, depth int) error {
	if depth > maxNesting {
		return e.wrong(raw, fmt.Sprintf("names are nested deeper than %d; look for one that means itself", maxNesting))
	}
	c := cursor{rest: raw}
	for c.rest.s != "" {
		n := strings.IndexByte(c.rest.s, '%')
		if n < 0 {
			n = len(c.rest.s)
		}
		if n > 0 {
			if err := e.add(c.take(n)); err != nil {
				return err
			}
			continue
		}
		if strings.HasPrefix(c.rest.s, "%%") {
			c.take(1)
			if err := e.add(c.take(1)); err != nil {
				return err
			}
			continue
		}
		end := strings.IndexByte(c.rest.s, ')')
		if !strings.HasPrefix(c.rest.s, "%(") || end < 3 || !strings.HasPrefix(c.rest.s[end:], ")s") {
			return e.wrong(c.rest, "a % stands for nothing; write %% for the sign itself, %(name)s for a value")
		}
		at := c.take(end + 2)
		if err := e.name(at, depth); err != nil {
			return err
		}
	}
	return nil
}

// name appends what a %(name)s stands for.
func (e *expansion) name(at Text, depth int) error {
	written := at.s[2 : len(at.s)-2]
	name := strings.ToLower(written)
	v, ok, err := e.lookup(name)
	if err == nil && !ok && name == written { // else upstream notes the one and looks for the other
		v, ok = e.elsewhere(name)
	}
	switch {
	case err != nil:
		return err
	case !ok:
		return e.wrong(at, fmt.Sprintf("%%(%s)s is not defined; define it in [DEFAULT] or beside the option", quoteName(name)))
	case strings.Contains(v.s, "%"):
		return e.expand(v, depth+1)
	}
	return e.add(v)
}

func (e *expansion) add(piece Text) error {
	if e.out.Add(piece); e.out.Len() > maxValue {
		return e.wrong(piece, fmt.Sprintf("the value grows beyond %d bytes", maxValue))
	}
	const cost = 256 // of a piece without text
	return e.d.tree.Spend(cost + len(piece.s))
}

func (e *expansion) wrong(at Text, msg string) error {
	place := at.At(0)
	if place.File == "" { // a value that is in no file
		place = e.d.Place(e.section)
	}
	return &Error{Place: place, Msg: fmt.Sprintf("option %s of [%s]: %s", quoteName(e.option), quoteName(e.section), msg)}
}
