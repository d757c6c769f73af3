package scan

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
)

// A Hit is a line that a pattern may match.
type Hit struct {
	Start, End int32 // of the line, without its newline
	Pattern    int32 // of the filter
}

// Hits are the lines of a text that a filter's patterns may match, in their order;
// those of one line in any order, and perhaps more than once. Patterns that are Open
// are in none.
type Hits struct {
	Lines int // ends of lines in the whole text
	List  []Hit
}

// A found literal, at a place within it.
type found struct{ at, lit int32 }

// A Search is the memory in which Gates are used. Its zero value is ready; it must not
// be used by two goroutines at once.
type Search struct {
	gate  *Gate
	found []found
	met   int // how often it was looked more closely
	lists [][]Hit
	told  []int32 // by literal: the line that was told of it last
	lines int

	spots []int32 // where one of four looks has met something
	looks []mark  // the groups that were met
	near  []mark  // the grams that are there by the eight bytes around them
}

// Find goes through whole lines. What Hits says is valid until the next time.
func (s *Search) Find(g *Gate, text []byte) {
	if cap(s.found) > muchFound { // a flood of literals is no reason to keep room for the next
		s.found = nil
	}
	s.gate, s.found, s.met = g, s.found[:0], 0
	if g.dense != nil {
		s.run(g.dense, text)
		s.met = len(s.found)
	}
	for _, t := range g.tiers {
		s.walk(t, text)
	}
	if len(g.tiers) > 1 {
		slices.SortFunc(s.found, func(a, b found) int { return cmp.Compare(a.at, b.at) })
	}
	s.lines = bytes.Count(text, newline)
	s.gather(text)
}

// Lines returns how many lines the last text had.
func (s *Search) Lines() int { return s.lines }

// Hits returns what was found for a filter.
func (s *Search) Hits(filter int) Hits { return Hits{s.lines, s.lists[filter]} }

// Vain returns how often the last text was looked at more closely for nothing. Where
// that is many times for each line, the gate does not suit the log: one made with
// another sample may, and a dense one does not care.
func (s *Search) Vain() int { return max(0, s.met-len(s.found)) }

// muchFound is of how many literals the room is kept.
const muchFound = 1 << 16

// gather makes lines of what was found.
func (s *Search) gather(text []byte) {
	s.lists = slices.Grow(s.lists[:0], s.gate.filters)[:s.gate.filters]
	for i := range s.lists {
		if cap(s.lists[i]) > muchFound {
			s.lists[i] = nil
		}
		s.lists[i] = s.lists[i][:0]
	}
	s.told = slices.Grow(s.told[:0], len(s.gate.lits))[:len(s.gate.lits)]
	for i := range s.told {
		s.told[i] = -1
	}
	start, end := 0, -1
	for _, f := range s.found {
		if at := int(f.at); at >= end {
			start = LineStart(text, max(end, 0), at)
			end = len(text)
			if n := bytes.IndexByte(text[at:], '\n'); n >= 0 {
				end = at + n
			}
		}
		if s.told[f.lit] == int32(start) {
			continue
		}
		s.told[f.lit] = int32(start)
		for _, u := range s.gate.uses[f.lit] {
			list := s.lists[u.filter]
			h := Hit{int32(start), int32(end), u.pattern}
			if n := len(list); n == 0 || list[n-1] != h {
				s.lists[u.filter] = append(list, h)
			}
		}
	}
}

// LineStart returns where the line of text[at] begins, which is not before from.
func LineStart(text []byte, from, at int) int {
	const high, lines = 0x8080808080808080, 0x0A0A0A0A0A0A0A0A
	i := at
	for ; i-8 >= from; i -= 8 {
		// The high bit of each byte that is a newline, and of no other.
		x := binary.LittleEndian.Uint64(text[i-8:]) ^ lines
		if zero := ^(x&^high + ^uint64(high) | x | ^uint64(high)); zero != 0 {
			return i - bits.LeadingZeros64(zero)/8
		}
	}
	for ; i > from; i-- {
		if text[i-1] == '\n' {
			return i
		}
	}
	return from
}
