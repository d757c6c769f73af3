package pyre

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"github.com/edgeban/edgeban/internal/filter/pyre/graph"
	"github.com/edgeban/edgeban/internal/filter/pyre/syntax"
	"github.com/edgeban/edgeban/internal/filter/pyre/table"
	"github.com/edgeban/edgeban/internal/filter/pyre/way"
)

// A search first goes plainly, as Python does. What takes more than quick steps
// is hostile, or unlucky, and is searched for with a table of failures; the few
// expressions that this does not help are bounded by hard. A step is a node or a
// frame, or stepBytes bytes of a run.
const (
	quickSteps   = 2000
	quickPerByte = 4
	hardSteps    = 250_000
	hardPerByte  = 12
	stepBytes    = 16

	maxTable  = 8 << 20 // of the table of failures, in bytes
	maxFrames = 1 << 19

	mostIdle = 8 // searches that went no way, in a row

	// Memory beyond these is given back after so many searches without need of it.
	calm     = 1000
	calmSize = 1 << 15
)

// A Matcher is the memory that searches work in. Its zero value is ready; it
// must not be used by two goroutines at once.
type Matcher struct {
	re    *Regexp
	text  []byte
	slots []int32            // of groups, then of loops; -1 for none
	last  [graph.MaxOwed]int // where what is owed stands last; see owed.go
	trail []change
	stack []frame
	base  int // the frame of the innermost look-around or atomic group, -1 for none
	steps int
	spent bool
	quick int // steps of the plain phase, for tests; 0 for the usual

	// Where lines are of few kinds, the last search went a way that was known.
	way    *way.Way   // nil if it did not
	places way.Places // on the way
	idle   uint8      // searches that went no known way, in a row; then none is looked for until this is 0 again

	// The table of failures. A row has a bit for each place of the text.
	table  bool
	rows   int
	failed table.Table
	held   table.Table // likewise: inside of a look-around, what leads to its end
	quiet  int         // searches without need of the table
}

// A change is what a slot was before.
type change struct{ slot, old int32 }

// A frame is what is left to try at a node, and whose failure is to be noted.
type frame struct {
	node int32 // its id; without pointers, the collector has nothing to do with frames
	pos  int32 // where the node was reached; of an OpRun see run.go
	aux  int32 // OpAlt: the next branch; OpLoop: 1 if there is another way; OpLook, OpAtomic: the base before
	mark int32 // length of the trail
	row  int32 // of the table, -1 for none
}

// run returns the end of the match that begins with n at i, -1 if there is none
// or no step is left. Steps are counted where a way ends: each is as long as the
// expression and the text allow, at most. A look-around that holds ends a way, too.
func (m *Matcher) run(n *graph.Node, i int) int {
	for steps := 1; n.Op != graph.OpMatch; steps++ {
		to, next := m.do(n, i)
		if next != nil && n.Op <= graph.OpSave {
			i, n = to, next
			continue
		}
		if m.steps -= steps; m.steps < 0 {
			return -1
		}
		steps = 0
		if next != nil {
			i, n = to, next
		} else if i, n = m.back(); n == nil {
			return -1
		}
	}
	return i
}

// do does the step of a node. It returns the node to go on with, nil if the step
// failed.
func (m *Matcher) do(n *graph.Node, i int) (int, *graph.Node) {
	switch n.Op {
	case graph.OpLit:
		return i + len(n.Lit), pick(bytes.HasPrefix(m.text[i:], []byte(n.Lit)), n.Next, nil)
	case graph.OpClass:
		w := n.Class.Width(m.text, i)
		return i + w, pick(w > 0, n.Next, nil)
	case graph.OpRun:
		return m.repeat(n, i)
	case graph.OpAlt:
		return m.alt(n, i)
	case graph.OpLoop:
		return m.loop(n, i)
	case graph.OpSave:
		m.set(int(n.Slot), i)
		return i, n.Next
	case graph.OpFold:
		end := syntax.FoldPrefix(m.text, i, n.Lit, n.ASCII)
		return end, pick(end >= 0, n.Next, nil)
	case graph.OpAssert:
		return i, pick(n.Assert.Holds(m.text, i, n.ASCII), n.Next, nil)
	case graph.OpShut:
		m.set(int(n.Slot), i)
		return i, pick(m.owing(n, i), n.Next, nil)
	case graph.OpReset:
		m.set(int(n.Slot), -1)
		return i, n.Next
	case graph.OpLook:
		return m.look(n, i)
	case graph.OpAtomic:
		m.push(n.ID, int32(i), int32(m.base), -1)
		m.base = len(m.stack) - 1
		return i, n.Sub
	case graph.OpHeld:
		return m.hold(i)
	case graph.OpBack:
		if m.took(int(n.Slot)) {
			is := m.text[m.slots[n.Slot]:m.slots[n.Slot+1]]
			m.steps -= len(is) / stepBytes
			end := syntax.Repeated(m.text, i, is, n.Fold)
			return end, pick(end >= 0, n.Next, nil)
		}
	case graph.OpCond:
		return i, n.Alts[pick(m.took(int(n.Slot)), 0, 1)]
	}
	return i, nil
}

// back undoes what led to a failure, and returns what is left to try; nil if
// nothing is.
func (m *Matcher) back() (int, *graph.Node) {
	for len(m.stack) > 0 {
		m.steps--
		f := &m.stack[len(m.stack)-1]
		m.undo(int(f.mark))
		n := m.re.g.Nodes[f.node]
		switch n.Op {
		case graph.OpRun:
			if to, next := m.shorter(f); next != nil {
				return to, next
			}
			continue
		case graph.OpAlt:
			if i := int(f.pos); f.aux >= 0 {
				next := n.Alts[f.aux]
				if f.aux = int32(m.branch(n, i, int(f.aux)+1)); f.aux < 0 && f.row < 0 {
					m.pop()
				}
				return i, next
			}
			m.failed.Set(f.row, f.pos, f.pos)
		case graph.OpLoop:
			if f.aux > 0 {
				f.aux = 0
				i := int(f.pos)
				if f.row < 0 {
					m.pop()
				}
				if n.Greed == syntax.Lazy {
					m.enter(n, i)
					return i, n.Sub
				}
				return i, n.Next
			}
			m.failed.Set(f.row, f.pos, f.pos)
		case graph.OpLook, graph.OpAtomic:
			m.base = int(f.aux)
			if i := int(f.pos); n.Op == graph.OpLook && n.Not {
				m.pop()
				return i, n.Next
			}
		}
		m.pop()
	}
	return 0, nil
}

func (m *Matcher) pop() { m.stack = m.stack[:len(m.stack)-1] }

// push adds a frame that takes back what comes after it. It is written where it stays:
// a copy of what was just written in parts makes the processor wait.
func (m *Matcher) push(id, pos, aux, row int32) {
	k := len(m.stack)
	if k == cap(m.stack) {
		if k == maxFrames {
			m.steps = 0
			return
		}
		m.stack = slices.Grow(m.stack, 1)
		m.stack = m.stack[:k:min(cap(m.stack), maxFrames)]
	}
	m.stack = m.stack[:k+1]
	f := &m.stack[k]
	f.node, f.pos, f.aux, f.mark, f.row = id, pos, aux, int32(len(m.trail)), row
}

func (m *Matcher) set(slot, to int) {
	m.trail = append(m.trail, change{int32(slot), m.slots[slot]})
	m.slots[slot] = int32(to)
}

func (m *Matcher) undo(mark int) {
	for k := len(m.trail) - 1; k >= mark; k-- {
		m.slots[m.trail[k].slot] = m.trail[k].old
	}
	m.trail = m.trail[:mark]
}

// took reports whether the group of slot took part.
func (m *Matcher) took(slot int) bool {
	return m.slots[slot] >= 0 && m.slots[slot+1] >= m.slots[slot]
}

// begins returns what n can begin with now.
func (m *Matcher) begins(n *graph.Node) *syntax.First {
	if n.When == nil {
		return &n.First
	}
	return n.Begins(m.took(n.When.Slot))
}

// branch returns the first of the branches from k on that can begin at t[i], -1
// if there is none.
func (m *Matcher) branch(n *graph.Node, i, k int) int {
	if !n.Asks && i < len(m.text) {
		b := m.text[i]
		if !n.First.Has(b) { // there may be hundreds
			return -1
		}
		for ; k < len(n.Alts); k++ {
			if n.Alts[k].First.Has(b) {
				return k
			}
		}
		return -1
	}
	for ; k < len(n.Alts); k++ {
		if m.begins(n.Alts[k]).At(m.text, i) {
			return k
		}
	}
	return -1
}

func (m *Matcher) alt(n *graph.Node, i int) (int, *graph.Node) {
	k := m.branch(n, i, 0)
	if k < 0 {
		return i, nil
	}
	row, known := int32(-1), open
	if m.table {
		row, known = m.fate(n, i)
	}
	switch known {
	case failing:
		return i, nil
	case holding:
		return m.hold(i)
	}
	if more := m.branch(n, i, k+1); more >= 0 || row >= 0 {
		m.push(n.ID, int32(i), int32(more), row)
	}
	return i, n.Alts[k]
}

func (m *Matcher) loop(n *graph.Node, i int) (int, *graph.Node) {
	if n.Slot >= 0 && int(m.slots[n.Slot]) == i {
		return i, n.Next // the last time matched nothing
	}
	row, known := int32(-1), open
	if m.table {
		row, known = m.fate(n, i)
	}
	switch known {
	case failing:
		return i, nil
	case holding:
		return m.hold(i)
	}
	in, out := m.begins(n.Sub).At(m.text, i), m.begins(n.Next).At(m.text, i)
	if !in && !out {
		return i, nil
	}
	if in && out || row >= 0 {
		m.push(n.ID, int32(i), pick(in && out, int32(1), 0), row)
	}
	if !out || in && n.Greed != syntax.Lazy {
		m.enter(n, i)
		return i, n.Sub
	}
	return i, n.Next
}

// enter notes where a repetition of what may match nothing begins.
func (m *Matcher) enter(n *graph.Node, i int) {
	if n.Slot >= 0 {
		m.set(int(n.Slot), i)
	}
}

// look tries a look-around.
func (m *Matcher) look(n *graph.Node, i int) (int, *graph.Node) {
	from := i
	for k := 0; n.Behind && k < int(n.Width); k++ {
		if from == 0 {
			return i, pick(n.Not, n.Next, nil)
		}
		_, w := utf8.DecodeLastRune(m.text[:from])
		from -= w
	}
	holds := false
	switch s := n.Sub; {
	case !s.First.At(m.text, from):
	case s.Op == graph.OpLit && s.Next.Op == graph.OpHeld:
		holds = bytes.HasPrefix(m.text[from:], []byte(s.Lit))
	case s.Op == graph.OpClass && s.Next.Op == graph.OpHeld:
		holds = s.Class.Width(m.text, from) > 0
	default:
		m.push(n.ID, int32(i), int32(m.base), -1)
		m.base = len(m.stack) - 1
		return from, s
	}
	return i, pick(holds != n.Not, n.Next, nil)
}

// hold ends a look-around or an atomic group: its other ways are forgotten.
func (m *Matcher) hold(i int) (int, *graph.Node) {
	f := m.stack[m.base]
	n := m.re.g.Nodes[f.node]
	if m.table && n.Verdict {
		for k := m.base + 1; k < len(m.stack); k++ {
			m.noteHeld(&m.stack[k])
		}
	}
	m.stack, m.base = m.stack[:m.base], int(f.aux)
	switch {
	case n.Op == graph.OpAtomic:
		return i, n.Next
	case n.Not:
		m.undo(int(f.mark))
		return i, nil
	}
	return int(f.pos), n.Next
}

// owing reports whether what is owed from i on still comes.
func (m *Matcher) owing(n *graph.Node, i int) bool {
	last := &m.last[n.Width]
	if *last == unknown {
		*last = -1
		if lit := []byte(n.Lit); bytes.Contains(m.text, lit) {
			*last = bytes.LastIndex(m.text, lit)
		}
	}
	return i <= *last
}

const unknown = -2 // a place that was not looked for yet
