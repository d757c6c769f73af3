package compat

import (
	"bytes"
	"iter"
	"slices"
	"time"

	edgeban "github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/filter"
	"github.com/edgeban/edgeban/internal/filter/scan"
)

// ScanHits is Scan where a gate made of the filter's Needs has found the lines that
// its failregexes may match. The others are not looked at, once enough of them were
// to know where their dates are.
func (s *Scanner) ScanHits(c edgeban.Chunk, h scan.Hits) iter.Seq[edgeban.Match] {
	known := timed(&c, h.Lines)
	if c.Times != nil && !known {
		return s.Scan(c) // every line may bring the last date
	}
	lines := s.hits(h.List)
	if known {
		lines = numbered(c.Text, lines)
	}
	if len(s.filter.always) > 0 {
		lines = s.every(&c, h.List)
	}
	return func(yield func(edgeban.Match) bool) {
		s.open(h.Lines)
		s.near = true
		for at := range lines {
			if s.one(&c, at, s.try) && !yield(s.match) {
				return
			}
		}
		s.rest(&c, known)
	}
}

// Pass is ScanHits where there are no hits in so many lines. It reports whether that is
// enough: where some failregexes have to see each line it is not.
func (s *Scanner) Pass(c *edgeban.Chunk, lines int) bool {
	known := timed(c, lines)
	if c.Times != nil && !known || len(s.filter.always) > 0 {
		return false
	}
	s.open(lines)
	s.rest(c, known)
	return true
}

// rest takes in what a chunk tells of times behind the last line that was read.
func (s *Scanner) rest(c *edgeban.Chunk, known bool) {
	if known {
		s.timeRest(c)
	} else {
		s.dateRest(c)
	}
	s.close(c)
}

// timed reports whether the transport knows the time of each of the lines, so that none
// is looked at for its date.
func timed(c *edgeban.Chunk, lines int) bool {
	return lines > 0 && len(c.Times) >= lines && c.Text[len(c.Text)-1] == '\n' && !slices.ContainsFunc(c.Times, time.Time.IsZero)
}

// numbered yields places, in their order, with the number of each line.
func numbered(text []byte, lines iter.Seq[place]) iter.Seq[place] {
	return func(yield func(place) bool) {
		n, from := 0, 0
		for at := range lines {
			n, from = n+bytes.Count(text[from:at.from], newline), at.from
			if at.n = n; !yield(at) {
				return
			}
		}
	}
}

// timeRest takes in the time of the last line of a chunk that is not too long to be read.
func (s *Scanner) timeRest(c *edgeban.Chunk) {
	end := len(c.Text) - 1
	for n := s.lines - 1; n >= 0; n-- {
		from := bytes.LastIndexByte(c.Text[:end], '\n') + 1
		if end-from <= filter.MaxLine {
			s.note(c.Times[n])
			return
		}
		end = from - 1
	}
}

// hits yields the lines of hits, having put what may match each into s.try.
func (s *Scanner) hits(list []scan.Hit) iter.Seq[place] {
	return func(yield func(place) bool) {
		for len(list) > 0 {
			at := place{0, int(list[0].Start), int(list[0].End)}
			s.try = s.try[:0]
			list = s.take(list, at.from)
			if !yield(at) {
				return
			}
		}
	}
}

// every yields all lines likewise, for some failregexes have to see each. What they
// cannot match by its first bytes is left out.
func (s *Scanner) every(c *edgeban.Chunk, list []scan.Hit) iter.Seq[place] {
	return func(yield func(place) bool) {
		for n, from := 0, 0; from < len(c.Text); n++ {
			next := len(c.Text)
			if len(list) > 0 {
				next = int(list[0].Start)
			}
			if c.Times == nil {
				from = s.pass(c, from, next)
			}
			if from == len(c.Text) {
				return
			}
			at := place{n, from, lineEnd(c.Text, from)}
			s.try = append(s.try[:0], s.filter.always...)
			list = s.take(list, from)
			if !yield(at) {
				return
			}
			from = at.end + 1
		}
	}
}

// pass passes over lines from a place on that have the stamp of the last line, and which
// nothing matches that has to see each. It returns where the next line is, at latest to.
func (s *Scanner) pass(c *edgeban.Chunk, from, to int) int {
	same, stamp := s.dates.Same(c.Read)
	if same == nil || s.dated != from {
		return from
	}
	n := 0
	for bytes.HasPrefix(c.Text[from:to], same) {
		size := bytes.IndexByte(c.Text[from:to], '\n')
		if size < 0 || size > filter.MaxLine || c.Text[from+size-1] == '\r' || s.filter.opens(c.Text[from+stamp.End:from+size+1]) {
			break
		}
		n++
		from += size + 1
	}
	if n > 0 {
		s.dates.Repeated(n)
		s.note(stamp.Time)
		s.shown += n
		s.dated = from
	}
	return from
}

// opens reports whether one of the failregexes that have to see every line may match a
// text, by its first bytes.
func (f *Filter) opens(text []byte) bool {
	if f.pref != nil {
		return f.pref.re.Head.At(text)
	}
	for _, i := range f.always {
		if f.fail[i].re.Head.At(text) {
			return true
		}
	}
	return false
}

// take takes the hits of the line at from, which are the next.
func (s *Scanner) take(list []scan.Hit, from int) []scan.Hit {
	for len(list) > 0 && int(list[0].Start) == from {
		if at, known := slices.BinarySearch(s.try, list[0].Pattern); !known {
			s.try = slices.Insert(s.try, at, list[0].Pattern)
		}
		list = list[1:]
	}
	return list
}
