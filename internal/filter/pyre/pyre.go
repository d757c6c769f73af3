package pyre

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"github.com/edgeban/edgeban/internal/filter/pyre/graph"
	"github.com/edgeban/edgeban/internal/filter/pyre/syntax"
	"github.com/edgeban/edgeban/internal/filter/pyre/way"
	"github.com/edgeban/edgeban/internal/inuse"
)

// Flags change what a whole expression means.
type Flags uint8

const (
	MultiLine  Flags = 1 << iota // ^ and $ also match at the newlines inside
	IgnoreCase                   // letters match in both cases
)

// A Regexp is a compiled expression. It is safe for concurrent use.
type Regexp struct {
	Head syntax.Head // of each text in which it is found

	expr     string
	groups   []string
	g        graph.Graph
	always   []int // groups that take something in every match
	required [][]Literal
	need     []string // one of these is in every text that matches
	ways     way.Known

	// Where a match can begin.
	once   bool        // only at the start of the text
	lines  bool        // only at the start of a line
	prefix string      // only where this stands
	table  bool        // only where prog.first says
	lead   *graph.Node // with this run: what fails at its start fails up to its end
}

// An Error is a mistake in an expression.
type Error = syntax.Error

// A Literal is a text that must occur in what matches.
type Literal = syntax.Literal

// Compile reads an expression in the syntax of Python's re. The error is an *Error.
// Of an expression that is in use already, it returns that.
func Compile(expr string, f Flags) (*Regexp, error) {
	return regexps.Get(source{expr, f}, func() (*Regexp, error) { return compile(expr, f) })
}

// A source is what an expression is compiled from.
type source struct {
	expr  string
	flags Flags
}

var regexps inuse.Pool[source, Regexp]

// String returns the expression as it was given to Compile.
func (re *Regexp) String() string { return re.expr }

// Groups returns the names of the groups by their number, "" for one without a
// name; the first is the whole match.
func (re *Regexp) Groups() []string { return re.groups }

// Group returns the number of the named group, -1 if there is none.
func (re *Regexp) Group(name string) int { return slices.Index(re.groups, name) }

// Always reports whether the numbered group takes something in every match.
func (re *Regexp) Always(group int) bool { return slices.Contains(re.always, group) }

// Required returns sets of literals: every text that matches holds at least one
// of each set. The first set is the best to search for; there may be none.
func (re *Regexp) Required() [][]Literal { return re.required }

// Linear reports whether the time of every search is linear in the length of its
// text. Where it is not (back-references, captures in a look-ahead, atomic groups)
// a search is spent on less hostile texts.
func (re *Regexp) Linear() bool { return re.g.Linear }

// start finds out where a match can begin.
func (re *Regexp) start(t *syntax.Node) {
	re.once, re.lines = t.Begins(syntax.TextBegin), t.Begins(syntax.LineBegin)
	n := re.g.Prog
	for n.Op == graph.OpSave {
		n = n.Next
	}
	switch {
	case re.once:
	case n.Op == graph.OpLit && len(n.Lit) > 1:
		re.prefix = n.Lit
	case n.Op == graph.OpRun && n.Max == syntax.Unbounded && n.Min <= 1 && !n.Keep.Tainted && n.Keep.Conds == 0:
		re.lead = n
	}
	re.table = re.g.Prog.First != syntax.Anything
}

func compile(expr string, f Flags) (*Regexp, error) {
	t, names, err := syntax.Parse(expr, syntax.Flags{Multi: f&MultiLine != 0, Fold: f&IgnoreCase != 0})
	if err != nil {
		return nil, err
	}
	g, err := graph.New(t, len(names))
	if err != nil {
		return nil, err
	}
	re := &Regexp{Head: t.Opening(), expr: expr, groups: names, g: *g, always: t.Always(), required: syntax.Required(t)}
	re.need = syntax.Needed(re.required)
	re.start(t)
	return re, nil
}

// next returns the first place not before i where a match can begin, -1 if there
// is none.
func (re *Regexp) next(t []byte, i int) int {
	for {
		switch {
		case i > len(t) || re.once && i > 0:
			return -1
		case re.prefix != "":
			if n := bytes.Index(t[i:], []byte(re.prefix)); n >= 0 {
				i += n
				break
			}
			return -1
		case re.table:
			for i < len(t) && !re.g.Prog.First.Has(t[i]) {
				if i++; re.once {
					return -1
				}
			}
			if i == len(t) && !re.g.Prog.First.End {
				return -1
			}
		}
		if !re.lines || i == 0 || t[i-1] == '\n' {
			return i
		}
		n := bytes.IndexByte(t[i:], '\n')
		if n < 0 {
			return -1
		}
		i += n + 1
	}
}

// after returns the next place to try when no match begins at i.
func (re *Regexp) after(t []byte, i int) int {
	if re.lead != nil {
		// A match that begins inside of the run could begin where the run does.
		end := re.lead.Reach(t, i, len(t))
		if re.lead.Min > 0 && end > i {
			return end
		}
		i = end
	}
	if i < len(t) && t[i] >= utf8.RuneSelf {
		_, w := utf8.DecodeRune(t[i:])
		return i + w
	}
	return i + 1
}

// missing reports that a text cannot match, because it holds none of what every
// text that does holds one of.
func (re *Regexp) missing(t []byte) bool {
	return len(re.need) > 0 && !slices.ContainsFunc(re.need, func(s string) bool { return bytes.Contains(t, []byte(s)) })
}

func pick[T any](cond bool, yes, no T) T {
	if cond {
		return yes
	}
	return no
}
