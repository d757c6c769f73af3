package compat

import (
	"bytes"
	"time"

	edgeban "github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/filter"
	"github.com/edgeban/edgeban/internal/filter/datepattern"
	"github.com/edgeban/edgeban/internal/filter/scan"
)

// This file dates lines of which some are passed over.
//
// While the detector is not sure of what the log's dates look like, it is shown every
// line, whatever is of interest. Then only the lines that are read, and the last one
// of a chunk. What was passed over is taken to be dated in the same way. If a line has
// no date, the line before it is looked for that has one, as far as that was passed
// over: its date is the last that the log has told. Where dates may stand anywhere, the
// line before is shown, too. Only a log whose dates are of more than one form that can
// be read in two ways, or that is all but undated, may so be dated in another way than
// by looking at every line.

// note takes in the stamp of a line.
func (s *Scanner) note(t time.Time) {
	s.stamp = t
	if !t.IsZero() {
		s.last, s.newest = t, t
	}
}

// find looks for the date of a line, and takes it in. It is valid until the next one.
func (s *Scanner) find(c *edgeban.Chunk, line []byte) *datepattern.Stamp {
	s.shown++
	st := s.dates.Find(line, c.Read)
	if st != nil {
		s.note(st.Time)
	}
	return st
}

// date finds the date of s.line, the line of c.Text from from to end, and where it stands in
// that. The date is zero where a template takes lines without one, and this is such a line.
func (s *Scanner) date(c *edgeban.Chunk, from, end int) (t time.Time, lo, hi int, ok bool) {
	for s.dated < from && !s.dates.Sure() {
		next := lineEnd(c.Text, s.dated)
		s.learn(c, s.dated, next)
		s.dated = next + 1
	}
	if s.dated < from && !s.filter.leading {
		// Where a stamp is looked for depends on where that of the line before is.
		s.learn(c, scan.LineStart(c.Text, s.dated, from-1), from-1)
	}
	if st := s.find(c, s.line); st != nil {
		t, lo, hi, ok = st.Time, st.Start, st.End, true
	}
	if t.IsZero() && !s.dates.Undated() {
		s.lookBack(c, from)
	}
	s.dated = end + 1
	return t, lo, hi, ok
}

// learn dates a line that is not read, and reports whether it has a date.
func (s *Scanner) learn(c *edgeban.Chunk, from, end int) bool {
	raw := c.Text[from:end]
	if len(raw) > filter.MaxLine {
		return false
	}
	st := s.find(c, chomp(raw))
	return st != nil && !st.Time.IsZero()
}

// lookBack finds the last date before a place, among the lines that were passed over.
func (s *Scanner) lookBack(c *edgeban.Chunk, at int) {
	for end := at - 1; end >= s.dated; {
		from := s.dated + bytes.LastIndexByte(c.Text[s.dated:end], '\n') + 1
		if s.learn(c, from, end) {
			break
		}
		end = from - 1
	}
	s.stamp = time.Time{}
}

// dateRest finds the last date of a chunk whose lines were passed over.
func (s *Scanner) dateRest(c *edgeban.Chunk) {
	text := bytes.TrimSuffix(c.Text, newline)
	if s.dated < len(text) { // also where none was found so far: they may begin at any time
		from := bytes.LastIndexByte(text, '\n') + 1
		s.line = chomp(text[from:])
		if len(s.line) <= filter.MaxLine {
			s.date(c, from, len(text))
		} else {
			s.lookBack(c, from)
		}
	}
	s.dates.Missed(s.lines-s.shown, c.Read)
}
