package datepattern

import (
	"cmp"
	"math"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/edgeban/edgeban/internal/filter/pyre"
)

// A Stamp is the time that a line carries, and where its text lies in the line.
type Stamp struct {
	Time       time.Time // zero where the template takes lines without a date, and this is one
	Start, End int       // what is cut out: the first group of the template
	Zoned      bool      // the text names its zone, or needs none
}

// A Detector finds the stamps of one log. It remembers which templates have
// matched, and where, so it must be shown the lines of one log only, in their
// order, and must not be used by two goroutines at once.
type Detector struct {
	list  []entry
	zone  *time.Location
	fresh int // every entry before it was used
	last  int // the entry that was used last; -1 at first
	alike int // lines that it was used for since another was
	none  int // lines in a row that had no stamp
	mark  mark
	memo  memo
	m     pyre.Matcher
}

// An entry is a template, and how it did in this log.
type entry struct {
	*template
	hits  int       // how often it was chosen
	used  time.Time // when it was chosen last; zero for never
	start int       // where in the line it was found when it was chosen last
	found bool      // it has matched, chosen or not
}

// A mark is where the last stamp was, and what stood around its ends: bytes, -1
// for none.
type mark struct {
	start, end                  int
	before, first, final, after int
}

// A hit is a match of an entry: it was searched for in line[lo:hi] and found at
// line[start:end].
type hit struct{ i, lo, hi, start, end int }

// idle is for how long a template must not have been used to make way for one of
// less weight.
const idle = 300 * time.Second

// Detector returns a detector for one log. Stamps that name no zone are of zone,
// nil for the local one.
func (t *Templates) Detector(zone *time.Location) *Detector {
	d := &Detector{zone: cmp.Or(zone, time.Local), last: -1, mark: mark{start: 1}}
	for _, one := range t.list {
		d.list = append(d.list, entry{template: one, start: math.MaxInt})
	}
	return d
}

// Find returns the stamp of line; ref is now, for what the text leaves out. It is valid
// until the next Find, and nil for a line without a stamp, and for one whose stamp no
// calendar has.
func (d *Detector) Find(line []byte, ref time.Time) *Stamp {
	s := &d.memo.stamp
	if d.memo.again(line, ref) { // all else is as it was
		d.list[d.last].hits++
		d.alike++
		return s
	}
	if d.remembered(line, ref) {
		return s
	}
	d.memo.same = d.memo.same[:0]
	h, ok := d.choose(line, ref.Year())
	if !ok {
		d.none++
		return nil
	}
	none := d.none
	d.none = 0
	*s = Stamp{}
	if from, to := d.m.Span(1); from >= 0 {
		s.Start, s.End = h.lo+from, h.lo+to
	}
	t := d.list[h.i].template
	d.settle(h, line, ref)
	if s.Start == s.End {
		d.none, d.alike = none+1, 0
		return s
	}
	var w wall
	if !w.read(t, &d.m, line[h.lo:h.hi]) {
		return nil
	}
	said := w
	if s.Time, ok = w.time(ref, d.zone); !ok {
		return nil
	}
	s.Zoned = w.zoned
	if d.memo.minute = minuteOf(t.shape, line, *s, said, ref, d.zone); d.memo.minute != nil {
		t.recent.Store(d.memo.minute)
	}
	return s
}

// Same returns what lines begin with of which is known that they have the stamp of the
// last line, at their start; nil if that is not known. It is valid until the next Find.
func (d *Detector) Same(ref time.Time) ([]byte, Stamp) {
	if len(d.memo.same) == 0 || d.memo.ref != ref {
		return nil, Stamp{}
	}
	return d.memo.same, d.memo.stamp
}

// Repeated takes in n lines that begin with what Same tells.
func (d *Detector) Repeated(n int) {
	d.list[d.last].hits += n
	d.alike += n
}

// remembered finds the stamp of a line that is of the last line's minute, or of the
// one that another detector has found with the same template.
func (d *Detector) remembered(line []byte, ref time.Time) bool {
	if d.last < 0 || d.list[d.last].shape == anyShape {
		return false
	}
	e, s := &d.list[d.last], &d.memo.stamp
	var same []byte
	if d.memo.minute != nil {
		same = d.memo.find(s, e.shape, line, ref)
	}
	if same == nil {
		recent := e.recent.Load()
		if recent == nil || recent.zone != d.zone {
			return false
		}
		if same = recent.find(s, e.shape, line, ref); same == nil {
			return false
		}
		d.memo.minute = recent
	}
	d.memo.same = append(d.memo.same[:0], same...)
	e.hits++
	e.used = ref
	d.alike++
	d.none = 0
	d.mark.first = at(line, 0)
	d.mark.end, d.mark.final, d.mark.after = s.End, at(line, s.End-1), at(line, s.End)
	return true
}

// Sure reports whether so many lines were alike that the next ones are taken to be:
// then lines of no interest need not be shown, but counted by Missed.
func (d *Detector) Sure() bool { return d.alike >= sure || d.Undated() }

// Undated reports whether so many lines in a row had no stamp, in a log that had
// hardly any before, that the next ones are taken to have none.
func (d *Detector) Undated() bool { return d.none >= sure && d.alike < sure }

// sure is how many lines it takes.
const sure = 100

// Missed takes in that n lines, the last of them read at ref, were not shown.
func (d *Detector) Missed(n int, ref time.Time) {
	if d.last >= 0 && n > 0 {
		d.list[d.last].hits += n
		d.list[d.last].used = ref
	}
}

// A stamp that is one of many templates' is looked for in the first bytes of a line
// only: a hostile line, long and without a stamp, would be searched for each.
const (
	few = 4    // templates
	far = 4096 // bytes
)

// choose returns the match of the best template. It is the last search of d.m.
func (d *Detector) choose(line []byte, year int) (hit, bool) {
	best, skip := hit{i: -1, start: math.MaxInt}, -1
	if d.last >= 0 {
		h, whole, ok := d.again(line, year)
		if ok && (len(d.list) == 1 || d.list[h.i].fixed() || h.start == d.mark.start && h.end == d.mark.end) {
			return h, true
		}
		if ok {
			best = h
		}
		if whole {
			skip = d.last
		}
	}
	hi := len(line)
	if len(d.list) > few {
		hi = min(hi, far)
	}
	for i := range d.list {
		if i == skip {
			continue
		}
		h, ok := d.match(i, line, 0, hi, year)
		if !ok {
			continue
		}
		if d.wins(h) {
			return h, true
		}
		if h.start < best.start {
			best = h
		}
	}
	if best.i < 0 {
		return hit{}, false
	}
	return d.match(best.i, line, best.lo, best.hi, year)
}

// again tries the last template where it was, if the line looks the same there,
// else in the whole line.
func (d *Detector) again(line []byte, year int) (h hit, whole, ok bool) {
	t, m := d.list[d.last].template, d.mark
	sameBegin := at(line, m.start-1) == m.before || at(line, m.start) == m.first && !alnum(m.first)
	sameEnd := at(line, m.end) == m.after || at(line, m.end-1) == m.final && !alnum(m.final)
	if t.fixed() || !sameBegin || !sameEnd || m.start > len(line) {
		h, ok = d.match(d.last, line, 0, len(line), year)
		return h, true, ok
	}
	lo, hi := m.start, min(m.end, len(line))
	if !t.loose {
		lo = 0
	}
	h, ok = d.match(d.last, line, lo, hi, year)
	if ok && t.word && lo > 0 && h.start == lo && inWord(line, lo) {
		return h, false, false
	}
	return h, false, ok
}

// wins reports whether a match needs no comparison with those of the templates
// after it: a stamp at its usual place, and not one in the body of a message.
func (d *Detector) wins(h hit) bool {
	e := &d.list[h.i]
	switch {
	case h.i == len(d.list)-1, e.fixed():
		return true
	case h.start == 0 && e.hits > 0 && !d.list[h.i+1].found:
		return true
	}
	return h.start <= e.start && h.start <= d.mark.start
}

// match searches line[lo:hi] for a template. A match with a year out of reach or
// a word in the place of a zone that is none does not count.
func (d *Detector) match(i int, line []byte, lo, hi, year int) (hit, bool) {
	e := &d.list[i]
	if !d.m.Search(e.re, line[lo:hi]) {
		return hit{}, false
	}
	if e.reach {
		if from, ok := d.within(e.template, line[lo:hi], year); !ok {
			// The year may be one that the template can do without.
			hi = lo + from
			if !d.m.Search(e.re, line[lo:hi]) {
				return hit{}, false
			}
			if _, ok := d.within(e.template, line[lo:hi], year); !ok {
				return hit{}, false
			}
		}
	}
	for _, f := range e.fields {
		if f.kind != 'z' && f.kind != 'Z' {
			continue
		}
		if from, to := d.m.Span(f.group); from >= 0 {
			if _, ok := offset(line[lo+from : lo+to]); !ok {
				return hit{}, false
			}
		}
	}
	e.found = true
	from, to := d.m.Span(0)
	if e.inner {
		from, _ = d.m.Span(1)
	}
	return hit{i, lo, hi, lo + from, lo + to}, true
}

// within reports whether the year that the last search found, if any, may be one
// of a stamp: from 2000 to the end of the decade that begins in three years at
// most. It returns where the year is.
func (d *Detector) within(t *template, text []byte, year int) (int, bool) {
	for _, f := range t.fields {
		if f.kind != 'Y' {
			continue
		}
		if from, to := d.m.Span(f.group); from >= 0 {
			n, ok := number(text[from:to])
			return from, ok && 2000 <= n && n/10 <= (year+3)/10
		}
	}
	return 0, true
}

// settle remembers that an entry was chosen, and moves it ahead if it earned it.
func (d *Detector) settle(h hit, line []byte, ref time.Time) {
	e := &d.list[h.i]
	e.hits++
	e.used, e.start = ref, h.start
	if d.fresh == h.i {
		d.fresh++
	}
	d.mark = mark{
		start: h.start, before: at(line, h.start-1), first: at(line, h.start),
		end: h.end, final: at(line, h.end-1), after: at(line, h.end),
	}
	d.alike++
	if h.i != d.last {
		d.alike, d.memo.minute = 0, nil
		if h.i > 0 {
			h.i = d.promote(h.i)
		}
	}
	d.last = h.i
}

// promote moves an entry ahead: to the first place that was never used or half
// way, else by one, if it outweighs the one there. It returns its place.
func (d *Detector) promote(i int) int {
	to := i / 2
	if d.fresh < i {
		to = d.fresh
	}
	if !d.outweighs(i, to) {
		if to = i - 1; !d.outweighs(i, to) {
			return i
		}
	}
	e := d.list[i]
	copy(d.list[to+1:i+1], d.list[to:i])
	d.list[to] = e
	for d.fresh < len(d.list) && d.list[d.fresh].hits > 0 {
		d.fresh++
	}
	return to
}

func (d *Detector) outweighs(i, j int) bool {
	a, b := &d.list[i], &d.list[j]
	return a.earned() > b.earned() || b.used.Before(a.used.Add(-idle))
}

func (e *entry) earned() float64 {
	return float64(e.hits) * e.weight / float64(max(1, e.start))
}

// at returns the byte of line at i, -1 if there is none.
func at(line []byte, i int) int {
	if i < 0 || i >= len(line) {
		return -1
	}
	return int(line[i])
}

// alnum reports whether b is part of a letter or a digit.
func alnum(b int) bool {
	return '0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'z' || b >= utf8.RuneSelf
}

// inWord reports whether line[i] goes on with a word.
func inWord(line []byte, i int) bool {
	a, _ := utf8.DecodeLastRune(line[:i])
	b, _ := utf8.DecodeRune(line[i:])
	return word(a) && word(b)
}

func word(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) }
