package compat

import (
	"bytes"
	"cmp"
	"iter"
	"net/netip"
	"time"

	edgeban "github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/filter"
	"github.com/edgeban/edgeban/internal/filter/clock"
	"github.com/edgeban/edgeban/internal/filter/compat/charset"
	"github.com/edgeban/edgeban/internal/filter/compat/session"
	"github.com/edgeban/edgeban/internal/filter/datepattern"
	"github.com/edgeban/edgeban/internal/filter/pyre"
)

var newline = []byte("\n")

// A Scanner reads one log for one jail. It remembers the log's sessions, its last
// lines, its last date and where dates stand, and is not safe for concurrent use.
type Scanner struct {
	filter *Filter
	o      filter.Options
	dates  *datepattern.Detector
	code   charset.Decoder

	// Of the current line.
	line    []byte    // in UTF-8, without its end
	stamp   time.Time // that it has, or that the transport knows; zero for none
	free    bool      // of dates by {NONE}: it counts as just written
	text    []byte    // it without its date
	glued   []byte    // the same, where a date stood in the middle
	content []byte    // what of it the prefregex has let through
	near    bool      // it has what the failregexes to be tried need
	try     []int32   // these, in their order
	whole   probe     // what the prefregex sees
	seen    probe     // what the failregexes see
	groups  fields
	memo    memo
	match   edgeban.Match // that it makes

	pre, hit, drop pyre.Matcher
	last           time.Time // stamp of the last line that had one
	newest         time.Time // the same, of this chunk
	dated          int       // before this place of the chunk all dates are known
	lines, shown   int       // of this chunk: all, and those whose date was looked for
	evidence       filter.Evidence
	sessions       session.Store
	window         window
	stats          filter.Stats
	skew           clock.Gauge
}

// Scanner returns a Scanner for the lines of one log.
func (f *Filter) Scanner(o filter.Options) *Scanner {
	return &Scanner{filter: f, o: o, dates: f.dates.Detector(cmp.Or(o.Zone, time.Local)), code: charset.New(f.code)}
}

// Stats returns what was seen so far.
func (s *Scanner) Stats() filter.Stats {
	st := s.stats
	st.Skew = s.skew.Skew()
	return st
}

// Scan yields the matches of a chunk in the order of its lines. The sequence is
// for one use, up to its end.
func (s *Scanner) Scan(c edgeban.Chunk) iter.Seq[edgeban.Match] {
	return func(yield func(edgeban.Match) bool) {
		s.open(bytes.Count(c.Text, newline))
		s.near = false
		for n, from := 0, 0; from < len(c.Text); n++ {
			end := lineEnd(c.Text, from)
			if s.one(&c, place{n, from, end}, s.filter.all) && !yield(s.match) {
				return
			}
			from = end + 1
		}
		s.close(&c)
	}
}

// A place is where a line lies in its chunk. Its number is known where the transport
// tells times.
type place struct{ n, from, end int }

func lineEnd(text []byte, from int) int {
	if size := bytes.IndexByte(text[from:], '\n'); size >= 0 {
		return from + size
	}
	return len(text)
}

// open begins a chunk.
func (s *Scanner) open(lines int) {
	s.stats.Lines += int64(lines)
	s.newest, s.dated, s.shown, s.lines = time.Time{}, 0, 0, lines
}

// close ends a chunk.
func (s *Scanner) close(c *edgeban.Chunk) {
	if c.Live && c.Times == nil && !s.newest.IsZero() {
		s.skew.Note(s.newest.Sub(c.Read))
	}
}

// long is how many bytes a text has in which it pays to ask for all that a pattern
// needs, even if it has a part: a search may take long in vain.
const long = 512

// one reads a line, for the failregexes that may match, and reports whether it makes
// s.match.
func (s *Scanner) one(c *edgeban.Chunk, at place, try []int32) bool {
	if !s.begin(c, at) {
		return false
	}
	var r *rule
	ends := s.only(try)
	known := !ends && s.recall()
	if !known {
		if !s.narrowed() || ends && s.over(c) {
			return false
		}
		if r = s.examine(try); r == nil {
			return false
		}
	}
	t, dated := s.when(c)
	if !dated {
		s.stats.Undated++
		return false
	}
	lines := 1
	if !known {
		s.gather(r)
		var ignored bool
		if lines, ignored = s.settle(r); ignored {
			return false
		}
		s.remember(r)
	}
	if !s.failure(t, lines) {
		return false
	}
	s.evidence.Write(&s.match, c.Stream, c.Base+int64(at.from), s.groups[slotUser], s.line)
	return s.count(c)
}

// examine returns the failregex that matches the line, the first of those to be tried,
// or nil.
func (s *Scanner) examine(try []int32) *rule {
	for _, i := range try {
		r := &s.filter.fail[i]
		if (s.near && len(s.seen.text) <= long || s.seen.may(r.needs)) && s.search(&s.hit, r, &s.seen) {
			return r
		}
	}
	return nil
}

// narrowed is narrow for a line that no ignoreregex matches, if they are tried first.
func (s *Scanner) narrowed() bool {
	return !(s.filter.early && s.ignored(&s.whole)) && s.narrow()
}

// recall makes s.groups what was taken of the same text before, if that is known.
func (s *Scanner) recall() bool {
	if s.filter.lines > 1 {
		return false
	}
	groups := s.memo.find(s.text)
	s.groups = append(s.groups[:0], groups...)
	return groups != nil
}

// remember keeps what the failregex took of a text that fails.
func (s *Scanner) remember(r *rule) {
	if s.filter.lines > 1 || len(s.text) > long || s.groups[slotNoFail] != nil || s.groups[slotGained] != nil {
		return
	}
	if len(s.content) > 0 && &s.seen.text[0] == &s.content[0] { // no part of the text
		return
	}
	if s.memo.rests() {
		return
	}
	e := s.memo.keep(s.text)
	e.groups = s.read(r, e.text, e.text[len(e.text)-len(s.seen.text):], e.groups)
}

// begin takes in a line, and reports whether it is short enough to be read.
func (s *Scanner) begin(c *edgeban.Chunk, at place) bool {
	raw := c.Text[at.from:at.end]
	if len(raw) > filter.MaxLine {
		s.stats.Long++
		return false
	}
	s.line = chomp(s.code.Line(raw))
	s.stamp, s.free = time.Time{}, false
	start, end := 0, 0
	if at.n < len(c.Times) && !c.Times[at.n].IsZero() {
		s.dated = at.end + 1
		s.note(c.Times[at.n])
	} else if t, lo, hi, ok := s.date(c, at.from, at.end); ok {
		s.stamp, s.free = t, t.IsZero()
		start, end = lo, hi
	}
	s.cut(c, at, start, end)
	if s.filter.lines > 1 {
		s.window.add(s.text, s.filter.lines)
		s.whole.set(s.window.text())
	} else {
		s.whole.set(s.text)
	}
	return true
}

// chomp returns a line without its end.
func chomp(line []byte) []byte {
	for n := len(line) - 1; n >= 0 && (line[n] == '\n' || line[n] == '\r'); n-- {
		line = line[:n]
	}
	return line
}

// cut makes s.text of the line: without its date, and with a newline unless it goes
// into a window.
func (s *Scanner) cut(c *edgeban.Chunk, at place, start, end int) {
	if start == 0 && s.code.Plain() && len(s.line) == at.end-at.from && at.end < len(c.Text) && s.filter.lines == 1 {
		s.text = c.Text[at.from+end : at.end+1 : at.end+1] // as it stands there
		return
	}
	s.glued = append(append(s.glued[:0], s.line[:start]...), s.line[end:]...)
	if s.filter.lines == 1 {
		s.glued = append(s.glued, '\n')
	}
	s.text = s.glued
}

// narrow finds out what the failregexes see, and reports whether they see
// anything.
func (s *Scanner) narrow() bool {
	r := s.filter.pref
	if r == nil {
		s.seen.set(s.whole.text)
		return true
	}
	if !s.whole.may(r.needs) || !s.search(&s.pre, r, &s.whole) {
		return false
	}
	text, ended := s.let(r)
	if len(text) == 0 {
		s.seen.set(s.whole.text)
		return true
	}
	if !ended {
		s.content = append(append(s.content[:0], text...), '\n')
		s.seen.set(s.content)
	}
	if s.filter.lines > 1 {
		s.window.set(text)
	}
	return true
}

// let returns what the prefregex has let through. If a newline follows it, that is
// taken in, and it is what the failregexes see.
func (s *Scanner) let(r *rule) (text []byte, ended bool) {
	text = group(&s.pre, s.whole.text, r.content)
	if len(text) == 0 {
		return nil, false
	}
	_, end := s.pre.Span(r.content)
	if ended = s.filter.lines == 1 && end == len(s.whole.text)-1; ended {
		s.seen.set(s.whole.text[end-len(text):])
	}
	return text, ended
}

// search reports whether the pattern matches.
func (s *Scanner) search(m *pyre.Matcher, r *rule, p *probe) bool {
	ok := m.Search(r.re, p.text)
	if m.Spent() {
		s.stats.Spent++
		return false
	}
	return ok
}

// ignored reports whether an ignoreregex matches.
func (s *Scanner) ignored(p *probe) bool {
	for i := range s.filter.ignore {
		if r := &s.filter.ignore[i]; p.may(r.needs) && s.search(&s.drop, r, p) {
			return true
		}
	}
	return false
}

// gather makes s.groups those of the prefregex and of the failregex that matched.
func (s *Scanner) gather(r *rule) { s.groups = s.read(r, s.whole.text, s.seen.text, s.groups) }

// read returns f with these groups, as parts of the texts that matched or of copies.
func (s *Scanner) read(r *rule, whole, seen []byte, f fields) fields {
	f.reset(len(s.filter.names))
	if s.filter.pref != nil {
		s.filter.pref.read(&s.pre, whole, f)
	}
	r.read(&s.hit, seen, f)
	return f
}

// settle takes the lines of the match out of the window. It returns their number,
// and whether an ignoreregex matches them.
func (s *Scanner) settle(r *rule) (lines int, ignored bool) {
	if s.filter.lines == 1 {
		return 1, s.ignored(&s.seen)
	}
	matched, lines := s.window.take(r, &s.hit, s.seen.text)
	return lines, s.ignored(&probe{text: matched})
}

// when returns when the line counts as having happened, which is also when its
// session goes on: one program's odd clock must not end it.
func (s *Scanner) when(c *edgeban.Chunk) (t time.Time, ok bool) {
	if s.free {
		now := *c
		now.Live = true
		_, t, ok = clock.When(&now, time.Time{}, s.last)
		return t, ok
	}
	_, t, ok = clock.When(c, s.stamp, s.last)
	return t, ok
}

// failure makes s.match of the line in s.groups and of its session. The address
// is missing where only a name is known, which is then in s.groups.
func (s *Scanner) failure(t time.Time, lines int) bool {
	var v *session.Session
	if s.groups[slotSession] != nil {
		var nofail bool
		if v, nofail = s.merge(t, lines); nofail {
			return false
		}
		v.Fill(s.groups)
	}
	addr, who := s.groups.who()
	switch {
	case who == nobody && v != nil:
		v.Pending = true
		return false
	case who == nobody || who == invalid:
		s.stats.Invalid++
		return false
	}
	s.match = edgeban.Match{Jail: s.o.Jail, Kind: edgeban.Failure, Addr: addr, Count: 1, Time: t}
	return true
}

// count counts a failure, and hands one that names a host to who looks it up.
func (s *Scanner) count(c *edgeban.Chunk) bool {
	if !s.match.Addr.IsValid() {
		switch {
		case s.filter.dns != config.Yes || s.o.Named == nil:
			s.stats.Names++
		case !c.Seen:
			s.o.Named(string(s.groups[slotDNS]), s.match)
		}
		return false
	}
	if !s.stamp.IsZero() {
		s.stats.Dated++
	}
	s.stats.Failures++
	return true
}

// maxName is how long a host's name can be.
const maxName = 253

// identity says how well it is known who failed.
type identity uint8

const (
	nobody  identity = iota // nothing was told
	invalid                 // it is no address and no name
	named
	found
)

// who returns the address of who failed.
func (f fields) who() (netip.Addr, identity) {
	if f[slotID] != nil {
		if a, ok := f.id(); ok {
			return a, found
		}
	}
	text := f[slotIP4]
	if text == nil {
		text = f[slotIP6]
	}
	if text == nil {
		text = f[slotDNS]
	}
	a, ok := filter.Address(text)
	switch {
	case ok:
		return a, found
	case text == nil && f[slotID] == nil:
		return a, nobody
	case text == nil || f[slotIP4] != nil || f[slotIP6] != nil || len(text) > maxName:
		return a, invalid
	}
	return netip.Addr{}, named
}

// id returns the address that the ID is, if it is one.
func (f fields) id() (netip.Addr, bool) {
	id := f[slotID]
	if ip, mask, ok := bytes.Cut(id, []byte("/")); ok && len(bytes.Trim(mask, "0123456789")) == 0 {
		id = ip
	}
	if inner, ok := bytes.CutPrefix(id, []byte("[")); ok {
		id = bytes.TrimSuffix(inner, []byte("]"))
	}
	return filter.Address(id)
}
