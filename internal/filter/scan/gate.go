package scan

import (
	"bytes"
	"math"
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
	tiers   []tier
	dense   *dense
}

// New returns a Gate for filters, each of which is the needs of its patterns. The
// sample is some lines of the log, which make it faster; it may be empty.
func New(filters [][]Need, sample []byte) *Gate {
	g := &Gate{filters: len(filters)}
	s := newSurvey(sample)
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

// A survey is what a sample tells of literals.
type survey struct {
	text, lower []byte
	lines       float64
	grams       map[class][]int32 // how often each hash of a gram was seen
}

// mostSample is how many bytes of a sample are looked at.
const mostSample = 64 << 10

func newSurvey(sample []byte) *survey {
	sample = sample[:min(len(sample), mostSample)]
	if len(sample) == 0 {
		return &survey{lines: 1}
	}
	s := &survey{text: sample, lower: lowered(sample), grams: map[class][]int32{}}
	s.lines = float64(max(1, bytes.Count(sample, newline)))
	return s
}

// seen estimates how often looks for some grams of a class meet the sample. Each counts
// once more, for what has the same hash.
func (s *survey) seen(c class, keys []uint32) int64 {
	n := int64(len(keys))
	if len(s.text) == 0 {
		return n
	}
	counts := s.grams[c]
	if counts == nil {
		counts = make([]int32, 1<<metBits)
		for i := range s.text {
			counts[c.hash(load(s.text[i:]))>>metShift]++
		}
		s.grams[c] = counts
	}
	for _, key := range keys {
		n += int64(counts[c.hash(key)>>metShift])
	}
	return n
}

var newline = []byte("\n")

func lowered(text []byte) []byte {
	low := slices.Clone(text)
	for i, b := range low {
		if 'A' <= b && b <= 'Z' {
			low[i] = b + 'a' - 'A'
		}
	}
	return low
}

// best returns the set that costs least to look for, nil if none can be.
func (s *survey) best(n Need) (best []Literal) {
	least := math.Inf(1)
	for _, set := range n {
		if usable(set) {
			if c := s.cost(set); c < least {
				best, least = set, c
			}
		}
	}
	return best
}

// cost estimates what a set costs for each line of the log, in nanoseconds: the
// look at lines that hold a literal, and its share of a tier of its own.
func (s *survey) cost(set []Literal) float64 {
	const candidate = 400
	hits, shortest := 0, math.MaxInt
	for _, l := range set {
		text := s.text
		if l.Fold {
			text = s.lower
		}
		hits += bytes.Count(text, []byte(l.Text))
		shortest = min(shortest, len(l.Text))
	}
	c := candidate*float64(hits)/s.lines + float64(len(set))/8
	switch {
	case shortest < 4:
		return c + 150
	case shortest < 5:
		return c + 60
	case shortest < 7:
		return c + 40
	}
	return c + 1/float64(shortest)
}
