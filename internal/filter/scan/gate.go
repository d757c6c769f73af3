package scan

import (
	"slices"
	"strings"
)

// A Literal is a text that a line may hold. It has no newline.
type Literal struct {
	Text string // in lower case if Fold
	Fold bool   // ASCII letters may be of either case
}

// A Need is what a pattern asks of the lines that it matches: that they hold a
// literal of each set. A pattern of which nothing is known needs no set.
type Need [][]Literal

// Least is how many bytes a literal must have to be looked for.
const Least = 3

// usable reports whether lines can be found by the set.
func usable(set []Literal) bool {
	short := func(l Literal) bool { return len(l.Text) < Least || strings.Contains(l.Text, "\n") }
	return len(set) > 0 && !slices.ContainsFunc(set, short)
}

// Open reports whether lines cannot be found by what the pattern needs, so that it
// has to see all.
func (n Need) Open() bool { return !slices.ContainsFunc(n, usable) }

// A use is a pattern of a filter that a literal stands for.
type use struct{ filter, pattern int32 }

// A Gate knows the literals of the patterns of some filters. It is safe for
// concurrent use.
type Gate struct {
	filters int
	lits    []Literal
	uses    [][]use // by literal
	tiers   []*tier
	dense   *dense
}

// New returns a Gate for filters, each of which is the needs of its patterns. The
// sample is some lines of the log, which make it faster; it may be empty.
func New(filters [][]Need, sample []byte) *Gate {
	g := &Gate{filters: len(filters)}
	s := newSurvey(sample)
	s.short = slices.ContainsFunc(slices.Concat(filters...), func(n Need) bool { return anyShort(s.best(n)) })
	known := map[Literal]int{}
	for f, needs := range filters {
		for p, n := range needs {
			for _, l := range s.best(n) {
				at, ok := known[l]
				if !ok {
					at = len(g.lits)
					known[l] = at
					g.lits, g.uses = append(g.lits, l), append(g.uses, nil)
				}
				g.uses[at] = append(g.uses[at], use{int32(f), int32(p)})
			}
		}
	}
	g.tiers = tiersOf(g.lits, s)
	return g
}

// Dense returns a Gate that finds the same in any log at the same speed, which is
// that of a bad one.
func (g *Gate) Dense() *Gate {
	d := *g
	d.tiers, d.dense = nil, newDense(g.lits)
	return &d
}
