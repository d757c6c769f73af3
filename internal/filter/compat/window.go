package compat

import (
	"bytes"
	"slices"

	"github.com/edgeban/edgeban/internal/filter/pyre"
)

const (
	maxWindow = 256 << 10 // bytes of lines that are kept for patterns that span several
	perLine   = 32        // bytes that a line takes besides its text
)

// A window holds the last lines of a log without their dates, for patterns that
// span several.
type window struct {
	lines [][]byte // oldest first, each without its newline
	free  [][]byte // buffers to be used again
	size  int
	buf   []byte
}

// add takes a line in, of which at most most are kept.
func (w *window) add(text []byte, most int) {
	for len(w.lines) > 0 && (len(w.lines) >= most || w.size+len(text)+perLine > maxWindow) {
		w.drop(w.lines[0])
		w.lines = slices.Delete(w.lines, 0, 1)
	}
	var b []byte
	if n := len(w.free); n > 0 {
		b, w.free = w.free[n-1][:0], w.free[:n-1]
	}
	w.lines = append(w.lines, append(b, text...))
	w.size += len(text) + perLine
}

// drop keeps the buffer of a line that has left the window. A large one is left
// to the collector, lest a burst of long lines is held for ever.
func (w *window) drop(line []byte) {
	w.size -= len(line) + perLine
	if cap(line) <= 4<<10 && len(w.free) < 64 {
		w.free = append(w.free, line)
	}
}

// text returns the lines, each ended by a newline, valid until the next call.
func (w *window) text() []byte {
	w.buf = w.buf[:0]
	for _, line := range w.lines {
		w.buf = append(append(w.buf, line...), '\n')
	}
	return w.buf
}

// set makes text the only line.
func (w *window) set(text []byte) {
	line := slices.Clone(text)
	for _, l := range w.lines {
		w.drop(l)
	}
	w.lines, w.size = append(w.lines[:0], line), len(line)+perLine
}

// take removes the lines that a match in text lies on, but those that r leaves
// out. It returns the text of those that it removed and their number.
func (w *window) take(r *rule, m *pyre.Matcher, text []byte) (matched []byte, n int) {
	start, end := m.Span(0)
	begun := bytes.LastIndexByte(text[:min(start+1, len(text))], '\n') + 1
	first := min(bytes.Count(text[:begun], newline), len(w.lines))
	last := len(w.lines)
	if end > 0 {
		last = min(max(bytes.Count(text[:end-1], newline)+1, first), last)
	}

	kept := slices.Clone(w.lines[:first])
	rest := slices.Clone(w.lines[first:last])
	from := 0
	for _, g := range r.skips {
		for skipped := range bytes.Lines(group(m, text, g)) {
			skipped = bytes.TrimSuffix(skipped, newline)
			at := slices.IndexFunc(rest[from:], func(l []byte) bool { return bytes.Equal(l, skipped) })
			if at >= 0 {
				from += at
				kept = append(kept, rest[from])
				rest = slices.Delete(rest, from, from+1)
			}
		}
	}
	kept = append(kept, w.lines[last:]...)
	for _, line := range rest {
		matched = append(append(matched, line...), '\n')
		w.drop(line)
	}
	w.lines = append(w.lines[:0], kept...)
	return matched, len(rest)
}
