package pyre

import (
	"fmt"

	"github.com/edgeban/edgeban/internal/filter/pyre/syntax"
)

// maxNodes bounds the memory of an expression: repetitions with a number copy
// what they repeat.
const maxNodes = 50_000

// maxStates is how many rows of the table of failures one node may have.
const maxStates = 16

// An op is what the machine does at a node.
type op uint8

const (
	opLit    op = iota // lit stands here
	opFold             // lit in any case
	opClass            // one character of class
	opRun              // min to max characters of class: order as greed says
	opAlt              // one of alts: the first that leads to a match
	opLoop             // sub, which leads back here or to the next of its copies; or next
	opSave             // note the place in slot
	opShut             // opSave of the end of a group, after which lit is owed
	opReset            // forget the place in slot
	opAssert           // assert holds here
	opLook             // sub leads to opHeld, from here or from width characters before
	opAtomic           // sub leads to opHeld: go on from there, once
	opHeld             // the end of a sub of opLook and opAtomic
	opBack             // what the group of slot took
	opCond             // alts[0] if the group of slot took part, else alts[1]
	opMatch            // the end
	opFail             // nothing leads on

	// What some of these are to the machine, see node.code.
	opByte   // an opLit of one byte
	opWhole  // an opRun of which only the longest run can lead on
	opGreedy // an opRun that is not lazy
)

// A node is a step of the machine. The nodes of an expression are a graph: a node
// knows what is to come, so the failure of a node at a place means that nothing
// that begins with it there leads to a match (or, inside of a sub, to its end).
//
// A search is as fast as its nodes are near: what most steps ask for comes first.
type node struct {
	code  op // what the machine does: op, or a quicker way to do it
	op    op
	greed syntax.Greed
	not   bool
	ascii bool           // opAssert: words are those of ASCII; opFold: letters are
	fold  syntax.Folding // opBack
	// Of opRun: the follow set is disjoint from the class, so that only the
	// longest run can lead on, whatever the greed.
	whole    bool
	behind   bool
	verdict  bool // of opLook: only whether it holds matters, not what it captures
	asks     bool // some of alts has a when
	plain    bool // opGreedy: any byte that next begins with may be behind
	assert   syntax.Assertion
	slot     int32 // -1: none
	min, max int32
	next     *node
	jump     *jump // nil if the next byte decides nothing
	class    *syntax.Class
	lit      string
	sub      *node

	first syntax.First
	when  *choice // nil: first is all that can be said
	after string  // opRun: what stands behind it, "" if that is not one literal
	alts  []*node
	keep  *state
	id    int32 // its place in Regexp.nodes
	one   int32 // opRun: the only byte that next begins with, -1 if there are others
	width int32
	rows  int // the first row of the table of failures, -1 if the node has none
}

// A choice is what a node can begin with, once it is known whether the group of slot
// took part: a condition to come asks for it, and the group is not on the way there.
type choice struct {
	slot int
	sets [2]syntax.First // if it took no part, and if it did
}

// A state is what the failure of a node depends on besides the place.
type state struct {
	tainted bool  // by what a back-reference to come will compare with: no failure is for good
	loops   []int // slots of the loops around that may match nothing, outer first: each may have begun here, or before
	conds   int   // a bit for each group, of Regexp.conds, that a condition to come asks for
	verdict bool  // the node is inside of a look-around with verdict
}

// A compiler makes the graph from its end.
type compiler struct {
	re     *Regexp
	nodes  int
	slots  int
	opened []int // groups that the tree at hand is inside of
	linear bool
}

func compile(expr string, f Flags) (*Regexp, error) {
	t, names, err := syntax.Parse(expr, syntax.Flags{Multi: f&MultiLine != 0, Fold: f&IgnoreCase != 0})
	if err != nil {
		return nil, err
	}
	re := &Regexp{expr: expr, groups: names}
	c := &compiler{re: re, slots: 2 * len(names), linear: true}
	c.findConds(t)
	re.prog = c.tree(t, &node{op: opMatch, first: syntax.Anything, slot: -1, rows: -1, keep: &state{}})
	if c.nodes > maxNodes {
		return nil, &Error{Msg: fmt.Sprintf("repeated as often as it says, the expression has more than %d parts", maxNodes)}
	}
	re.slots, re.linear = c.slots, c.linear
	re.start(t)
	re.Head = t.Opening()
	re.owe()
	re.jumps()
	re.required = syntax.Required(t)
	re.need = syntax.Needed(re.required)
	return re, nil
}

// findConds numbers the groups that conditions ask for.
func (c *compiler) findConds(t *syntax.Node) {
	t.Any(func(s *syntax.Node) bool {
		if s.Kind == syntax.Cond && c.cond(s.Group) == 0 && len(c.re.conds) < 4 {
			c.re.conds = append(c.re.conds, s.Group)
		}
		return false
	})
}

// cond returns the bit of a group that a condition asks for, 0 if it has none.
func (c *compiler) cond(group int) int {
	for i, g := range c.re.conds {
		if g == group {
			return 1 << i
		}
	}
	return 0
}

// node adds n before next. It begins with what f makes of what next begins with.
func (c *compiler) node(n node, next *node, f func(syntax.First) syntax.First) *node {
	c.nodes++
	n.next, n.first, n.keep, n.rows = next, f(next.first), next.keep, -1
	if w := next.when; w != nil {
		n.when = n.known(choice{w.slot, [2]syntax.First{f(w.sets[0]), f(w.sets[1])}})
	}
	return &n
}

// known returns w if it says more than first does, else nil.
func (n *node) known(w choice) *choice {
	if w.sets[0] == n.first && w.sets[1] == n.first {
		return nil
	}
	return &w
}

// itself is what a node begins with that takes nothing.
func itself(f syntax.First) syntax.First { return f }

// blur forgets what depends on a group that is set within t.
func (n *node) blur(t *syntax.Node) {
	if n.when != nil && t.Any(func(s *syntax.Node) bool { return s.Kind == syntax.Group && 2*s.Group == n.when.slot }) {
		n.when = nil
	}
}

// choice gives n rows in the table of failures, if failing there is for good.
func (c *compiler) choice(n *node) *node {
	k := n.keep
	states := len(k.loops) + 1
	if k.conds != 0 {
		states <<= len(c.re.conds)
	}
	if k.tainted || states > maxStates {
		c.linear = false
		return n
	}
	n.rows = c.re.rows
	c.re.rows += states
	return n
}

// tree returns the graph of t before next.
func (c *compiler) tree(t *syntax.Node, next *node) *node {
	if c.nodes > maxNodes {
		return next
	}
	switch t.Kind {
	case syntax.Lit:
		how := pick(t.Fold == syntax.Exact, opLit, opFold)
		return c.node(node{op: how, lit: t.Lit, ascii: t.Fold == syntax.ASCII}, next, t.First)
	case syntax.Char:
		return c.node(node{op: opClass, class: t.Class}, next, func(syntax.First) syntax.First { return t.Class.First() })
	case syntax.Cat:
		for i := len(t.Subs) - 1; i >= 0; i-- {
			next = c.tree(t.Subs[i], next)
		}
		return next
	case syntax.Alt:
		return c.choice(c.branch(node{op: opAlt}, t, next))
	case syntax.Group:
		c.opened = append(c.opened, t.Group)
		end := c.node(node{op: opSave, slot: int32(2*t.Group + 1)}, next, itself)
		end.blur(t)
		sub := c.tree(t.Subs[0], end)
		c.opened = c.opened[:len(c.opened)-1]
		begin := c.node(node{op: opSave, slot: int32(2 * t.Group)}, sub, itself)
		begin.blur(t)
		return begin
	case syntax.Repeat:
		return c.repeat(t, next)
	case syntax.Assert:
		return c.node(node{op: opAssert, assert: t.Assert, ascii: t.ASCII}, next, t.First)
	case syntax.Look:
		return c.look(t, next)
	case syntax.Atomic:
		n := c.node(node{op: opAtomic}, next, t.First)
		n.blur(t)
		n.sub = c.sub(t.Subs[0], n, false)
		return n
	case syntax.Back:
		n := c.node(node{op: opBack, slot: int32(2 * t.Group), fold: t.Fold}, next, anything)
		n.keep = c.merge(t, next.keep)
		return n
	case syntax.Cond:
		return c.branch(node{op: opCond, slot: int32(2 * t.Group)}, t, next)
	}
	return next
}

func anything(syntax.First) syntax.First { return syntax.Anything }

// branch adds n, which leads through one of the branches of t.
func (c *compiler) branch(n node, t *syntax.Node, next *node) *node {
	b := c.node(n, next, func(syntax.First) syntax.First { return syntax.First{} })
	b.keep = c.merge(t, next.keep)
	for _, s := range t.Subs {
		a := c.tree(s, next)
		b.alts = append(b.alts, a)
		b.first = b.first.Or(a.first)
	}
	b.choose(c.cond(t.Group))
	return b
}

// choose finds out what an opAlt or opCond with its branches can begin with, once a
// group is known. The bit is that of the group which an opCond asks for.
func (n *node) choose(bit int) {
	n.when = nil
	if n.op == opCond {
		if bit != 0 {
			n.when = n.known(choice{int(n.slot), [2]syntax.First{n.alts[1].first, n.alts[0].first}})
		}
		return
	}
	w := choice{slot: -1}
	for _, a := range n.alts {
		n.asks = n.asks || a.when != nil
	}
	for _, a := range n.alts {
		switch {
		case a.when == nil:
		case w.slot >= 0 && w.slot != a.when.slot:
			return
		default:
			w.slot = a.when.slot
		}
	}
	if w.slot < 0 {
		return
	}
	for _, a := range n.alts {
		for took := range w.sets {
			w.sets[took] = w.sets[took].Or(*a.begins(took == 1))
		}
	}
	n.when = n.known(w)
}

// begins returns what the node can begin with, if the group took part or not.
func (n *node) begins(took bool) *syntax.First {
	if n.when == nil {
		return &n.first
	}
	return &n.when.sets[pick(took, 1, 0)]
}

// merge returns the state of a node that leads through t to what depends on k.
func (c *compiler) merge(t *syntax.Node, k *state) *state {
	s := *k
	t.Any(func(t *syntax.Node) bool {
		switch t.Kind {
		case syntax.Back:
			s.tainted = true
		case syntax.Cond:
			bit := c.cond(t.Group)
			s.conds |= bit
			s.tainted = s.tainted || bit == 0
			for _, g := range c.opened {
				s.tainted = s.tainted || g == t.Group // it asks for a group that it is inside of
			}
		}
		return false
	})
	if s.tainted == k.tainted && s.conds == k.conds {
		return k
	}
	return &s
}

// repeat returns the graph of a repetition.
func (c *compiler) repeat(t *syntax.Node, next *node) *node {
	body := t.Subs[0]
	if n := c.run(t, next); n != nil {
		return n
	}
	if t.Greed == syntax.Possessive {
		// Each time is for good, and so is how many times.
		once := &syntax.Node{Kind: syntax.Atomic, Subs: []*syntax.Node{body}}
		all := *t
		all.Greed, all.Subs = syntax.Greedy, []*syntax.Node{once}
		return c.tree(&syntax.Node{Kind: syntax.Atomic, Subs: []*syntax.Node{&all}}, next)
	}
	slot := -1
	if body.Nullable() && t.Max != 1 {
		slot = c.slots
		c.slots++
	}
	switch {
	case t.Max == syntax.Unbounded:
		next = c.loop(t, slot, next, nil)
	case t.Max > t.Min:
		// The copies from the last to the first; each leads to the one behind it.
		after := next
		for i := t.Min; i < t.Max && c.nodes <= maxNodes; i++ {
			after = c.loop(t, slot, next, after)
		}
		next = after
	}
	if slot >= 0 && t.Max != t.Min {
		next = c.node(node{op: opReset, slot: int32(slot)}, next, itself)
	}
	for i := 0; i < t.Min && c.nodes <= maxNodes; i++ {
		next = c.tree(body, next)
	}
	return next
}

// loop returns a node that may go through the body of t to after, or on to next.
// Without after, the body leads back to the node itself.
func (c *compiler) loop(t *syntax.Node, slot int, next, after *node) *node {
	body := t.Subs[0]
	around := func(f syntax.First) syntax.First { return body.First(f).Or(f) }
	n := c.node(node{op: opLoop, greed: t.Greed, slot: int32(slot)}, next, around)
	if after == nil {
		after = n
	} else if n.first = body.First(after.first).Or(next.first); n.when != nil {
		for took := range n.when.sets {
			n.when.sets[took] = body.First(*after.begins(took == 1)).Or(*next.begins(took == 1))
		}
	}
	n.blur(body)
	n.keep = c.merge(t, next.keep)
	c.choice(n)
	if slot < 0 {
		n.sub = c.tree(body, after)
		return n
	}
	// Where the body has matched nothing so far, the loop will not go on.
	inside := *after.keep
	inside.loops = append(inside.loops[:len(inside.loops):len(inside.loops)], slot)
	link := c.node(node{op: opAlt, alts: []*node{after}}, after, itself)
	link.keep = &inside
	n.sub = c.tree(body, link)
	return n
}

// bounded returns a number of characters as it is, or one that no text has.
func bounded(n int) int32 { return int32(min(n, maxText+1)) }

// run returns the node of a repetition of single characters, nil if t is none.
func (c *compiler) run(t *syntax.Node, next *node) *node {
	body, stop := t.Subs[0], ""
	if body.Kind == syntax.Cat && len(body.Subs) == 2 && t.Min <= 1 {
		// (?:(?!lit).)* ends before the first lit.
		if l := body.Subs[0]; l.Kind == syntax.Look && l.Not && !l.Behind && l.Subs[0].Kind == syntax.Lit && l.Subs[0].Fold == syntax.Exact {
			stop, body = l.Subs[0].Lit, body.Subs[1]
		}
	}
	class := syntax.Single(body)
	if class == nil {
		return nil
	}
	n := c.node(node{
		op: opRun, class: class, lit: stop, min: bounded(t.Min), max: bounded(t.Max), greed: t.Greed,
		one: int32(next.first.Only()),
	}, next, func(f syntax.First) syntax.First {
		if t.Min == 0 {
			return class.First().Or(f)
		}
		return class.First()
	})
	shared := class.First().And(next.first)
	shared.End = false
	n.whole = t.Greed == syntax.Possessive || stop == "" && shared == syntax.First{}
	n.after = next.literal()
	n.plain = next.when == nil && n.after == "" && next.op != opClass
	return c.choice(n)
}

// literal returns the literal that the node begins with, "" if it is not one of several
// bytes.
func (n *node) literal() string {
	for n.op == opSave {
		n = n.next
	}
	if n.op != opLit || len(n.lit) == 1 {
		return ""
	}
	return n.lit
}

// look returns the node of a look-around.
func (c *compiler) look(t *syntax.Node, next *node) *node {
	n := c.node(node{op: opLook, not: t.Not, behind: t.Behind, width: int32(t.Width)}, next, itself)
	n.blur(t)
	captures := t.Any(func(s *syntax.Node) bool { return s.Kind == syntax.Group })
	n.verdict = t.Not || !captures
	c.re.looks = c.re.looks || n.verdict
	n.sub = c.sub(t.Subs[0], n, n.verdict)
	n.keep = c.merge(t, next.keep)
	if !t.Not && !t.Behind {
		n.first, n.when = n.first.And(n.sub.first), nil
	}
	return n
}

// sub returns the graph of what an opLook or opAtomic tries on its own.
func (c *compiler) sub(t *syntax.Node, n *node, verdict bool) *node {
	if !verdict && t.Any(func(s *syntax.Node) bool { return s.Kind == syntax.Repeat && s.Max == syntax.Unbounded }) {
		c.linear = false // its success is not remembered
	}
	n.keep = c.merge(t, n.next.keep)
	end := &node{op: opHeld, first: syntax.Anything, slot: -1, rows: -1, keep: &state{verdict: verdict}}
	return c.tree(t, end)
}
