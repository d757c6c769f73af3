package ini

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A file is one physical file.
type file struct {
	name     string
	defaults map[string]Text
	sections []*section // in the order of the file
	options  int        // how many there are in all
}

// A section is a header and what follows it.
type section struct {
	name    string
	place   Place
	options map[string]Text
}

func (f *file) section(name string) *section {
	for _, s := range f.sections {
		if s.name == name {
			return s
		}
	}
	return nil
}

// DefaultSection is the section that stands in for all others.
const DefaultSection = "DEFAULT"

const includeSection = "INCLUDES"

// IsSpace reports whether Python's str.strip would cut r.
func IsSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

// A parser reads the lines of one file.
type parser struct {
	file    *file
	names   map[string]bool // the sections so far
	current *section        // nil before the first header
	key     string          // the option that a deeper line continues; empty for none
	lines   []string        // of its value
	places  []Place
	indent  int
}

// parse reads one file as Python's strict ConfigParser does: an error for a second
// option or section of a name, for a key without = or :, and for text before the
// first section. The error never shows a line, which may hold a secret.
func parse(name, data string) (*file, error) {
	p := parser{file: &file{name: name, defaults: map[string]Text{}}, names: map[string]bool{}}
	if strings.HasPrefix(data, "\ufeff") {
		return nil, p.wrong(1, "begins with a byte order mark, which fail2ban refuses; save it as UTF-8 without BOM")
	}
	data = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(data)
	n := 0
	for line := range strings.SplitSeq(data, "\n") {
		n++
		if err := p.line(n, line); err != nil {
			return nil, err
		}
	}
	p.end()
	return p.file, nil
}

func (p *parser) wrong(line int, format string, args ...any) error {
	return &Error{Place: Place{p.file.name, line}, Msg: fmt.Sprintf(format, args...)}
}

// line reads the n-th line.
func (p *parser) line(n int, line string) error {
	value, comment := uncomment(line)
	if value == "" {
		if !comment && p.key != "" {
			p.add(n, "")
		}
		return nil
	}
	indent := utf8.RuneCountInString(line) - utf8.RuneCountInString(strings.TrimLeftFunc(line, IsSpace))
	if p.key != "" && indent > p.indent {
		p.add(n, value)
		return nil
	}
	p.indent = indent
	p.end()
	if i := strings.LastIndexByte(value, ']'); value[0] == '[' && i > 1 {
		return p.header(n, value[1:i])
	}
	return p.option(n, value)
}

// uncomment returns what a line says, and whether it has a comment: a whole line
// after # or ;, or what follows a ; after a space.
func uncomment(line string) (value string, comment bool) {
	trimmed := strings.TrimFunc(line, IsSpace)
	if trimmed != "" && (trimmed[0] == '#' || trimmed[0] == ';') {
		return "", true
	}
	for i := 0; ; i++ {
		next := strings.IndexByte(line[i:], ';')
		if next < 0 {
			return trimmed, false
		}
		i += next
		if r, _ := utf8.DecodeLastRuneInString(line[:i]); i == 0 || IsSpace(r) {
			return strings.TrimFunc(line[:i], IsSpace), true
		}
	}
}

func (p *parser) header(n int, name string) error {
	if name == DefaultSection {
		p.current = &section{name: name, options: p.file.defaults}
		return nil
	}
	if p.names[name] {
		return p.wrong(n, "a second [%s] in one file; put its lines below the first", quoteName(name))
	}
	p.names[name] = true
	p.current = &section{name, Place{p.file.name, n}, map[string]Text{}}
	p.file.sections = append(p.file.sections, p.current)
	return nil
}

func (p *parser) option(n int, line string) error {
	i := strings.IndexAny(line, "=:")
	if p.current == nil {
		return p.wrong(n, "text before the first section; write [DEFAULT] or the name of a jail in brackets above it")
	}
	if i < 0 {
		return p.wrong(n, "is neither a section nor an option with = or :; a line that continues a value is indented deeper than its option")
	}
	key := strings.ToLower(strings.TrimRightFunc(line[:i], IsSpace))
	if key == "" {
		return p.wrong(n, "has no option before the %c", line[i])
	}
	if old, ok := p.current.options[key]; ok {
		return p.wrong(n, "option %s of [%s] is here a second time, after line %d; keep one",
			quoteName(key), quoteName(p.current.name), old.At(0).Line)
	}
	p.key = key
	p.file.options++
	p.add(n, strings.TrimFunc(line[i+1:], IsSpace))
	p.current.options[key] = Text{at: p.places} // known now, so that a second is noticed
	return nil
}

func (p *parser) add(n int, piece string) {
	p.lines = append(p.lines, piece)
	p.places = append(p.places, Place{p.file.name, n})
}

// end keeps the value whose lines are over.
func (p *parser) end() {
	if p.key != "" {
		s := strings.TrimRightFunc(strings.Join(p.lines, "\n"), IsSpace)
		p.current.options[p.key] = Text{s, p.places[:strings.Count(s, "\n")+1]}
	}
	p.key, p.lines, p.places = "", nil, nil
}

// quoteName shows a name of the file, which may be hostile, and is short.
func quoteName(s string) string {
	const most = 64
	if len(s) > most {
		s = s[:most] + "..."
	}
	q := fmt.Sprintf("%q", s)
	return q[1 : len(q)-1]
}
