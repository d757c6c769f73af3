// Package way remembers how searches went. The lines of a program are of a few kinds, and a
// search does the same on all of a kind: what it asks of the text has the same answers, only
// the words are others. A way is these questions and answers, without what the search does
// in between, nor what it tried in vain. A text that gives all the answers is searched by
// that.
//
// It must not record searches itself: who searches knows what was asked.
package way

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/edgeban/edgeban/internal/filter/pyre/graph"
	"github.com/edgeban/edgeban/internal/filter/pyre/syntax"
)

// A Way is how a search went that began at the start of the text.
type Way struct {
	facts []Fact
	slots []Mark // of the groups; where it found nothing there are none
}

// A Mark is a place in a text: so many bytes behind one that was found on the way.
type Mark struct {
	Reg uint32
	Off int32
}

// The registers keep the places that were found, and two that are known.
const (
	regStart = iota // the start of the text
	RegNone         // -1
	RegFirst        // the first that is found

	MostRegs = 64
)

const (
	MostText  = 1 << 10 // bytes of a text that ways are for
	mostFacts = 96
)

// A What is what a fact says of the text at a place.
type What uint8

// What a search has asked, and the answer.
const (
	IsLit   What = iota // Lit stands here
	NotLit              // it does not
	IsFold              // the literal of Node stands here in any case
	NotFold             // it does not
	IsOf                // a byte of Set stands here
	IsEnd               // the text ends here
	IsWhole             // the run of Node ends at To, and nowhere else
	NoWhole             // there is none
	IsRun               // the run of Node ends at To first, for it may end at several places
	NoRun               // there is none
	IsNext              // where the run of Node has ended at Run.Back, it may end at To next
	NoNext              // it may not
	IsSo                // what Node asserts holds
	NotSo               // it does not
	Comes               // Lit stands here or later
	Gone                // it does not

	// What some of these are where they can be looked at more quickly.
	isByte // IsLit of one byte
	isWord // IsLit of up to eight bytes
	isSpan // IsWhole or IsRun, of characters that are looked up one by one
)

// A Fact is one answer.
type Fact struct {
	What  What
	b     byte  // isByte
	shift uint8 // isWord: bits that do not count
	To    uint8 // the register of the place that is found
	At    Mark
	min   int32 // isSpan
	max   int32
	word  uint64
	Lit   string
	Set   *[256]bool // IsOf, isSpan
	Run   *Run
	Node  *graph.Node
}

// A Run is what is asked where a run may end at several places.
type Run struct {
	Next, Behind *syntax.First // what can follow it, and a single character that follows it
	Back         Mark
}

// New returns the way of a search with these facts and slots, nil if it is too long.
func New(facts []Fact, slots []Mark) *Way {
	w := &Way{needed(facts), slots}
	if len(w.facts) > mostFacts {
		return nil
	}
	return w
}

// Places are those that were found on a way, by register.
type Places [MostRegs]int32

// Plus returns the mark n bytes behind.
func (p Mark) Plus(n int32) Mark { return Mark{p.Reg, p.Off + n} }

// in returns where a mark is.
func (p Mark) in(at *Places) int { return int(at[p.Reg&(MostRegs-1)] + p.Off) }

// Goes reports whether a text is one of the way, and finds all its places.
func (w *Way) Goes(t []byte, at *Places) bool {
	at[regStart], at[RegNone] = 0, -1
	for k := range w.facts {
		f := &w.facts[k]
		i := f.At.in(at)
		switch f.What {
		case isByte:
			if i >= len(t) || t[i] != f.b {
				return false
			}
		case IsOf:
			if i >= len(t) || !f.Set[t[i]] {
				return false
			}
		case isWord:
			if i+8 > len(t) {
				if end := i + len(f.Lit); end > len(t) || string(t[i:end]) != f.Lit {
					return false
				}
			} else if binary.LittleEndian.Uint64(t[i:])<<f.shift != f.word {
				return false
			}
		case IsLit:
			if end := i + len(f.Lit); end > len(t) || string(t[i:end]) != f.Lit {
				return false
			}
		case isSpan:
			limit, end := min(len(t), i+int(f.max)), i
			for end < limit && f.Set[t[end]] {
				end++
			}
			if end > len(t) || end < i+int(f.min) || end < len(t) && t[end] >= utf8.RuneSelf {
				return false // behind the text: what says that it goes on to here may come later
			}
			if f.Run != nil && (end == len(t) || !f.Run.Next.Has(t[end])) {
				if end = f.down(t, i+int(f.min), end); end < 0 {
					return false
				}
			}
			at[f.To&(MostRegs-1)] = int32(end)
		default:
			if !f.meets(t, i, at) {
				return false
			}
		}
	}
	return true
}

// meets reports whether a rarer fact is one of the text.
func (f *Fact) meets(t []byte, i int, at *Places) bool {
	n, to := f.Node, &at[f.To&(MostRegs-1)]
	if i > len(t) {
		return false
	}
	switch f.What {
	case IsWhole:
		end := n.Class.ASCII(t, i, n.Max)
		*to = int32(end)
		return end >= i+int(n.Min) && !(end < len(t) && t[end] >= utf8.RuneSelf)
	case NoWhole:
		end := n.Class.ASCII(t, i, n.Max)
		return end < i+int(n.Min) && !(end < len(t) && t[end] >= utf8.RuneSelf)
	case IsRun:
		end, ok := f.Runs(t, i)
		*to = int32(end)
		return ok && end >= 0
	case NoRun:
		end, ok := f.Runs(t, i)
		return ok && end < 0
	case IsNext:
		end := f.RunsOn(t, i, f.Run.Back.in(at))
		*to = int32(end)
		return end >= 0
	case NoNext:
		return f.RunsOn(t, i, f.Run.Back.in(at)) < 0
	case IsEnd:
		return i == len(t)
	case NotLit:
		return !bytes.HasPrefix(t[i:], []byte(f.Lit))
	case IsFold:
		return syntax.FoldPrefix(t, i, n.Lit, n.ASCII) == i+len(n.Lit)
	case NotFold:
		return syntax.FoldPrefix(t, i, n.Lit, n.ASCII) < 0
	case IsSo, NotSo:
		return n.Assert.Holds(t, i, n.ASCII) == (f.What == IsSo)
	case Comes:
		return bytes.Contains(t[i:], []byte(f.Lit))
	case Gone:
		return !bytes.Contains(t[i:], []byte(f.Lit))
	}
	return false
}

// Runs returns where the run of a node ends that may end at several places, -1 if it
// cannot; and whether that is known.
func (f *Fact) Runs(t []byte, i int) (int, bool) {
	n := f.Node
	switch {
	case n.Greed == syntax.Lazy:
		return f.up(t, i), true
	case n.Code != graph.OpGreedy:
		return f.down(t, i, n.Reach(t, i, len(t))), true
	}
	end, lo := n.Class.ASCII(t, i, n.Max), i+int(n.Min)
	switch {
	case end < len(t) && t[end] >= utf8.RuneSelf:
		return 0, false
	case end < lo:
		return -1, true
	case n.Min == 1 && t[i] >= utf8.RuneSelf:
		return 0, false
	}
	if n.After != "" {
		end = syntax.Last(t, n.After, lo, end)
	}
	if !n.Plain || end == len(t) || !f.Run.Next.Has(t[end]) {
		end = f.down(t, lo, end)
	}
	return end, true
}

// RunsOn returns the place after p where the run at i may end, -1 for none.
func (f *Fact) RunsOn(t []byte, i, p int) int {
	n := f.Node
	if n.Greed != syntax.Lazy {
		return f.down(t, i+int(n.Min), p-1)
	}
	if w := n.Step(t, p); p < len(t) && w > 0 {
		return f.up(t, p+w)
	}
	return -1
}

// down is that of the machine.
func (f *Fact) down(t []byte, lo, from int) int {
	for p := from; p >= lo; p-- {
		switch {
		case !f.Run.Next.At(t, p):
		case f.Node.After != "" && !bytes.HasPrefix(t[p:], []byte(f.Node.After)):
		case p < len(t) && t[p]&0xC0 == 0x80 && p > lo && syntax.Inside(t, p):
		case f.Run.Behind != nil && p < len(t) && t[p] < utf8.RuneSelf && !f.Run.Behind.At(t, p+1):
		default:
			return p
		}
	}
	return -1
}

// up is that of the machine.
func (f *Fact) up(t []byte, p int) int {
	n := f.Node
	for !f.Run.Next.At(t, p) || n.After != "" && !bytes.HasPrefix(t[p:], []byte(n.After)) {
		w := 0
		if p < len(t) {
			w = n.Step(t, p)
		}
		if w == 0 {
			return -1
		}
		p += w
	}
	return p
}

// Found reports whether the search has found something.
func (w *Way) Found() bool { return len(w.slots) > 0 }

// Span returns where a group lies, as Matcher.Span does.
func (w *Way) Span(at *Places, group int) (start, end int) {
	start, end = w.slots[2*group].in(at), w.slots[2*group+1].in(at)
	if start < 0 || end < start {
		return -1, -1
	}
	return start, end
}

// needed returns the facts without those that follow from others.
func needed(facts []Fact) []Fact {
	var all []Fact
	for _, f := range facts {
		if f.What == IsLit {
			if k := slices.IndexFunc(all, func(g Fact) bool {
				return g.What == IsLit && g.At.Reg == f.At.Reg && g.At.Off+int32(len(g.Lit)) == f.At.Off
			}); k >= 0 {
				all[k].Lit += f.Lit
				continue
			}
		}
		all = append(all, f)
	}
	lits := all
	all = nil
	for _, f := range lits {
		if !slices.ContainsFunc(lits, func(g Fact) bool { return g.implies(&f) }) {
			all = append(all, f)
		}
	}
	for k := range all {
		all[k].hasten()
	}
	return all
}

// implies reports whether another fact follows from this.
func (g *Fact) implies(f *Fact) bool {
	switch {
	case f.At.Reg != g.At.Reg:
		return false
	case g.What == IsLit && f.What == IsOf:
		k := int(f.At.Off - g.At.Off)
		return 0 <= k && k < len(g.Lit) && f.Set[g.Lit[k]]
	case g.What == IsLit && f.What == NotLit:
		k := int(f.At.Off - g.At.Off)
		if k < 0 || k >= len(g.Lit) {
			return false
		}
		rest := g.Lit[k:]
		return !strings.HasPrefix(f.Lit, rest) && !strings.HasPrefix(rest, f.Lit)
	case g.What == IsOf && f.What == NotLit && f.At == g.At:
		return !g.Set[f.Lit[0]]
	case (g.What == IsWhole || g.What == IsRun && g.Node.Code == graph.OpGreedy) && f.What == IsOf && f.At == g.At:
		n := g.Node
		if n.Min == 0 || n.Class.Tab[utf8.RuneSelf] {
			return false
		}
		for b := range utf8.RuneSelf {
			if n.Class.Tab[b] && !f.Set[b] {
				return false
			}
		}
		return true
	}
	return false
}

// hasten makes of a fact one that is looked at more quickly.
func (f *Fact) hasten() {
	switch {
	case f.What == IsLit && len(f.Lit) == 1:
		f.What, f.b = isByte, f.Lit[0]
	case f.What == IsLit && len(f.Lit) <= 8:
		var b [8]byte
		copy(b[:], f.Lit)
		f.What, f.shift = isWord, uint8(64-8*len(f.Lit))
		f.word = binary.LittleEndian.Uint64(b[:]) << f.shift
	case f.What == IsWhole && f.scanned(), f.What == IsRun && f.scanned() && f.Node.Plain && f.ascii():
		f.What, f.Set, f.min, f.max = isSpan, &f.Node.Class.Tab, f.Node.Min, f.Node.Max
		if f.max == syntax.Unbounded {
			f.max = MostText
		}
	}
}

// scanned reports whether each character of a run is looked at, and its end decides.
func (f *Fact) scanned() bool {
	n := f.Node
	return (n.Code == graph.OpWhole || n.Code == graph.OpGreedy) && (n.Max != syntax.Unbounded || n.Class.Stop < 0)
}

// ascii reports whether a run has none but characters of ASCII, and begins with one.
func (f *Fact) ascii() bool { return f.Node.Min == 0 || !f.Node.Class.Tab[utf8.RuneSelf] }
