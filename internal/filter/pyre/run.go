package pyre

import (
	"bytes"
	"unicode/utf8"

	"github.com/edgeban/edgeban/internal/filter/pyre/graph"
	"github.com/edgeban/edgeban/internal/filter/pyre/syntax"
)

// This file runs OpRun: the repetition of single characters, most of the work of
// most expressions.
//
// The places where a run may end are candidates: those where what follows can
// begin. Of a frame of a greedy run, pos is the first possible end and aux the
// candidate in use; of a lazy one with a limit, pos is the last possible end.
//
// In the table of failures, the bit of an unbounded run at a place says that no
// candidate from there on leads to a match. So a run that meets a bit ends there,
// and all runs of a node together look at a text once. With a limit, the bit is
// about the one candidate.

// repeat begins a run at i.
func (m *Matcher) repeat(n *graph.Node, i int) (int, *graph.Node) {
	lo, ok := n.Least(m.text, i)
	if !ok {
		return i, nil
	}
	row, floor := int32(-1), lo
	if m.table {
		r, v := m.row(n, i)
		if r >= 0 {
			row = r << 1
			if v > 0 && lo == i {
				// The state here is not that of the places behind, which the row is about.
				row, floor = row|1, lo+1
			}
			if n.Max == syntax.Unbounded && floor == lo {
				if m.failed.Has(r, lo) {
					return i, nil
				}
				if n.Keep.Verdict && !n.Whole && m.held.Has(r, lo) {
					return m.hold(i)
				}
			}
		}
	}
	if n.Greed == syntax.Lazy && !n.Whole {
		return m.lazily(n, i, lo, row)
	}
	end, known := m.end(n, i, lo, floor, row)
	if n.Whole {
		if n.Max != syntax.Unbounded {
			floor = max(floor, end) // the bit of this candidate, if it has one
			known = row >= 0 && floor == end && m.failed.Has(row>>1, end)
		}
		if known || !m.begins(n.Next).At(m.text, end) {
			m.fill(row, floor, end)
			return i, nil
		}
		if row >= 0 {
			m.push(n.ID, int32(lo), int32(end), row)
		}
		return end, n.Next
	}
	from := end
	if known {
		from--
	}
	p := m.down(n, lo, from, row)
	if n.Max == syntax.Unbounded {
		m.fill(row, max(floor, p+1), end)
	}
	if p < 0 {
		return i, nil
	}
	if p > lo || row >= 0 {
		m.push(n.ID, int32(lo), int32(p), row)
	}
	return p, n.Next
}

// end returns the end of the longest run, or a place not before floor that is
// known to fail, as all behind it are.
func (m *Matcher) end(n *graph.Node, i, lo, floor int, row int32) (end int, known bool) {
	if row < 0 || n.Max != syntax.Unbounded {
		end = n.Reach(m.text, i, len(m.text))
		m.steps -= (end - i) / stepBytes
		return max(end, lo), false
	}
	// Step by step, so that a look at what is known to fail costs nothing.
	for end = lo; ; {
		limit := min(end+256, len(m.text))
		at := m.failed.Find(row>>1, max(end, floor), limit)
		if at >= 0 {
			limit = at
		}
		to := n.Reach(m.text, end, limit)
		m.steps -= (to - end) / stepBytes
		switch {
		case at >= 0 && to >= at:
			return at, true
		case to < limit || to >= len(m.text):
			return to, false
		}
		end = to
	}
}

// down returns the last candidate from lo to from, -1 if there is none. Of a single
// character that follows the run it asks for what is behind that, too: else every
// character of a name is tried as its last.
func (m *Matcher) down(n *graph.Node, lo, from int, row int32) int {
	t, f := m.text, m.begins(n.Next)
	var behind *syntax.First
	if n.Next.Op == graph.OpClass {
		behind = m.begins(n.Next.Next)
	}
	for p := from; p >= lo; p-- {
		switch {
		case !f.At(t, p):
		case n.After != "" && !bytes.HasPrefix(t[p:], []byte(n.After)):
		case p < len(t) && t[p]&0xC0 == 0x80 && p > lo && syntax.Inside(t, p):
		case behind != nil && p < len(t) && t[p] < utf8.RuneSelf && !behind.At(t, p+1):
		case n.Max != syntax.Unbounded && row >= 0 && (p > lo || row&1 == 0) && m.failed.Has(row>>1, p):
		default:
			m.steps -= (from - p) / stepBytes
			return p
		}
	}
	m.steps -= (from - lo) / stepBytes
	return -1
}

// lazily begins a run that is to be as short as possible.
func (m *Matcher) lazily(n *graph.Node, i, lo int, row int32) (int, *graph.Node) {
	hi := len(m.text)
	if n.Max != syntax.Unbounded {
		hi = n.Reach(m.text, i, hi)
		if row&1 != 0 {
			row = -1 // which candidate is not that of the row would be forgotten
		}
	}
	p, stop := m.up(n, lo, hi, row, row&1 != 0)
	if p < 0 {
		if n.Max == syntax.Unbounded {
			m.fill(row, lo+int(row&1), stop)
		}
		return i, nil
	}
	if row >= 0 || p < hi {
		m.push(n.ID, int32(pick(n.Max == syntax.Unbounded, lo, hi)), int32(p), row)
	}
	return p, n.Next
}

// up returns the first candidate from p to hi, or -1 and where the run ended. If
// own, what the table says about p itself does not hold.
func (m *Matcher) up(n *graph.Node, p, hi int, row int32, own bool) (at, stop int) {
	t, f := m.text, m.begins(n.Next)
	from := p
	defer func() { m.steps -= (stop - from) / stepBytes }()
	for {
		if row >= 0 && !own && m.failed.Has(row>>1, p) {
			if n.Max == syntax.Unbounded {
				return -1, p
			}
		} else if f.At(t, p) && (n.After == "" || bytes.HasPrefix(t[p:], []byte(n.After))) {
			return p, p
		}
		own = false
		if n.One >= 0 && n.Class.Stop >= 0 && n.Lit == "" && row < 0 {
			// Nothing but this can follow: go there at once.
			k := n.Ahead(t, p, hi)
			if k < 0 {
				return -1, hi
			}
			if n.Class.Stop != int(n.One) && bytes.IndexByte(t[p:p+k], byte(n.Class.Stop)) >= 0 {
				return -1, p + k
			}
			return p + k, p + k
		}
		w := 0
		if p < hi {
			w = n.Step(m.text, p)
		}
		if w == 0 {
			return -1, p
		}
		p += w
	}
}

// shorter returns the next candidate of the run of f, which is longer for a lazy
// one. It returns nil, having taken f away, if there is none.
func (m *Matcher) shorter(f *frame) (int, *graph.Node) {
	n, p := m.re.g.Nodes[f.node], int(f.aux)
	if n.Greed == syntax.Lazy && !n.Whole {
		return m.longer(f)
	}
	lo := int(f.pos)
	floor := lo + int(f.row&1)
	if f.row < 0 {
		floor = lo
	}
	if n.Whole {
		m.fill(f.row, pick(n.Max == syntax.Unbounded, floor, max(floor, p)), p)
		m.pop()
		return 0, nil
	}
	q := m.down(n, lo, p-1, f.row)
	m.fill(f.row, pick(n.Max == syntax.Unbounded, max(floor, q+1), max(floor, p)), p)
	if q < 0 {
		m.pop()
		return 0, nil
	}
	if f.aux = int32(q); q == lo && f.row < 0 {
		m.pop()
	}
	return q, n.Next
}

func (m *Matcher) longer(f *frame) (int, *graph.Node) {
	n, p, row := m.re.g.Nodes[f.node], int(f.aux), f.row
	hi, q, stop := len(m.text), -1, p
	if n.Max != syntax.Unbounded {
		hi = int(f.pos)
		m.fill(row, p, p)
	}
	if p < hi {
		if w := n.Step(m.text, p); w > 0 {
			q, stop = m.up(n, p+w, hi, row, false)
		}
	}
	if q >= 0 {
		f.aux = int32(q)
		return q, n.Next
	}
	if n.Max == syntax.Unbounded && row >= 0 {
		m.fill(row, int(f.pos)+int(row&1), stop)
	}
	m.pop()
	return 0, nil
}

// fill notes that all from place from to place to fail. The row is that of a run.
func (m *Matcher) fill(row int32, from, to int) {
	if row >= 0 {
		m.failed.Set(row>>1, int32(from), int32(to))
	}
}

// A fate is what the table knows of a node at a place.
type fate uint8

const (
	open    fate = iota // nothing
	failing             // no match leads through it
	holding             // it leads to the end of its look-around
)

// fate asks the table about n at i. It returns the row under which more is noted, -1
// for none.
func (m *Matcher) fate(n *graph.Node, i int) (row int32, known fate) {
	row, state := m.row(n, i)
	if row < 0 {
		return -1, open
	}
	row += state
	switch {
	case m.failed.Has(row, i):
		return row, failing
	case n.Keep.Verdict && m.held.Has(row, i):
		return row, holding
	}
	return row, open
}

// row returns the first row of n in the table, -1 if it has none, and how many
// of the loops around have matched nothing so far, which is the row behind that.
func (m *Matcher) row(n *graph.Node, i int) (row, state int32) {
	if n.Rows < 0 {
		return -1, 0
	}
	r := n.Rows
	if n.Keep.Conds != 0 {
		for k, g := range m.re.g.Conds {
			if n.Keep.Conds>>k&1 != 0 && m.took(2*g) {
				r += (len(n.Keep.Loops) + 1) << k
			}
		}
	}
	v := 0
	for _, slot := range n.Keep.Loops {
		if int(m.slots[slot]) == i {
			v++
		}
	}
	if r+len(n.Keep.Loops) >= m.rows {
		return -1, 0
	}
	return int32(r), int32(v)
}

// noteHeld notes that what a frame tries leads to the end of its look-around.
func (m *Matcher) noteHeld(f *frame) {
	switch n := m.re.g.Nodes[f.node]; {
	case f.row < 0:
	case n.Op != graph.OpRun:
		m.held.Set(f.row, f.pos, f.pos)
	case n.Max == syntax.Unbounded && !n.Whole:
		lo, p := f.pos+f.row&1, f.aux
		m.held.Set(f.row>>1, lo, p)
	}
}
