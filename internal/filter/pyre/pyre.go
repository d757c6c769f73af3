// Package pyre matches Python's regular expressions, as the filters of fail2ban
// are written in, within a bound of time and memory, and without allocating.
package pyre

import "slices"

// Flags change what a whole expression means.
type Flags uint8

const (
	MultiLine  Flags = 1 << iota // ^ and $ also match at the newlines inside
	IgnoreCase                   // letters match in both cases
)

// A Regexp is a compiled expression. It is safe for concurrent use.
type Regexp struct {
	expr  string
	proto *Regex
}

// An Error is a mistake in an expression.
type Error struct {
	Offset int // byte in the expression
	Msg    string
}

func (e *Error) Error() string { return e.Msg }

// Compile reads an expression in the syntax of Python's re. The error is an *Error.
func Compile(expr string, f Flags) (*Regexp, error) {
	text := expr
	if f&IgnoreCase != 0 {
		text = "(?i)" + expr
	}
	p, err := compile(text, f&MultiLine != 0)
	if err != nil {
		return nil, &Error{0, err.Error()}
	}
	return &Regexp{expr, p}, nil
}

// String returns the expression as it was given to Compile.
func (re *Regexp) String() string { return re.expr }

// Groups returns the names of the groups by their number, "" for one without a
// name; the first is the whole match.
func (re *Regexp) Groups() []string { return re.proto.Names }

// Group returns the number of the named group, -1 if there is none.
func (re *Regexp) Group(name string) int { return slices.Index(re.proto.Names, name) }

// A Literal is a text that must occur in what matches.
type Literal struct {
	Text string // lower-case if Fold
	Fold bool   // ASCII letters may be of either case
}

// Required returns sets of literals: every text that matches holds at least one
// of each set. The first set is the best to search for; there may be none.
func (re *Regexp) Required() [][]Literal { return nil }

// Linear reports whether the time of every search is linear in the length of its
// text. Where it is not (back-references, conditionals), a search may be spent.
func (re *Regexp) Linear() bool { return true }

// A Matcher is the memory that searches work in. Its zero value is ready; it
// must not be used by two goroutines at once.
type Matcher struct {
	caps  []int
	spent bool
}

// Search looks for the first match of re in text, as Python's re.search does.
func (m *Matcher) Search(re *Regexp, text []byte) bool {
	r := *re.proto
	r.caps, r.lpos, r.trail = make([]int, len(r.caps)), make([]int, len(r.lpos)), nil
	caps, ok := r.Find(text)
	m.caps, m.spent = caps, !ok
	return ok && caps != nil
}

// Span returns where a group of the last match lies in its text, -1 and -1 if it
// took no part. It is valid until the next Search.
func (m *Matcher) Span(group int) (start, end int) { return m.caps[2*group], m.caps[2*group+1] }

// Spent reports whether the last Search gave up: its text is hostile, and
// whether it matches is not known.
func (m *Matcher) Spent() bool { return m.spent }
