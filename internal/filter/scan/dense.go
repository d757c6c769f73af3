package scan

// A dense automaton looks at every byte, once, for all literals in either case: it
// is that of Aho and Corasick, with a transition for each class of bytes.
type dense struct {
	class [256]uint8
	shift uint      // a state is its number times the number of classes, rounded up to a power of two
	next  []uint32  // by state and class
	first uint32    // the first state that has something to tell
	ends  [][]int32 // by number from there: the literals that end here
}

// A branch is a state while the automaton is made.
type branch struct {
	to   map[uint8]int
	ends []int32
	fail int
}

func newDense(lits []Literal) *dense {
	d := &dense{}
	classes := d.classify(lits)
	for 1<<d.shift < classes {
		d.shift++
	}
	tree := d.tree(lits)
	width := 1 << d.shift
	moves := make([]int, len(tree)*width)
	order := []int{0}
	for i := 0; i < len(order); i++ {
		s := order[i]
		for c := range width {
			t, ok := tree[s].to[uint8(c)]
			if !ok {
				if s != 0 {
					moves[s*width+c] = moves[tree[s].fail*width+c]
				}
				continue
			}
			if s != 0 {
				tree[t].fail = moves[tree[s].fail*width+c]
			}
			tree[t].ends = append(tree[t].ends, tree[tree[t].fail].ends...)
			moves[s*width+c] = t
			order = append(order, t)
		}
	}
	d.number(tree, moves, order)
	return d
}

// classify gives each byte that some literal has a class of its own, letters of
// either case one. All others are class 0.
func (d *dense) classify(lits []Literal) int {
	n := 1
	for _, l := range lits {
		for i := range len(l.Text) {
			b := lower(l.Text[i])
			if d.class[b] == 0 {
				d.class[b] = uint8(n)
				n++
			}
		}
	}
	for b := 'A'; b <= 'Z'; b++ {
		d.class[b] = d.class[b+'a'-'A']
	}
	return n
}

func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

// tree returns the literals as paths from the first branch.
func (d *dense) tree(lits []Literal) []*branch {
	tree := []*branch{{to: map[uint8]int{}}}
	for n, l := range lits {
		s := 0
		for i := range len(l.Text) {
			c := d.class[l.Text[i]]
			t, ok := tree[s].to[c]
			if !ok {
				t = len(tree)
				tree = append(tree, &branch{to: map[uint8]int{}})
				tree[s].to[c] = t
			}
			s = t
		}
		tree[s].ends = append(tree[s].ends, int32(n))
	}
	return tree
}

// number puts the states with something to tell last, so that one comparison tells
// them from the others.
func (d *dense) number(tree []*branch, moves, order []int) {
	place := make([]uint32, len(tree))
	n := uint32(0)
	for _, s := range order {
		if len(tree[s].ends) == 0 {
			place[s] = n << d.shift
			n++
		}
	}
	d.first = n << d.shift
	for _, s := range order {
		if len(tree[s].ends) > 0 {
			place[s] = n << d.shift
			d.ends = append(d.ends, tree[s].ends)
			n++
		}
	}
	d.next = make([]uint32, len(moves))
	width := 1 << d.shift
	for s := range tree {
		for c := range width {
			d.next[int(place[s])+c] = place[moves[s*width+c]]
		}
	}
}

// run looks for all literals.
func (s *Search) run(d *dense, text []byte) {
	state := uint32(0)
	for i, b := range text {
		state = d.next[state+uint32(d.class[b])]
		if state < d.first {
			continue
		}
		for _, lit := range d.ends[(state-d.first)>>d.shift] {
			l := &s.gate.lits[lit]
			if l.Fold || l.at(text, i+1-len(l.Text)) {
				s.found = append(s.found, found{int32(i), lit})
			}
		}
	}
}
