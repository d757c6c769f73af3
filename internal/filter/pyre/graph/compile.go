package graph

import (
	"fmt"

	"github.com/edgeban/edgeban/internal/filter/pyre/syntax"
)

// maxNodes bounds the memory of an expression: repetitions with a number copy
// what they repeat.
const maxNodes = 50_000

// maxStates is how many rows of the table of failures one node may have.
const maxStates = 16

// A compiler makes the graph from its end.
type compiler struct {
	g      *Graph
	nodes  int
	slots  int
	opened []int // groups that the tree at hand is inside of
	linear bool
}

// New makes the graph of an expression with so many groups, the whole match among
// them. The error is a *syntax.Error.
func New(t *syntax.Node, groups int) (*Graph, error) {
	g := &Graph{}
	c := &compiler{g: g, slots: 2 * groups, linear: true}
	c.findConds(t)
	g.Prog = c.tree(t, &Node{Op: OpMatch, First: syntax.Anything, Slot: -1, Rows: -1, Keep: &state{}})
	if c.nodes > maxNodes {
		return nil, &syntax.Error{Msg: fmt.Sprintf("repeated as often as it says, the expression has more than %d parts", maxNodes)}
	}
	g.Slots, g.Linear = c.slots, c.linear
	if p := g.Prog; t.Begins(syntax.TextBegin) && p.Op == OpAssert && p.Assert == syntax.TextBegin {
		g.Prog = p.Next // it is only tried where that holds
	}
	g.owe()
	g.jumps()
	return g, nil
}

// findConds numbers the groups that conditions ask for.
func (c *compiler) findConds(t *syntax.Node) {
	t.Any(func(s *syntax.Node) bool {
		if s.Kind == syntax.Cond && c.cond(s.Group) == 0 && len(c.g.Conds) < 4 {
			c.g.Conds = append(c.g.Conds, s.Group)
		}
		return false
	})
}

// cond returns the bit of a group that a condition asks for, 0 if it has none.
func (c *compiler) cond(group int) int {
	for i, g := range c.g.Conds {
		if g == group {
			return 1 << i
		}
	}
	return 0
}

// node adds n before next. It begins with what f makes of what next begins with.
func (c *compiler) node(n Node, next *Node, f func(syntax.First) syntax.First) *Node {
	c.nodes++
	n.Next, n.First, n.Keep, n.Rows = next, f(next.First), next.Keep, -1
	if w := next.When; w != nil {
		n.When = n.known(choice{w.Slot, [2]syntax.First{f(w.sets[0]), f(w.sets[1])}})
	}
	return &n
}

// known returns w if it says more than first does, else nil.
func (n *Node) known(w choice) *choice {
	if w.sets[0] == n.First && w.sets[1] == n.First {
		return nil
	}
	return &w
}

// itself is what a node begins with that takes nothing.
func itself(f syntax.First) syntax.First { return f }

// blur forgets what depends on a group that is set within t.
func (n *Node) blur(t *syntax.Node) {
	if n.When != nil && t.Any(func(s *syntax.Node) bool { return s.Kind == syntax.Group && 2*s.Group == n.When.Slot }) {
		n.When = nil
	}
}

// choice gives n rows in the table of failures, if failing there is for good.
func (c *compiler) choice(n *Node) *Node {
	k := n.Keep
	states := len(k.Loops) + 1
	if k.Conds != 0 {
		states <<= len(c.g.Conds)
	}
	if k.Tainted || states > maxStates {
		c.linear = false
		return n
	}
	n.Rows = c.g.Rows
	c.g.Rows += states
	return n
}

// tree returns the graph of t before next.
func (c *compiler) tree(t *syntax.Node, next *Node) *Node {
	if c.nodes > maxNodes {
		return next
	}
	switch t.Kind {
	case syntax.Lit:
		how := pick(t.Fold == syntax.Exact, OpLit, OpFold)
		return c.node(Node{Op: how, Lit: t.Lit, ASCII: t.Fold == syntax.ASCII}, next, t.First)
	case syntax.Char:
		return c.node(Node{Op: OpClass, Class: t.Class}, next, func(syntax.First) syntax.First { return t.Class.First() })
	case syntax.Cat:
		for i := len(t.Subs) - 1; i >= 0; i-- {
			next = c.tree(t.Subs[i], next)
		}
		return next
	case syntax.Alt:
		return c.choice(c.branch(Node{Op: OpAlt}, t, next))
	case syntax.Group:
		c.opened = append(c.opened, t.Group)
		end := c.node(Node{Op: OpSave, Slot: int32(2*t.Group + 1)}, next, itself)
		end.blur(t)
		sub := c.tree(t.Subs[0], end)
		c.opened = c.opened[:len(c.opened)-1]
		begin := c.node(Node{Op: OpSave, Slot: int32(2 * t.Group)}, sub, itself)
		begin.blur(t)
		return begin
	case syntax.Repeat:
		return c.repeat(t, next)
	case syntax.Assert:
		return c.node(Node{Op: OpAssert, Assert: t.Assert, ASCII: t.ASCII}, next, t.First)
	case syntax.Look:
		return c.look(t, next)
	case syntax.Atomic:
		n := c.node(Node{Op: OpAtomic}, next, t.First)
		n.blur(t)
		n.Sub = c.sub(t.Subs[0], n, false)
		return n
	case syntax.Back:
		n := c.node(Node{Op: OpBack, Slot: int32(2 * t.Group), Fold: t.Fold}, next, anything)
		n.Keep = c.merge(t, next.Keep)
		return n
	case syntax.Cond:
		return c.branch(Node{Op: OpCond, Slot: int32(2 * t.Group)}, t, next)
	}
	return next
}

func anything(syntax.First) syntax.First { return syntax.Anything }

// branch adds n, which leads through one of the branches of t.
func (c *compiler) branch(n Node, t *syntax.Node, next *Node) *Node {
	b := c.node(n, next, func(syntax.First) syntax.First { return syntax.First{} })
	b.Keep = c.merge(t, next.Keep)
	for _, s := range t.Subs {
		a := c.tree(s, next)
		b.Alts = append(b.Alts, a)
		b.First = b.First.Or(a.First)
	}
	b.choose(c.cond(t.Group))
	return b
}

// choose finds out what an OpAlt or OpCond with its branches can begin with, once a
// group is known. The bit is that of the group which an OpCond asks for.
func (n *Node) choose(bit int) {
	n.When = nil
	if n.Op == OpCond {
		if bit != 0 {
			n.When = n.known(choice{int(n.Slot), [2]syntax.First{n.Alts[1].First, n.Alts[0].First}})
		}
		return
	}
	w := choice{Slot: -1}
	for _, a := range n.Alts {
		n.Asks = n.Asks || a.When != nil
	}
	for _, a := range n.Alts {
		switch {
		case a.When == nil:
		case w.Slot >= 0 && w.Slot != a.When.Slot:
			return
		default:
			w.Slot = a.When.Slot
		}
	}
	if w.Slot < 0 {
		return
	}
	for _, a := range n.Alts {
		for took := range w.sets {
			w.sets[took] = w.sets[took].Or(*a.Begins(took == 1))
		}
	}
	n.When = n.known(w)
}

// Begins returns what the node can begin with, if the group took part or not.
func (n *Node) Begins(took bool) *syntax.First {
	if n.When == nil {
		return &n.First
	}
	return &n.When.sets[pick(took, 1, 0)]
}

// merge returns the state of a node that leads through t to what depends on k.
func (c *compiler) merge(t *syntax.Node, k *state) *state {
	s := *k
	t.Any(func(t *syntax.Node) bool {
		switch t.Kind {
		case syntax.Back:
			s.Tainted = true
		case syntax.Cond:
			bit := c.cond(t.Group)
			s.Conds |= bit
			s.Tainted = s.Tainted || bit == 0
			for _, g := range c.opened {
				s.Tainted = s.Tainted || g == t.Group // it asks for a group that it is inside of
			}
		}
		return false
	})
	if s.Tainted == k.Tainted && s.Conds == k.Conds {
		return k
	}
	return &s
}

// repeat returns the graph of a repetition.
func (c *compiler) repeat(t *syntax.Node, next *Node) *Node {
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
		next = c.node(Node{Op: OpReset, Slot: int32(slot)}, next, itself)
	}
	for i := 0; i < t.Min && c.nodes <= maxNodes; i++ {
		next = c.tree(body, next)
	}
	return next
}

// loop returns a node that may go through the body of t to after, or on to next.
// Without after, the body leads back to the node itself.
func (c *compiler) loop(t *syntax.Node, slot int, next, after *Node) *Node {
	body := t.Subs[0]
	around := func(f syntax.First) syntax.First { return body.First(f).Or(f) }
	n := c.node(Node{Op: OpLoop, Greed: t.Greed, Slot: int32(slot)}, next, around)
	if after == nil {
		after = n
	} else if n.First = body.First(after.First).Or(next.First); n.When != nil {
		for took := range n.When.sets {
			n.When.sets[took] = body.First(*after.Begins(took == 1)).Or(*next.Begins(took == 1))
		}
	}
	n.blur(body)
	n.Keep = c.merge(t, next.Keep)
	c.choice(n)
	if slot < 0 {
		n.Sub = c.tree(body, after)
		return n
	}
	// Where the body has matched nothing so far, the loop will not go on.
	inside := *after.Keep
	inside.Loops = append(inside.Loops[:len(inside.Loops):len(inside.Loops)], slot)
	link := c.node(Node{Op: OpAlt, Alts: []*Node{after}}, after, itself)
	link.Keep = &inside
	n.Sub = c.tree(body, link)
	return n
}

// bounded returns a number of characters as it is, or one that no text has.
func bounded(n int) int32 { return int32(min(n, MaxText+1)) }

// run returns the node of a repetition of single characters, nil if t is none.
func (c *compiler) run(t *syntax.Node, next *Node) *Node {
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
	n := c.node(Node{
		Op: OpRun, Class: class, Lit: stop, Min: bounded(t.Min), Max: bounded(t.Max), Greed: t.Greed,
		One: int32(next.First.Only()),
	}, next, func(f syntax.First) syntax.First {
		if t.Min == 0 {
			return class.First().Or(f)
		}
		return class.First()
	})
	shared := class.First().And(next.First)
	shared.End = false
	n.Whole = t.Greed == syntax.Possessive || stop == "" && shared == syntax.First{}
	n.After = next.literal()
	n.Plain = next.When == nil && n.After == "" && next.Op != OpClass
	return c.choice(n)
}

// literal returns the literal that the node begins with, "" if it is not one of several
// bytes.
func (n *Node) literal() string {
	for n.Op == OpSave {
		n = n.Next
	}
	if n.Op != OpLit || len(n.Lit) == 1 {
		return ""
	}
	return n.Lit
}

// look returns the node of a look-around.
func (c *compiler) look(t *syntax.Node, next *Node) *Node {
	n := c.node(Node{Op: OpLook, Not: t.Not, Behind: t.Behind, Width: int32(t.Width)}, next, itself)
	n.blur(t)
	captures := t.Any(func(s *syntax.Node) bool { return s.Kind == syntax.Group })
	n.Verdict = t.Not || !captures
	c.g.Looks = c.g.Looks || n.Verdict
	n.Sub = c.sub(t.Subs[0], n, n.Verdict)
	n.Keep = c.merge(t, next.Keep)
	if !t.Not && !t.Behind {
		n.First, n.When = n.First.And(n.Sub.First), nil
	}
	return n
}

// sub returns the graph of what an OpLook or OpAtomic tries on its own.
func (c *compiler) sub(t *syntax.Node, n *Node, verdict bool) *Node {
	if !verdict && t.Any(func(s *syntax.Node) bool { return s.Kind == syntax.Repeat && s.Max == syntax.Unbounded }) {
		c.linear = false // its success is not remembered
	}
	n.Keep = c.merge(t, n.Next.Keep)
	end := &Node{Op: OpHeld, First: syntax.Anything, Slot: -1, Rows: -1, Keep: &state{Verdict: verdict}}
	return c.tree(t, end)
}

func pick[T any](cond bool, yes, no T) T {
	if cond {
		return yes
	}
	return no
}
