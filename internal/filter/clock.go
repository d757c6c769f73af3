package filter

import (
	"bytes"
	"time"

	edgeban "github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/filter/clock"
)

// far is how many lines are looked at for a stamp.
const far = 100

// when returns the stamp of a line, and when it counts as having happened. ok is
// false if nothing says it.
func (s *Scanner) when(c *edgeban.Chunk, at place, stamp time.Time) (own, t time.Time, ok bool) {
	if at.n < len(c.Times) && !c.Times[at.n].IsZero() {
		stamp = c.Times[at.n]
	}
	var last time.Time
	if stamp.IsZero() && !s.filter.undated {
		if last, ok = s.stampBefore(c, at.start); !ok {
			last = s.last
		}
	}
	return clock.When(c, stamp, last)
}

// stampBefore returns the stamp of the last line before from that has one.
func (s *Scanner) stampBefore(c *edgeban.Chunk, from int) (time.Time, bool) {
	end := from
	for range far {
		if end == 0 {
			break
		}
		if c.Text[end-1] == '\n' {
			end--
		}
		start := bytes.LastIndexByte(c.Text[:end], '\n') + 1
		if t, ok := s.stampOf(c, place{start: start, end: end, n: -1}); ok {
			return t, true
		}
		end = start
	}
	return time.Time{}, false
}

// firstStamp returns the stamp of the first line of the chunk that has one.
func (s *Scanner) firstStamp(c *edgeban.Chunk) (time.Time, bool) {
	start := 0
	for n := range far {
		size := bytes.IndexByte(c.Text[start:], '\n')
		if size < 0 {
			break
		}
		if n < len(c.Times) && !c.Times[n].IsZero() {
			return c.Times[n], true
		}
		if t, ok := s.stampOf(c, place{start: start, end: start + size, n: n}); ok {
			return t, true
		}
		start += size + 1
	}
	return time.Time{}, false
}

// stampOf reads the stamp of any program's line.
func (s *Scanner) stampOf(c *edgeban.Chunk, at place) (time.Time, bool) {
	d, _ := s.undress(c, at)
	return d.stamp, !d.stamp.IsZero()
}
