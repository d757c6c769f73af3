package scan

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
)

// A survey is what a sample tells of literals.
type survey struct {
	text, lower []byte
	lines       float64
	grams       map[form][]uint16 // how often each hash of a gram was seen
	hits        map[Literal]int
	costs       map[*Literal]float64 // of sets, by their first
	marks       []int32              // by hash: the count that it is in
	mark        int32
	short       bool // there is a tier for short literals
}

// A sight is the grams that are met where a look is so far from the start of a literal.
type sight struct {
	off    int
	hashes []uint16 // more than one where a byte may be anything
	seen   int      // how often the sample has them
}

// mostSample is how many bytes of a sample are looked at.
const mostSample = 32 << 10

func newSurvey(sample []byte) *survey {
	s := &survey{text: sample[:min(len(sample), mostSample)]}
	s.lower = lowered(s.text)
	s.lines = float64(max(1, bytes.Count(s.text, newline)))
	s.grams, s.hits, s.costs = map[form][]uint16{}, map[Literal]int{}, map[*Literal]float64{}
	s.marks = written[int32](1 << metBits)
	return s
}

// written returns n zeros that the memory holds. Those that make returns may be memory of
// which each page comes when it is first written, and were it read before, all threads
// would be stopped for it: with two that made gates it took four times as long.
func written[E any](n int) []E {
	all := make([]E, n)
	clear(all)
	return all
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

// counts tells how often each hash of a gram was seen.
func (s *survey) counts(f form) []uint16 {
	counts := s.grams[f]
	if counts == nil {
		counts = written[uint16](1 << metBits)
		text := s.text
		for ; len(text) >= 8; text = text[1:] {
			counts[f.hash(binary.LittleEndian.Uint64(text))]++
		}
		for ; len(text) > 0; text = text[1:] {
			counts[f.hash(load(text))]++
		}
		s.grams[f] = counts
	}
	return counts
}

// of returns the sights of a literal at which it says all of the gram, by their offsets.
func (s *survey) of(f form, text string) []sight {
	if len(text) < f.size {
		return nil
	}
	all := make([]sight, len(text)-f.size+1)
	hashes, counts := make([]uint16, len(all)), s.counts(f)
	for off := range all {
		h := f.hash(load([]byte(text[off:min(len(text), off+8)])))
		hashes[off] = h
		all[off] = sight{off, hashes[off : off+1], int(counts[h])}
	}
	return all
}

// open returns the sight at the edge of a literal, where one byte of the gram is not its.
func (s *survey) open(f form, text string, off int) sight {
	var eight [8]byte
	at := f.size - 1
	if off < 0 {
		at = 0
		copy(eight[1:f.size], text)
	} else {
		copy(eight[:at], text[off:])
	}
	g := sight{off: off, hashes: make([]uint16, 0, 256)}
	for b := range 256 {
		if eight[at] = byte(b); byte(b)|byte(f.folds) == byte(b) {
			g.hashes = append(g.hashes, f.hash(load(eight[:])))
		}
	}
	g.seen, _ = s.seen(f, g)
	return g
}

// seen returns how often one of the sights is in the sample, and how many hashes they have.
func (s *survey) seen(f form, all ...sight) (n, hashes int) {
	counts := s.counts(f)
	s.mark++
	for _, g := range all {
		for _, h := range g.hashes {
			if s.marks[h] != s.mark {
				s.marks[h] = s.mark
				n += int(counts[h])
				hashes++
			}
		}
	}
	return n, hashes
}

// picks returns those of the sights of a literal that are rarest in the sample, one for
// each distance that a look may have from its start, and adds sights at its edges where it
// has none.
func (s *survey) picks(c class, l Literal, seen []sight) []sight {
	all := make([]sight, c.stride)
	for i, g := range seen {
		if p := &all[i%c.stride]; p.hashes == nil || g.seen < p.seen {
			*p = g
		}
	}
	for _, off := range []int{-1, len(l.Text) - c.size + 1} {
		if p := &all[(off+c.stride)%c.stride]; p.hashes == nil {
			*p = s.open(c.form, l.Text, off)
		}
	}
	return all
}

// looks estimates how many of the looks for sights meet something.
func (s *survey) looks(f form, all []sight) float64 {
	n, hashes := s.seen(f, all...)
	if len(s.text) == 0 {
		return float64(hashes) / (1 << metBits)
	}
	return float64(n) / float64(len(s.text))
}

// What things cost, in nanoseconds.
const (
	costLook   = 0.5 // at a place
	costCloser = 18  // where a look has met something
	costLine   = 400 // that may match
	costTier   = 36  // that nothing else needs, for each line
)

// each estimates what looking for literals, the sights of which are given, costs for each
// byte.
func (s *survey) each(c class, lits []Literal, seen [][]sight) float64 {
	var all []sight
	for i, l := range lits {
		all = append(all, s.picks(c, l, seen[i])...)
	}
	return (costLook + costCloser*s.looks(c.form, all)) / float64(c.stride)
}

// cost estimates what a set costs for each line of the log, with a tier that
// nothing else needs.
func (s *survey) cost(set []Literal) float64 {
	cost, ok := s.costs[&set[0]]
	if !ok {
		cost = s.alone(set)
		s.costs[&set[0]] = cost
	}
	if anyShort(set) && !s.short {
		cost += costTier
	}
	return cost
}

// alone estimates what the looks at lines that hold a literal of a set cost, and those in
// vain. It takes a class for granted; which is taken in the end depends on the other sets.
func (s *survey) alone(set []Literal) (cost float64) {
	c := class{newForm(4, anyFold(set), 0), 4}
	if anyShort(set) {
		c = class{newForm(3, anyFold(set), 0), 3}
	}
	var all []sight
	for _, l := range set {
		picks := s.picks(c, l, s.of(c.form, l.Text))
		all = append(all, picks...)
		cost += costLine*float64(s.hit(l, picks))/s.lines + 1/float64(len(l.Text)*len(set))
	}
	return cost + costCloser*s.looks(c.form, all)/float64(c.stride)*float64(len(s.text))/s.lines
}

// hit returns how often the sample has a literal, which then has all of the sights.
func (s *survey) hit(l Literal, picks []sight) int {
	n, ok := s.hits[l]
	if ok {
		return n
	}
	if !slices.ContainsFunc(picks, func(g sight) bool { return g.seen == 0 }) {
		text := s.text
		if l.Fold {
			text = s.lower
		}
		n = bytes.Count(text, []byte(l.Text))
	}
	s.hits[l] = n
	return n
}

// anyFold reports whether one of the literals may be of either case.
func anyFold(set []Literal) bool {
	return slices.ContainsFunc(set, func(l Literal) bool { return l.Fold })
}

// anyShort reports whether one of the literals is short.
func anyShort(set []Literal) bool {
	return slices.ContainsFunc(set, func(l Literal) bool { return len(l.Text) < leastLong })
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
