package fail2ban

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/edgeban/edgeban/internal/fail2ban/ini"
)

// A Level says how much of a person a note asks.
type Level uint8

// The levels.
const (
	Info    Level = iota // nothing to do
	Warning              // something is not honoured, and what to do instead
	Problem              // something that was asked for does not work, which is no reason to leave the jail out
	Broken               // why the jail is left out; one may have many
)

// String returns the word for l.
func (l Level) String() string {
	switch l {
	case Info:
		return "info"
	case Warning:
		return "warning"
	case Problem:
		return "problem"
	case Broken:
		return "broken"
	}
	return "unknown"
}

// A Note is something that a person may want to know about the configuration. It
// never holds a secret.
type Note struct {
	File  string
	Line  int    // 0 for the file as a whole
	Jail  string // of several jails all names, with commas; empty for none
	Text  string
	Level Level
}

// String returns file:line: jail: text.
func (n Note) String() string {
	s := n.Text
	if n.Jail != "" {
		s = "jail " + clean(n.Jail) + ": " + s
	}
	if n.File == "" {
		return s
	}
	return ini.Place{File: n.File, Line: n.Line}.String() + ": " + s
}

// A fault is what is wrong at a place, and the way out.
type fault struct {
	at   ini.Place
	text string
}

func (f *fault) Error() string { return f.text }

func wrong(at ini.Place, format string, args ...any) error {
	return &fault{at, fmt.Sprintf(format, args...)}
}

// each returns the errors that err joins, none for nil.
func each(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, each(e)...)
	}
	return all
}

// note returns err as a note, at a place that fits if err has none.
func note(level Level, at ini.Place, err error) Note {
	text := err.Error()
	if f := (*fault)(nil); errors.As(err, &f) {
		text = f.text
		if f.at.File != "" {
			at = f.at
		}
	} else if e := (*ini.Error)(nil); errors.As(err, &e) {
		text = e.Msg
		if e.File != "" {
			at = e.Place
		}
	}
	return Note{File: at.File, Line: at.Line, Text: clean(text), Level: level}
}

// clean replaces what does not belong on a line that people read: names of the
// configuration get into notes.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, s)
}

// sorted returns the notes by file and line. Those that say the same of several
// jails become one.
func sorted(notes []Note) []Note {
	first := map[Note]int{}
	var all []Note
	var jails [][]string
	for _, n := range notes {
		k := n
		if n.Level != Broken {
			k.Jail = ""
		}
		i, ok := first[k]
		if !ok {
			i = len(all)
			first[k] = i
			all, jails = append(all, n), append(jails, nil)
		}
		if last := len(jails[i]) - 1; last < 0 || jails[i][last] != n.Jail {
			jails[i] = append(jails[i], n.Jail)
		}
	}
	for i := range all {
		all[i].Jail = strings.Join(jails[i], ", ")
	}
	slices.SortStableFunc(all, func(a, b Note) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line)
	})
	return all
}
