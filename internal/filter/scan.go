package filter

import (
	"bytes"
	"iter"
	"strconv"
	"time"

	edgeban "github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/filter/clock"
	"github.com/edgeban/edgeban/internal/filter/date"
	"github.com/edgeban/edgeban/internal/filter/pattern"
	"github.com/edgeban/edgeban/internal/filter/pyre"
	"github.com/edgeban/edgeban/internal/filter/scan"
)

// A Scanner reads one stream for one jail. It remembers the stream's last stamp
// and its sessions, and is not safe for concurrent use.
type Scanner struct {
	filter *Filter
	jail   string
	zone   *time.Location

	gate     gate
	matcher  pyre.Matcher
	groups   pattern.Groups
	buf      []byte // of the text that a container's line was unwrapped to
	last     time.Time
	open     [2]bool // by Docker's stream: the last record was only part of a line
	sessions *sessions
	resumed  time.Time // the first stamp after a place in the middle of the stream
	began    bool      // some chunk was read
	stats    Stats
	skew     clock.Gauge
	evidence Evidence
}

// Stats is what a Scanner has seen.
type Stats struct {
	Lines     int64 // all
	Dated     int64 // matches whose line had a stamp
	Undated   int64 // matches that were dropped because nothing says when they happened
	Failures  int64
	Successes int64
	Long      int64 // lines that were left out, being longer than 64 KiB
	Invalid   int64 // matches that were dropped because the address is none
	Names     int64 // failures that name a host where an address is needed, and are not counted
	Spent     int64 // searches that gave up on a hostile line: whether it matches is not known
	Skew      clock.Skew
}

// Stats returns what was seen so far.
func (s *Scanner) Stats() Stats {
	st := s.stats
	st.Skew = s.skew.Skew()
	return st
}

// Scan yields the matches of a chunk in the order of its lines. The sequence is
// for one use, up to its end.
func (s *Scanner) Scan(c edgeban.Chunk) iter.Seq[edgeban.Match] {
	return func(yield func(edgeban.Match) bool) {
		s.begin(&c, bytes.Count(c.Text, newline))
		s.gate.reset(c.Text, s.filter.lits, s.filter.always)
		n, from := 0, 0
		for {
			start, end, mask, ok := s.gate.line(from)
			if !ok {
				break
			}
			n += bytes.Count(c.Text[from:start], newline)
			m, ok := s.line(&c, place{start, end, n}, mask)
			if ok && !yield(m) {
				return
			}
			n, from = n+1, min(end+1, len(c.Text))
		}
		s.end(&c)
	}
}

// ScanHits is Scan where a gate made of the filter's Needs has found the lines that
// its rules may match.
func (s *Scanner) ScanHits(c edgeban.Chunk, h scan.Hits) iter.Seq[edgeban.Match] {
	return func(yield func(edgeban.Match) bool) {
		s.begin(&c, h.Lines)
		n, from := 0, 0
		for list := h.List; len(list) > 0; {
			at := place{int(list[0].Start), int(list[0].End), 0}
			mask := uint64(0)
			for len(list) > 0 && int(list[0].Start) == at.start {
				mask |= s.filter.rules[list[0].Pattern].mask
				list = list[1:]
			}
			if c.Times != nil {
				n, from = n+bytes.Count(c.Text[from:at.start], newline), at.start
				at.n = n
			}
			if m, ok := s.line(&c, at, mask); ok && !yield(m) {
				return
			}
		}
		s.end(&c)
	}
}

// Pass is ScanHits where there are no hits in so many lines. It always is enough.
func (s *Scanner) Pass(c *edgeban.Chunk, lines int) bool {
	s.begin(c, lines)
	s.end(c)
	return true
}

var newline = []byte("\n")

// A place is where a line lies in its chunk.
type place struct{ start, end, n int }

func (s *Scanner) begin(c *edgeban.Chunk, lines int) {
	s.stats.Lines += int64(lines)
	if !s.began && c.Base > 0 {
		s.resumed, _ = s.firstStamp(c)
	}
	s.began = true
}

// end remembers what the next chunk needs.
func (s *Scanner) end(c *edgeban.Chunk) {
	if t, ok := s.stampBefore(c, len(c.Text)); ok {
		s.last = t
		if c.Live && c.Times == nil {
			s.skew.Note(t.Sub(c.Read))
		}
	}
	if bytes.HasPrefix(c.Text, []byte(dockerOpen)) {
		s.open = [2]bool{continues(c.Text, len(c.Text), false, s.open), continues(c.Text, len(c.Text), true, s.open)}
	}
}

// A dressed line is one whose message is free.
type dressed struct {
	header
	text []byte // the line without a container's JSON
	msg  []byte
}

// undress returns the message of a line, and whether it is the filter's to read.
func (s *Scanner) undress(c *edgeban.Chunk, at place) (d dressed, ok bool) {
	d.text = bytes.TrimLeft(bytes.TrimSuffix(c.Text[at.start:at.end], []byte("\r")), "\x00")
	var outer date.Stamp
	if bytes.HasPrefix(d.text, []byte(dockerOpen)) {
		var r record
		if r, s.buf, ok = undocker(d.text, s.buf); ok {
			if r.partly || continues(c.Text, at.start, r.stderr, s.open) {
				return d, false
			}
			outer, _ = date.ISO.At(r.time, c.Read, s.zone)
			d.text = bytes.TrimSuffix(r.text, []byte("\r"))
		}
	}
	d.msg, d.header, ok = s.filter.origin.undress(d.text, c.Read, s.zone)
	if ok && (d.stamp.IsZero() || bytes.HasPrefix(d.msg, []byte("{"))) {
		if st, found := s.filter.forms.Find(d.msg, c.Read, s.zone); found {
			d.note(st.Time, st.Zoned)
		}
	}
	if outer.Zoned && !d.zoned {
		d.note(outer.Time, true)
	}
	if s.filter.undated {
		d.stamp = time.Time{}
	}
	return d, ok
}

// line reads one line that may match.
func (s *Scanner) line(c *edgeban.Chunk, at place, mask uint64) (m edgeban.Match, ok bool) {
	raw := c.Text[at.start:at.end]
	if !s.filter.may(raw, mask) {
		return m, false
	}
	if len(raw) > MaxLine {
		s.stats.Long++
		return m, false
	}
	d, ok := s.undress(c, at)
	if !ok {
		return m, false
	}
	r := s.rule(&d, raw, mask)
	if r == nil || r.kind == 0 && s.groups[pattern.Session] == nil {
		return m, false
	}
	addr, ok := Address(s.groups[pattern.Host])
	if !ok && (r.kind != 0 || r.pattern.Has(pattern.Host)) {
		s.stats.Invalid++
		return m, false
	}
	stamp, t, ok := s.when(c, at, d.stamp)
	if !ok {
		s.stats.Undated++
		return m, false
	}
	m = edgeban.Match{Jail: s.jail, Kind: r.kind, Addr: addr, Time: t, Count: 1}
	if r.kind != edgeban.Success {
		if m.Count = s.count(r, m, stamp, d.pid); m.Count == 0 {
			return m, false
		}
		s.stats.Failures += int64(m.Count)
	} else {
		s.stats.Successes++
	}
	if stamp.Equal(d.stamp) || at.n < len(c.Times) {
		s.stats.Dated++
	}
	s.evidence.Write(&m, c.Stream, c.Base+int64(at.start), s.groups[pattern.User], d.text)
	return m, true
}

// rule returns the first rule that matches, its parts in s.groups.
func (s *Scanner) rule(d *dressed, raw []byte, mask uint64) *rule {
	for i := range s.filter.rules {
		r := &s.filter.rules[i]
		if !r.may(raw, mask) || !r.by(d.program) {
			continue
		}
		if r.pattern.Match(&s.matcher, d.msg, &s.groups) {
			return r
		}
		if s.matcher.Spent() {
			s.stats.Spent++
		}
	}
	return nil
}

// number reads what <F-COUNT> or <F-AGE> took; missing if there is none, most if
// it is larger.
func number(text []byte, missing, most int) int {
	if text == nil {
		return missing
	}
	n, err := strconv.Atoi(string(text))
	if err != nil || n > most {
		return most
	}
	return n
}
