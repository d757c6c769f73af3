package pyre

import (
	"github.com/edgeban/edgeban/internal/filter/pyre/graph"
	"github.com/edgeban/edgeban/internal/filter/pyre/table"
	"github.com/edgeban/edgeban/internal/filter/pyre/way"
)

// Search looks for the first match of re in text, as Python's re.search does.
// An invalid byte of text counts as one U+FFFD.
func (m *Matcher) Search(re *Regexp, text []byte) bool {
	if len(text) > graph.MaxText {
		m.spent = true
		return false
	}
	tries := m.tries(re, text)
	if tries && m.follow(re, text) {
		return m.way.Found()
	}
	m.begin(re, text)
	at, ok := m.start()
	if ok || at < 0 {
		if tries && re.ways.Due() {
			if w := record(re, text); w != nil {
				re.ways.Add(w)
			}
		}
		m.rest()
		return ok
	}
	if re.missing(text) {
		return false
	}
	m.remember()
	at, ok = m.from(at)
	m.spent = !ok && at >= 0
	return ok
}

// Span returns where a group of the last match lies in its text, -1 and -1 if it
// took no part. It is valid until the next Search.
func (m *Matcher) Span(group int) (start, end int) {
	if m.way != nil {
		return m.way.Span(&m.places, group)
	}
	start, end = int(m.slots[2*group]), int(m.slots[2*group+1])
	if start < 0 || end < start {
		return -1, -1
	}
	return start, end
}

// Spent reports whether the last Search gave up: its text is hostile, and
// whether it matches is not known.
func (m *Matcher) Spent() bool { return m.spent }

func (m *Matcher) begin(re *Regexp, text []byte) {
	m.re, m.text, m.spent, m.table, m.base = re, text, false, false, -1
	m.trail, m.stack, m.way = m.trail[:0], m.stack[:0], nil
	if cap(m.slots) < re.g.Slots {
		m.slots = make([]int32, re.g.Slots)
	}
	m.slots = m.slots[:re.g.Slots]
	for i := range m.slots {
		m.slots[i] = -1
	}
	for i := range re.g.Owed {
		m.last[i] = unknown
	}
	if m.steps = m.quick; m.steps == 0 {
		m.steps = quickSteps + quickPerByte*len(text)
	}
}

// remember begins the phase with the table.
func (m *Matcher) remember() {
	m.table, m.quiet = true, 0
	m.steps = hardSteps + hardPerByte*len(m.text)
	m.rows = min(m.re.g.Rows, maxTable/2/8/table.Stride(len(m.text)))
	m.failed.Clear(m.rows, len(m.text))
	m.held.Clear(pick(m.re.g.Looks, m.rows, 0), len(m.text))
}

// tries reports whether it is worth a try to look for a way.
func (m *Matcher) tries(re *Regexp, text []byte) bool {
	if !re.once || len(text) > way.MostText || m.quick > 0 {
		return false
	}
	if m.idle >= mostIdle {
		m.idle++
		return false
	}
	return true
}

// follow searches by a way that is known. It reports false if the text goes none.
func (m *Matcher) follow(re *Regexp, text []byte) bool {
	if m.way = re.ways.Find(text, &m.places); m.way == nil {
		m.idle++
		return false
	}
	m.spent, m.idle = false, 0
	m.rest()
	return true
}

// rest takes in a search without need of the table.
func (m *Matcher) rest() {
	if m.quiet++; m.quiet >= calm {
		m.release()
	}
}

// release gives back the memory that only hostile texts need.
func (m *Matcher) release() {
	m.quiet = 0
	if m.failed.Size() > calmSize {
		m.failed, m.held = table.Table{}, table.Table{}
	}
	if cap(m.stack) > calmSize {
		m.stack = nil
	}
	if cap(m.trail) > calmSize {
		m.trail = nil
	}
}

// start does what from(0) does in the plain phase.
func (m *Matcher) start() (int, bool) {
	if !m.re.once {
		return m.from(0)
	}
	if end := m.dash(m.re.g.Prog, 0); end >= 0 {
		m.slots[0], m.slots[1] = 0, int32(end)
		return -1, true
	}
	m.undo(0)
	m.stack, m.base = m.stack[:0], -1
	return pick(m.steps < 0, 0, -1), false
}

// from searches from place i on. It returns where it ran out of steps, -1 if it
// did not.
func (m *Matcher) from(i int) (int, bool) {
	for i = m.re.next(m.text, i); i >= 0; i = m.re.next(m.text, i) {
		var end int
		if m.table {
			end = m.run(m.re.g.Prog, i)
		} else {
			end = m.dash(m.re.g.Prog, i)
		}
		if end >= 0 {
			m.slots[0], m.slots[1] = int32(i), int32(end)
			return -1, true
		}
		m.undo(0)
		m.stack, m.base = m.stack[:0], -1
		if m.steps < 0 {
			return i, false
		}
		i = m.re.after(m.text, i)
	}
	return -1, false
}
