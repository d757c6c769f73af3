package pyre

import (
	"bytes"
	"unicode/utf8"

	"github.com/edgeban/edgeban/internal/filter/pyre/graph"
	"github.com/edgeban/edgeban/internal/filter/pyre/syntax"
	"github.com/edgeban/edgeban/internal/filter/pyre/way"
)

// This file records the way of a search: it does what the machine does in the plain phase,
// and notes what it asks of the text and what the answer is, nothing else. So another text
// with these answers is searched in the same way. What cannot be put so ends the record: a
// back-reference, characters beyond ASCII where bytes decide, a loop around what may match
// nothing.

// mostAsked is how many questions are noted, most of which are answered by others.
const mostAsked = 300

// A spot is a place in the text of a record, and what is known of it in others.
type spot struct {
	mark way.Mark
	i    int // -1 for none
}

// A recorder searches as the machine does, and notes what it asks of the text.
type recorder struct {
	re    *Regexp
	t     []byte
	facts []way.Fact
	slots []spot
	trail []undone
	stack []left
	base  int
	from  [way.MostRegs]spot // of the registers: each is not before this
	regs  int
	lost  bool // of what cannot be said of other texts
}

// An undone is a change of a slot.
type undone struct {
	slot int
	old  spot
}

// A left is a frame.
type left struct {
	node *graph.Node
	at   spot
	end  spot     // of a run
	run  way.Fact // that has found it
	aux  int
	mark int
}

// record returns the way of the search for re in text, nil if it is none.
func record(re *Regexp, text []byte) *way.Way {
	r := &recorder{re: re, t: text, base: -1, regs: way.RegFirst}
	none := spot{way.Mark{Reg: way.RegNone}, -1}
	for range re.g.Slots {
		r.slots = append(r.slots, none)
	}
	at := spot{}
	n := re.g.Prog
	for range quickSteps {
		if r.lost || len(r.facts) > mostAsked || r.regs == way.MostRegs {
			return nil
		}
		if n.Op == graph.OpMatch && r.base < 0 {
			r.slots[0], r.slots[1] = spot{}, at
			return way.New(r.facts, r.marks(2*len(re.groups)))
		}
		to, next := r.do(n, at)
		if next == nil {
			to, next = r.back()
		}
		if next == nil {
			if r.lost {
				return nil
			}
			return way.New(r.facts, nil)
		}
		at, n = to, next
	}
	return nil
}

// marks returns the marks of the first slots.
func (r *recorder) marks(n int) (all []way.Mark) {
	for _, s := range r.slots[:n] {
		all = append(all, s.mark)
	}
	return all
}

// plus returns the place n bytes behind.
func (s spot) plus(n int) spot { return spot{s.mark.Plus(int32(n)), s.i + n} }

// note adds a fact.
func (r *recorder) note(f way.Fact, at spot) {
	f.At = at.mark
	r.facts = append(r.facts, f)
}

// found adds a fact that finds a place.
func (r *recorder) found(f way.Fact, at spot, i int) spot {
	f.To = uint8(r.regs)
	r.from[r.regs] = at
	r.note(f, at)
	r.regs++
	return spot{way.Mark{Reg: uint32(f.To)}, i}
}

// alike notes that the byte at a place is one of those for which f returns what it
// returns for that of the text; or that the text ends.
func (r *recorder) alike(at spot, same func(b byte) bool) {
	if at.i >= len(r.t) {
		r.note(way.Fact{What: way.IsEnd}, at)
		return
	}
	if r.t[at.i] >= utf8.RuneSelf {
		r.lost = true
		return
	}
	set := new([256]bool)
	for b := range byte(utf8.RuneSelf) {
		set[b] = same(b)
	}
	for k := range r.facts {
		if f := &r.facts[k]; f.What == way.IsOf && f.At == at.mark {
			for b := range set {
				f.Set[b] = f.Set[b] && set[b]
			}
			return
		}
	}
	r.note(way.Fact{What: way.IsOf, Set: set}, at)
}

// do is that of the machine.
func (r *recorder) do(n *graph.Node, at spot) (spot, *graph.Node) {
	if i := at.i; n.Jump != nil && i < len(r.t) && r.t[i] < utf8.RuneSelf {
		k := n.Jump.At[r.t[i]]
		if to := &n.Jump.To[k&graph.MaxLeads]; to.Node != nil {
			r.alike(at, func(b byte) bool { return n.Jump.At[b] == k })
			if to.Left >= 0 {
				r.push(left{node: r.re.g.Nodes[to.Left], at: at, aux: int(to.Aux)})
			}
			return at, to.Node
		}
	}
	switch n.Op {
	case graph.OpRun:
		return r.run(n, at)
	case graph.OpAlt:
		return r.alt(n, at)
	case graph.OpLoop:
		return r.loop(n, at)
	case graph.OpSave:
		r.set(int(n.Slot), at)
		return at, n.Next
	case graph.OpShut:
		r.set(int(n.Slot), at)
		return r.either(n, at, bytes.Contains(r.t[at.i:], []byte(n.Lit)), way.Comes, way.Gone)
	case graph.OpAssert:
		return r.either(n, at, n.Assert.Holds(r.t, at.i, n.ASCII), way.IsSo, way.NotSo)
	case graph.OpCond:
		return at, n.Alts[pick(r.took(int(n.Slot)), 0, 1)]
	case graph.OpLook, graph.OpAtomic:
		r.lost = n.Behind
		r.push(left{node: n, at: at, aux: r.base})
		r.base = len(r.stack) - 1
		return at, n.Sub
	case graph.OpHeld:
		return r.hold(at)
	case graph.OpFail:
		return at, nil
	}
	return r.take(n, at)
}

// either notes one of two answers, of which the second is a failure.
func (r *recorder) either(n *graph.Node, at spot, ok bool, yes, no way.What) (spot, *graph.Node) {
	r.note(way.Fact{What: pick(ok, yes, no), Lit: n.Lit, Node: n}, at)
	return at, pick(ok, n.Next, nil)
}

// take does what takes a character or several that are known.
func (r *recorder) take(n *graph.Node, at spot) (spot, *graph.Node) {
	width := 0
	switch n.Op {
	case graph.OpLit:
		if bytes.HasPrefix(r.t[at.i:], []byte(n.Lit)) {
			width = len(n.Lit)
		}
		r.either(n, at, width > 0, way.IsLit, way.NotLit)
	case graph.OpFold:
		if end := syntax.FoldPrefix(r.t, at.i, n.Lit, n.ASCII); end >= 0 {
			width = len(n.Lit)
			r.lost = end != at.i+width
		}
		r.either(n, at, width > 0, way.IsFold, way.NotFold)
	case graph.OpClass:
		if at.i < len(r.t) && n.Class.Tab[r.t[at.i]] {
			width = 1
		}
		r.alike(at, func(b byte) bool { return n.Class.Tab[b] == (width > 0) })
	default:
		r.lost = true
	}
	return at.plus(width), pick(width > 0, n.Next, nil)
}

// run does what begins a run.
func (r *recorder) run(n *graph.Node, at spot) (spot, *graph.Node) {
	switch {
	case n.Code == graph.OpWhole:
		end := n.Class.ASCII(r.t, at.i, n.Max)
		switch {
		case end < len(r.t) && r.t[end] >= utf8.RuneSelf:
			r.lost = true
			return at, nil
		case end < at.i+int(n.Min):
			r.note(way.Fact{What: way.NoWhole, Node: n}, at)
			return at, nil
		}
		return r.found(way.Fact{What: way.IsWhole, Node: n}, at, end), n.Next
	case n.Whole, n.Code != graph.OpGreedy && (n.Min > 0 || n.Max != syntax.Unbounded):
		r.lost = true
		return at, nil
	}
	f := way.Fact{Node: n, Run: &way.Run{Next: r.begins(n.Next)}}
	if n.Next.Op == graph.OpClass {
		f.Run.Behind = r.begins(n.Next.Next)
	}
	end, ok := f.Runs(r.t, at.i)
	switch {
	case !ok:
		r.lost = true
		return at, nil
	case end < 0:
		f.What = way.NoRun
		r.note(f, at)
		return at, nil
	}
	f.What = way.IsRun
	to := r.found(f, at, end)
	r.push(left{node: n, at: at, end: to, run: f})
	return to, n.Next
}

// begins is that of the machine.
func (r *recorder) begins(n *graph.Node) *syntax.First {
	if n.When == nil {
		return &n.First
	}
	return n.Begins(r.took(n.When.Slot))
}

// took reports whether a group took part, if that is so in all texts.
func (r *recorder) took(slot int) bool {
	from, to := r.slots[slot], r.slots[slot+1]
	if from.i < 0 || to.i < 0 {
		return false
	}
	for p := to.mark; ; {
		if p.Reg == from.mark.Reg {
			if p.Off < from.mark.Off {
				break
			}
			return true
		}
		if p.Reg < way.RegFirst || p.Off < 0 {
			break
		}
		up := r.from[p.Reg]
		p = up.mark.Plus(p.Off)
	}
	r.lost = true
	return true
}

func (r *recorder) alt(n *graph.Node, at spot) (spot, *graph.Node) {
	k := r.branch(n, at, 0)
	if k < 0 {
		return at, nil
	}
	if more := r.branch(n, at, k+1); more >= 0 {
		r.push(left{node: n, at: at, aux: more})
	}
	return at, n.Alts[k]
}

// branch is that of the machine.
func (r *recorder) branch(n *graph.Node, at spot, k int) int {
	which := func(f func(*syntax.First) bool) int {
		for j := k; j < len(n.Alts); j++ {
			if f(r.begins(n.Alts[j])) {
				return j
			}
		}
		return -1
	}
	is := which(func(f *syntax.First) bool { return f.At(r.t, at.i) })
	r.alike(at, func(b byte) bool { return which(func(f *syntax.First) bool { return f.Has(b) }) == is })
	return is
}

func (r *recorder) loop(n *graph.Node, at spot) (spot, *graph.Node) {
	if n.Slot >= 0 {
		r.lost = true
		return at, nil
	}
	sub, next := r.begins(n.Sub), r.begins(n.Next)
	in, out := sub.At(r.t, at.i), next.At(r.t, at.i)
	r.alike(at, func(b byte) bool { return sub.Has(b) == in && next.Has(b) == out })
	switch {
	case !in && !out:
		return at, nil
	case in && out:
		r.push(left{node: n, at: at, aux: 1})
	}
	if !out || in && n.Greed != syntax.Lazy {
		return at, n.Sub
	}
	return at, n.Next
}

// hold is that of the machine.
func (r *recorder) hold(at spot) (spot, *graph.Node) {
	f := r.stack[r.base]
	r.stack, r.base = r.stack[:r.base], f.aux
	switch n := f.node; {
	case n.Op == graph.OpAtomic:
		return at, n.Next
	case n.Not:
		r.undo(f.mark)
		return at, nil
	default:
		return f.at, n.Next
	}
}

// back is that of the machine.
func (r *recorder) back() (spot, *graph.Node) {
	for len(r.stack) > 0 && !r.lost {
		f := &r.stack[len(r.stack)-1]
		r.undo(f.mark)
		n := f.node
		switch n.Op {
		case graph.OpRun:
			q := f.run.RunsOn(r.t, f.at.i, f.end.i)
			f.run.What, f.run.Run = pick(q < 0, way.NoNext, way.IsNext), &way.Run{Next: f.run.Run.Next, Behind: f.run.Run.Behind, Back: f.end.mark}
			if q < 0 {
				r.note(f.run, f.at)
				break
			}
			f.end = r.found(f.run, f.at, q)
			return f.end, n.Next
		case graph.OpAlt:
			if f.aux >= 0 {
				at, next := f.at, n.Alts[f.aux]
				if f.aux = r.branch(n, f.at, f.aux+1); f.aux < 0 {
					r.pop()
				}
				return at, next
			}
		case graph.OpLoop:
			if f.aux > 0 {
				at := f.at
				r.pop()
				return at, pick(n.Greed == syntax.Lazy, n.Sub, n.Next)
			}
		case graph.OpLook, graph.OpAtomic:
			r.base = f.aux
			if at := f.at; n.Op == graph.OpLook && n.Not {
				r.pop()
				return at, n.Next
			}
		}
		r.pop()
	}
	return spot{}, nil
}

func (r *recorder) pop() { r.stack = r.stack[:len(r.stack)-1] }

func (r *recorder) push(f left) {
	f.mark = len(r.trail)
	r.stack = append(r.stack, f)
}

func (r *recorder) set(slot int, to spot) {
	r.trail = append(r.trail, undone{slot, r.slots[slot]})
	r.slots[slot] = to
}

func (r *recorder) undo(mark int) {
	for k := len(r.trail) - 1; k >= mark; k-- {
		r.slots[r.trail[k].slot] = r.trail[k].old
	}
	r.trail = r.trail[:mark]
}
