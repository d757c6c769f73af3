// Package graph is what an expression becomes before it is searched for: nodes that know
// what can follow. It must not know how a search is done.
package graph

import (
	"bytes"
	"unicode/utf8"

	"github.com/edgeban/edgeban/internal/filter/pyre/syntax"
)

// A Graph is an expression, as a search goes through it.
type Graph struct {
	Prog   *Node    // where it begins
	Nodes  []*Node  // by their ids
	Slots  int      // of the groups, two each, then of the loops
	Rows   int      // of the table of failures
	Conds  []int    // groups that conditions ask for
	Looks  bool     // some look-around has a verdict
	Linear bool     // whether failing is for good wherever there is a choice
	Owed   []string // see owed.go
}

// MaxText is how many bytes a text has at most.
const MaxText = 1 << 28

// An Op is what the machine does at a node.
type Op uint8

const (
	OpLit    Op = iota // lit stands here
	OpFold             // lit in any case
	OpClass            // one character of class
	OpRun              // min to max characters of class: order as greed says
	OpAlt              // one of alts: the first that leads to a match
	OpLoop             // sub, which leads back here or to the next of its copies; or next
	OpSave             // note the place in slot
	OpShut             // OpSave of the end of a group, after which lit is owed
	OpReset            // forget the place in slot
	OpAssert           // assert holds here
	OpLook             // sub leads to OpHeld, from here or from width characters before
	OpAtomic           // sub leads to OpHeld: go on from there, once
	OpHeld             // the end of a sub of OpLook and OpAtomic
	OpBack             // what the group of slot took
	OpCond             // alts[0] if the group of slot took part, else alts[1]
	OpMatch            // the end
	OpFail             // nothing leads on

	// What some of these are to the machine, see Node.Code.
	OpByte   // an OpLit of one byte
	OpWhole  // an OpRun of which only the longest run can lead on
	OpGreedy // an OpRun that is not lazy
)

// A Node is a step of the machine. The nodes of an expression are a graph: a node
// knows what is to come, so the failure of a node at a place means that nothing
// that begins with it there leads to a match (or, inside of a sub, to its end).
//
// A search is as fast as its nodes are near: what most steps ask for comes first.
type Node struct {
	Code  Op // what the machine does: op, or a quicker way to do it
	Op    Op
	Greed syntax.Greed
	Not   bool
	ASCII bool           // OpAssert: words are those of ASCII; OpFold: letters are
	Fold  syntax.Folding // OpBack
	// Of OpRun: the follow set is disjoint from the class, so that only the
	// longest run can lead on, whatever the greed.
	Whole    bool
	Behind   bool
	Verdict  bool // of OpLook: only whether it holds matters, not what it captures
	Asks     bool // some of alts has a when
	Plain    bool // OpGreedy: any byte that next begins with may be behind
	Assert   syntax.Assertion
	Slot     int32 // -1: none
	Min, Max int32
	Next     *Node
	Jump     *jump // nil if the next byte decides nothing
	Class    *syntax.Class
	Lit      string
	Sub      *Node

	First syntax.First
	When  *choice // nil: first is all that can be said
	After string  // OpRun: what stands behind it, "" if that is not one literal
	Alts  []*Node
	Keep  *state
	ID    int32 // its place in Graph.Nodes
	One   int32 // OpRun: the only byte that next begins with, -1 if there are others
	Width int32
	Rows  int // the first row of the table of failures, -1 if the node has none
}

// A choice is what a node can begin with, once it is known whether the group of slot
// took part: a condition to come asks for it, and the group is not on the way there.
type choice struct {
	Slot int
	sets [2]syntax.First // if it took no part, and if it did
}

// A state is what the failure of a node depends on besides the place.
type state struct {
	Tainted bool  // by what a back-reference to come will compare with: no failure is for good
	Loops   []int // slots of the loops around that may match nothing, outer first: each may have begun here, or before
	Conds   int   // a bit for each group, of Graph.Conds, that a condition to come asks for
	Verdict bool  // the node is inside of a look-around with verdict
}

// Least returns the end of the shortest run at i.
func (n *Node) Least(t []byte, i int) (int, bool) {
	if n.Min == 0 {
		return i, true
	}
	if n.Lit != "" && bytes.HasPrefix(t[i:], []byte(n.Lit)) {
		return i, false
	}
	if n.Min == 1 {
		w := n.Class.Width(t, i)
		return i + w, w > 0
	}
	end, took := n.Class.Take(t, i, int(n.Min))
	return end, took == int(n.Min)
}

// Reach returns the end of the longest run at i, not looking further than limit.
func (n *Node) Reach(t []byte, i, limit int) int {
	if n.Lit != "" {
		if k := bytes.Index(t[i:min(limit+len(n.Lit)-1, len(t))], []byte(n.Lit)); k >= 0 {
			limit = min(limit, i+k)
		}
	}
	if n.Max != syntax.Unbounded {
		end, _ := n.Class.Take(t[:max(limit, i)], i, int(n.Max))
		return end
	}
	return n.Class.Span(t, i, limit)
}

// Ahead returns how far from p, up to hi, what follows the run stands, -1 if it does not.
func (n *Node) Ahead(t []byte, p, hi int) int {
	if n.After != "" {
		return bytes.Index(t[p:min(hi+len(n.After), len(t))], []byte(n.After))
	}
	return bytes.IndexByte(t[p:min(hi+1, len(t))], byte(n.One))
}

// Step returns the length of the next character of a run, 0 if it ends at p.
func (n *Node) Step(t []byte, p int) int {
	if n.Lit != "" && bytes.HasPrefix(t[p:], []byte(n.Lit)) {
		return 0
	}
	return n.Class.Width(t, p)
}

// quickest returns what the machine does at a node.
func (n *Node) quickest() Op {
	switch {
	case n.Op == OpLit && len(n.Lit) == 1:
		return OpByte
	case n.Op != OpRun || n.Lit != "":
	case n.Class.Tab[utf8.RuneSelf] && (n.Min > 1 || n.Max != syntax.Unbounded): // bytes are not characters
	case n.Whole:
		return OpWhole
	case n.Greed != syntax.Lazy:
		return OpGreedy
	}
	return n.Op
}
