package syntax

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of what is worth searching for.
const (
	leastLiteral = 2
	goodLiteral  = 6   // need not be put together with others to be better
	mostLiterals = 100 // of one set
	mostProduct  = 16  // of one set whose literals are put together from parts
	mostMembers  = 8   // of a class that stands for its characters
	mostText     = 256 // bytes of one literal
	mostSets     = 8
	mostCloser   = 4 // sets that say more closely what others say, of so many literals each
)

// A Literal is a text that must occur in what matches.
type Literal struct {
	Text string // lower-case if Fold
	Fold bool   // ASCII letters may be of either case
}

// Required returns sets of literals, the best first: every text that t matches
// holds at least one of each. Behind them are sets of more and longer literals that
// say the same more closely: in some texts these are much rarer.
func Required(t *Node) [][]Literal {
	c := collector{}
	c.tree(t)
	c.flush()
	best := func(sets [][]Literal, most int) [][]Literal {
		slices.SortStableFunc(sets, func(a, b []Literal) int { return cmp.Compare(worth(b), worth(a)) })
		return sets[:min(len(sets), most)]
	}
	return append(best(c.sets, mostSets), best(c.closer, mostCloser)...)
}

// Needed returns the first set of few literals that are found quickly.
func Needed(sets [][]Literal) []string {
	for _, set := range sets {
		if len(set) > 4 || slices.ContainsFunc(set, func(l Literal) bool { return l.Fold }) {
			continue
		}
		var all []string
		for _, l := range set {
			all = append(all, strings.Clone(l.Text))
		}
		return all
	}
	return nil
}

// worth says how good a set is to search for: few literals, and long ones.
func worth(set []Literal) int { return 4*min(shortest(set), 16) - len(set) }

func shortest(set []Literal) int {
	n := len(set[0].Text)
	for _, l := range set {
		n = min(n, len(l.Text))
	}
	return n
}

// A collector goes through a tree from left to right.
type collector struct {
	sets   [][]Literal
	closer [][]Literal
	ends   []Literal // what was matched so far ends with one of these; nil if that is not known
}

// flush keeps what was put together; a gap follows.
func (c *collector) flush() {
	if set, ok := tidy(c.ends); ok {
		c.sets = append(c.sets, set)
	}
	c.ends = nil
}

// add takes in that one of set follows at once. One good literal is better than
// several that are longer.
func (c *collector) add(set []Literal) {
	if c.ends != nil && (len(set) > 1 && shortest(c.ends) >= goodLiteral || len(c.ends) > 1 && len(set) == 1 && shortest(set) >= goodLiteral) {
		if both, ok := product(c.ends, set); ok && len(both) <= 2*mostCloser {
			if both, ok = tidy(both); ok {
				c.closer = append(c.closer, both)
			}
		}
		c.flush()
	}
	all, ok := product(c.ends, set)
	if !ok {
		c.flush()
		all = set
	}
	c.ends = all
}

// product returns each of a followed by each of b, if that is possible and not
// too much.
func product(a, b []Literal) ([]Literal, bool) {
	if a == nil {
		return b, true
	}
	n := len(a) * len(b)
	if n > mostLiterals || n > mostProduct && len(a) > 1 && len(b) > 1 || len(a[0].Text)+len(b[0].Text) > mostText {
		return nil, false
	}
	var all []Literal
	for _, l := range a {
		for _, r := range b {
			fold := l.Fold
			if l.Fold != r.Fold {
				if !caseless(l.Text) && !caseless(r.Text) {
					return nil, false
				}
				fold = pick(caseless(l.Text), r.Fold, l.Fold)
			}
			all = append(all, Literal{l.Text + r.Text, fold})
		}
	}
	return all, true
}

func (c *collector) tree(t *Node) {
	switch t.Kind {
	case Cat:
		for _, s := range t.Subs {
			c.tree(s)
		}
		return
	case Group, Atomic:
		c.tree(t.Subs[0])
		return
	}
	set, ok := all(t)
	if t.Kind == Alt || t.Kind == Cond {
		part := either(t.Subs)
		if !ok || part != nil && len(part) < len(set) && shortest(part) >= goodLiteral {
			c.flush()
			if part != nil {
				c.sets = append(c.sets, part)
			}
			if ok {
				c.ends = set
			}
			return
		}
	}
	if ok {
		c.add(set)
		return
	}
	switch t.Kind {
	case Lit:
		c.folded(t.Lit)
	case Repeat:
		if t.Min > 0 {
			c.tree(t.Subs[0])
		}
		c.flush()
	default:
		c.flush()
	}
}

// folded takes in a literal in any case. Some letters of ASCII are equal to
// letters beyond it, which makes a gap.
func (c *collector) folded(lit string) {
	for {
		n := strings.IndexAny(lit, "iks")
		if n < 0 {
			break
		}
		c.add([]Literal{{lit[:n], true}})
		c.flush()
		lit = lit[n+1:]
	}
	c.add([]Literal{{lit, true}})
}

// either returns the best sets of the branches as one, nil if one has none.
func either(branches []*Node) []Literal {
	var all []Literal
	for _, b := range branches {
		sets := Required(b)
		if len(sets) == 0 || len(all)+len(sets[0]) > mostLiterals {
			return nil
		}
		all = append(all, sets[0]...)
	}
	set, _ := tidy(all)
	return set
}

// all returns every text that t matches, if these are few.
func all(t *Node) ([]Literal, bool) {
	switch t.Kind {
	case Empty, Assert, Look:
		return []Literal{{}}, true
	case Lit:
		return []Literal{{t.Lit, t.Fold != Exact}}, t.Fold != Unicode || !strings.ContainsAny(t.Lit, "iks")
	case Char:
		return t.Class.members()
	case Group, Atomic:
		return all(t.Subs[0])
	case Cat:
		set := []Literal{{}}
		for _, s := range t.Subs {
			more, ok := all(s)
			if ok {
				set, ok = product(set, more)
			}
			if !ok {
				return nil, false
			}
		}
		return set, true
	case Alt, Cond:
		var set []Literal
		for _, s := range t.Subs {
			more, ok := all(s)
			if !ok || len(set)+len(more) > mostLiterals {
				return nil, false
			}
			set = append(set, more...)
		}
		return set, true
	case Repeat:
		once, ok := all(t.Subs[0])
		if !ok || t.Min != t.Max || t.Min > mostProduct {
			return nil, false
		}
		set := once
		for range t.Min - 1 {
			if set, ok = product(set, once); !ok {
				return nil, false
			}
		}
		return set, true
	}
	return nil, false
}

// members returns the characters of the class, if these are few.
func (c *Class) members() ([]Literal, bool) {
	var set []Literal
	for b := range utf8.RuneSelf {
		switch letter := 'a' <= b && b <= 'z'; {
		case !c.Tab[b], c.fold != Exact && 'A' <= b && b <= 'Z':
		default:
			set = append(set, Literal{string(rune(b)), c.fold != Exact && letter})
		}
	}
	return set, !c.some && !c.Tab[utf8.RuneSelf] && 0 < len(set) && len(set) <= mostMembers
}

// tidy returns the literals of a set that have to be searched for, in one line
// each. It reports false if the set is not worth it.
func tidy(set []Literal) ([]Literal, bool) {
	var lines []Literal
	for _, l := range set {
		long := ""
		for piece := range strings.SplitSeq(l.Text, "\n") {
			if len(piece) > len(long) {
				long = piece
			}
		}
		if len(long) < leastLiteral {
			return nil, false
		}
		lines = append(lines, Literal{long, l.Fold && !caseless(long)})
	}
	var out []Literal
	for i, l := range lines {
		implied := func(k int, o Literal) bool {
			text := l.Text
			if o.Fold {
				text = strings.ToLower(text)
			}
			return k != i && (o.Fold || !l.Fold) && strings.Contains(text, o.Text) && (o != l || k < i)
		}
		if !anyIndex(lines, implied) {
			out = append(out, l)
		}
	}
	return out, len(out) > 0
}

func anyIndex[T any](s []T, f func(int, T) bool) bool {
	for i, v := range s {
		if f(i, v) {
			return true
		}
	}
	return false
}
