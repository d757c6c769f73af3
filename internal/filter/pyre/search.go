package pyre

import "github.com/edgeban/edgeban/internal/filter/pyre/table"

// Search looks for the first match of re in text, as Python's re.search does.
// An invalid byte of text counts as one U+FFFD.
func (m *Matcher) Search(re *Regexp, text []byte) bool {
	m.begin(re, text)
	if len(text) > maxText {
		m.spent = true
		return false
	}
	at, ok := m.start()
	if ok || at < 0 {
		m.quiet++
		m.release()
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
	m.trail, m.stack = m.trail[:0], m.stack[:0]
	if cap(m.slots) < re.slots {
		m.slots = make([]int32, re.slots)
	}
	m.slots = m.slots[:re.slots]
	for i := range m.slots {
		m.slots[i] = -1
	}
	for i := range re.owed {
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
	m.rows = min(m.re.rows, maxTable/2/8/table.Stride(len(m.text)))
	m.failed.Clear(m.rows, len(m.text))
	m.held.Clear(pick(m.re.looks, m.rows, 0), len(m.text))
}

// release gives back the memory that only hostile texts need.
func (m *Matcher) release() {
	if m.quiet < calm {
		return
	}
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
	n, i := m.recall()
	if end := m.dash(n, i); end >= 0 {
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
			end = m.run(m.re.prog, i)
		} else {
			end = m.dash(m.re.prog, i)
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
