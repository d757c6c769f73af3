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

// A survey is what a sample tells of literals.
type survey struct {
	text, lower []byte
	lines       float64
	grams       map[class][]int32 // how often each hash of a gram was seen
	rates       map[Literal]rate
	short       bool // there is a tier for short literals
}

// mostSample is how many bytes of a sample are looked at.
const mostSample = 64 << 10

func newSurvey(sample []byte) *survey {
	sample = sample[:min(len(sample), mostSample)]
	if len(sample) == 0 {
		return &survey{lines: 1, rates: map[Literal]rate{}}
	}
	s := &survey{text: sample, lower: lowered(sample), grams: map[class][]int32{}, rates: map[Literal]rate{}}
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

// anyShort reports whether one of the literals is short.
func anyShort(set []Literal) bool {
	return slices.ContainsFunc(set, func(l Literal) bool { return l.class() == short })
}

// cost estimates what a set costs for each line of the log, in nanoseconds: the looks at
// lines that hold a literal, and those in vain, and a tier that nothing else needs.
func (s *survey) cost(set []Literal) (cost float64) {
	const candidate, closer, tier = 400, 20, 36
	if anyShort(set) && !s.short {
		cost = tier
	}
	for _, l := range set {
		r := s.rate(l)
		cost += (candidate*float64(r.hits)+closer*float64(r.looks))/s.lines + 1/float64(len(l.Text)*len(set))
	}
	return cost
}

// A rate is how often the sample has a literal, and how often it is met for it.
type rate struct{ hits, looks int64 }

func (s *survey) rate(l Literal) rate {
	r, ok := s.rates[l]
	if ok {
		return r
	}
	may := true
	for _, p := range l.class().picks(l.Text, s) {
		r.looks += p.seen
		may = may && p.seen > int64(len(p.keys))
	}
	r.looks /= int64(l.class().stride)
	if may {
		text := s.text
		if l.Fold {
			text = s.lower
		}
		r.hits = int64(bytes.Count(text, []byte(l.Text)))
	}
	s.rates[l] = r
	return r
}
