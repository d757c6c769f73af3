package pyre

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf8"
)

type op uint8

const (
	oLit op = iota
	oFold
	oSet
	oSetLoop
	oAlt
	oLoop
	oSave
	oBegin
	oEnd
	oEndAbs
	oWB
	oNWB
	oLook
	oBehind
	oBack
	oCond
	oAccept
	oEmpty
	oFail
)

type set struct {
	b  [256]bool // ASCII
	hi bool      // non-ASCII runes match
}

type node struct {
	op       op
	next     *node
	lit      []byte
	set      *set
	min, max int // max<0: inf
	lazy     bool
	poss     bool // set loop: follow is disjoint
	one      byte // follow starts with this byte (if hasOne)
	hasOne   bool
	alts     []*node
	firsts   []*fset // nil = anything
	temper   bool
	sub      *node
	neg      bool
	slot     int
	nf       *fset // first set of next (nil = anything/nullable)
}

type Regex struct {
	prog   *node
	ncap   int
	Names  []string // by group index
	nslots int
	anch   bool
	first  *[256]bool
	ml     bool
	Budget int
	// state (single threaded prototype)
	t     []byte
	caps  []int
	lpos  []int
	trail []tr
	steps int
	over  bool
}

// ---------- AST ----------
type ast struct {
	k        byte // 'l' lit,'L' fold lit,'s' set,'c' concat,'a' alt,'r' repeat,'g' group,'^','$','Z','b','B','?' look,'<' behind,'k' backref,'i' cond,'e' empty
	lit      []byte
	set      *set
	sub      []*ast
	min, max int
	lazy     bool
	cap      int
	neg      bool
}
type parser struct {
	s     string
	i     int
	ncap  int
	names []string
	fold  bool
	err   error
}

func (p *parser) fail(f string, a ...any) *ast {
	if p.err == nil {
		p.err = fmt.Errorf(f, a...)
	}
	p.i = len(p.s)
	return &ast{k: 'e'}
}
func (p *parser) alt() *ast {
	var as []*ast
	as = append(as, p.seq())
	for p.i < len(p.s) && p.s[p.i] == '|' {
		p.i++
		as = append(as, p.seq())
	}
	if len(as) == 1 {
		return as[0]
	}
	return &ast{k: 'a', sub: as}
}
func (p *parser) seq() *ast {
	c := &ast{k: 'c'}
	for p.i < len(p.s) && p.s[p.i] != '|' && p.s[p.i] != ')' {
		a := p.atom()
		if a == nil {
			continue
		}
		a = p.quant(a)
		// merge literals
		if n := len(c.sub); n > 0 && (a.k == 'l' || a.k == 'L') && c.sub[n-1].k == a.k {
			c.sub[n-1].lit = append(c.sub[n-1].lit, a.lit...)
			continue
		}
		c.sub = append(c.sub, a)
	}
	return c
}
func (p *parser) quant(a *ast) *ast {
	for p.i < len(p.s) {
		mn, mx := -1, -1
		switch p.s[p.i] {
		case '*':
			mn, mx = 0, -1
			p.i++
		case '+':
			mn, mx = 1, -1
			p.i++
		case '?':
			mn, mx = 0, 1
			p.i++
		case '{':
			j := p.i + 1
			for j < len(p.s) && (p.s[j] >= '0' && p.s[j] <= '9' || p.s[j] == ',') {
				j++
			}
			if j >= len(p.s) || p.s[j] != '}' || j == p.i+1 {
				return a
			}
			b := p.s[p.i+1 : j]
			if k := bytes.IndexByte([]byte(b), ','); k >= 0 {
				mn, _ = strconv.Atoi(b[:k])
				mx = -1
				if b[k+1:] != "" {
					mx, _ = strconv.Atoi(b[k+1:])
				}
			} else {
				mn, _ = strconv.Atoi(b)
				mx = mn
			}
			p.i = j + 1
		default:
			return a
		}
		r := &ast{k: 'r', sub: []*ast{a}, min: mn, max: mx}
		if p.i < len(p.s) && p.s[p.i] == '?' {
			r.lazy = true
			p.i++
		}
		a = r
	}
	return a
}
func esc(c byte) (*set, bool) {
	s := &set{}
	in := func(f func(b byte) bool) {
		for i := 0; i < 128; i++ {
			s.b[i] = f(byte(i))
		}
	}
	dig := func(b byte) bool { return b >= '0' && b <= '9' }
	word := func(b byte) bool { return b == '_' || dig(b) || b|32 >= 'a' && b|32 <= 'z' }
	sp := func(b byte) bool { return b == ' ' || b >= 9 && b <= 13 || b >= 28 && b <= 31 }
	switch c {
	case 'd':
		in(dig)
	case 'D':
		in(func(b byte) bool { return !dig(b) })
		s.hi = true
	case 'w':
		in(word)
		s.hi = true // approximation: letters
	case 'W':
		in(func(b byte) bool { return !word(b) })
	case 's':
		in(sp)
	case 'S':
		in(func(b byte) bool { return !sp(b) })
		s.hi = true
	default:
		return nil, false
	}
	return s, true
}
func ectl(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 't':
		return '\t'
	case 'r':
		return '\r'
	case 'f':
		return '\f'
	case 'v':
		return '\v'
	}
	return c
}
func (p *parser) class() *ast {
	s := &set{}
	neg := false
	p.i++
	if p.i < len(p.s) && p.s[p.i] == '^' {
		neg = true
		p.i++
	}
	st := p.i
	for p.i < len(p.s) && (p.s[p.i] != ']' || p.i == st) {
		c := p.s[p.i]
		if c == '\\' {
			p.i++
			c = p.s[p.i]
			if e, ok := esc(c); ok {
				for i, v := range e.b {
					if v {
						s.b[i] = true
					}
				}
				s.hi = s.hi || e.hi
				p.i++
				continue
			}
			if c == 'b' {
				c = 8
			} else {
				c = ectl(c)
			}
		}
		if c >= 0x80 {
			p.fail("non-ascii class")
			return &ast{k: 'e'}
		}
		p.i++
		hi := c
		if p.i+1 < len(p.s) && p.s[p.i] == '-' && p.s[p.i+1] != ']' {
			p.i++
			hi = p.s[p.i]
			if hi == '\\' {
				p.i++
				hi = ectl(p.s[p.i])
			}
			p.i++
		}
		for x := int(c); x <= int(hi); x++ {
			s.b[x] = true
		}
	}
	p.i++
	if p.fold {
		for x := 'a'; x <= 'z'; x++ {
			if s.b[x] || s.b[x-32] {
				s.b[x], s.b[x-32] = true, true
			}
		}
	}
	if neg {
		for i := 0; i < 128; i++ {
			s.b[i] = !s.b[i]
		}
		s.hi = !s.hi
	}
	return &ast{k: 's', set: s}
}
func (p *parser) name(end byte) string {
	j := p.i
	for p.i < len(p.s) && p.s[p.i] != end {
		p.i++
	}
	n := p.s[j:p.i]
	p.i++
	return n
}
func (p *parser) idx(n string) int {
	for i, x := range p.names {
		if x == n && n != "" {
			return i
		}
	}
	if k, e := strconv.Atoi(n); e == nil {
		return k
	}
	p.fail("unknown group %q", n)
	return 0
}
func (p *parser) close(a *ast) *ast {
	if p.i >= len(p.s) || p.s[p.i] != ')' {
		return p.fail("missing )")
	}
	p.i++
	return a
}
func (p *parser) atom() *ast {
	c := p.s[p.i]
	switch c {
	case '(':
		r := p.s[p.i:]
		has := func(x string) bool {
			if len(r) >= len(x) && r[:len(x)] == x {
				p.i += len(x)
				return true
			}
			return false
		}
		of := p.fold
		defer func() { p.fold = of }()
		switch {
		case has("(?:"):
			return p.close(p.alt())
		case has("(?i:"):
			p.fold = true
			return p.close(p.alt())
		case has("(?i)"):
			p.fold = true
			of = true
			return nil
		case has("(?P<"):
			n := p.name('>')
			p.ncap++
			k := p.ncap
			p.names = append(p.names, n)
			return p.close(&ast{k: 'g', cap: k, sub: []*ast{p.alt()}})
		case has("(?P="):
			return &ast{k: 'k', cap: p.idx(p.name(')'))}
		case has("(?="):
			return p.close(&ast{k: '?', sub: []*ast{p.alt()}})
		case has("(?!"):
			return p.close(&ast{k: '?', neg: true, sub: []*ast{p.alt()}})
		case has("(?<="):
			return p.close(&ast{k: '<', sub: []*ast{p.alt()}})
		case has("(?<!"):
			return p.close(&ast{k: '<', neg: true, sub: []*ast{p.alt()}})
		case has("(?("):
			k := p.idx(p.name(')'))
			y := p.seq()
			n := &ast{k: 'e'}
			if p.i < len(p.s) && p.s[p.i] == '|' {
				p.i++
				n = p.seq()
			}
			return p.close(&ast{k: 'i', cap: k, sub: []*ast{y, n}})
		case has("(?"):
			return p.fail("group ext %q", r[:min(len(r), 10)])
		}
		p.i++
		p.ncap++
		k := p.ncap
		p.names = append(p.names, "")
		return p.close(&ast{k: 'g', cap: k, sub: []*ast{p.alt()}})
	case '[':
		return p.class()
	case '.':
		p.i++
		s := &set{hi: true}
		for i := 0; i < 128; i++ {
			s.b[i] = i != '\n'
		}
		return &ast{k: 's', set: s}
	case '^':
		p.i++
		return &ast{k: '^'}
	case '$':
		p.i++
		return &ast{k: '$'}
	case '\\':
		p.i++
		c = p.s[p.i]
		p.i++
		if s, ok := esc(c); ok {
			return &ast{k: 's', set: s}
		}
		switch c {
		case 'b':
			return &ast{k: 'b'}
		case 'B':
			return &ast{k: 'B'}
		case 'Z':
			return &ast{k: 'Z'}
		case 'A':
			return &ast{k: '^'}
		case 'x':
			v, _ := strconv.ParseUint(p.s[p.i:p.i+2], 16, 8)
			p.i += 2
			return p.lit([]byte{byte(v)})
		}
		if c >= '1' && c <= '9' {
			return p.fail("numeric backref")
		}
		return p.lit([]byte{ectl(c)})
	case '*', '+', '?':
		return p.fail("nothing to repeat")
	}
	_, n := utf8.DecodeRuneInString(p.s[p.i:])
	l := p.s[p.i : p.i+n]
	p.i += n
	if n > 1 { // keep multi-byte rune atomic
		return &ast{k: 'c', sub: []*ast{{k: 'l', lit: []byte(l)}}}
	}
	return p.lit([]byte(l))
}
func (p *parser) lit(b []byte) *ast {
	// a following quantifier applies to this char only: emit 1-char literal, seq merges
	k := byte('l')
	if p.fold && (b[0]|32 >= 'a' && b[0]|32 <= 'z') {
		k = 'L'
		b = []byte{b[0] | 32}
	}
	return &ast{k: k, lit: b}
}

// ---------- compile ----------
type comp struct {
	r    *Regex
	memo map[*node]*fset
	size int
}
type fset struct {
	b    [256]bool
	end  bool // viable at the end of the text
	null bool // anything
}

func (c *comp) nn(n node) *node { c.size++; x := n; return &x }

func (c *comp) c(a *ast, next *node) *node {
	switch a.k {
	case 'e':
		return next
	case 'l':
		return c.nn(node{op: oLit, lit: a.lit, next: next})
	case 'L':
		return c.nn(node{op: oFold, lit: a.lit, next: next})
	case 's':
		return c.nn(node{op: oSet, set: a.set, next: next})
	case 'c':
		for i := len(a.sub) - 1; i >= 0; i-- {
			next = c.c(a.sub[i], next)
		}
		return next
	case 'a':
		n := c.nn(node{op: oAlt})
		for _, s := range a.sub {
			n.alts = append(n.alts, c.c(s, next))
		}
		return n
	case 'g':
		e := c.nn(node{op: oSave, slot: 2*a.cap + 1, next: next})
		return c.nn(node{op: oSave, slot: 2 * a.cap, next: c.c(a.sub[0], e)})
	case '^':
		return c.nn(node{op: oBegin, next: next})
	case '$':
		return c.nn(node{op: oEnd, next: next})
	case 'Z':
		return c.nn(node{op: oEndAbs, next: next})
	case 'b':
		return c.nn(node{op: oWB, next: next})
	case 'B':
		return c.nn(node{op: oNWB, next: next})
	case '?':
		return c.nn(node{op: oLook, neg: a.neg, sub: c.c(a.sub[0], &node{op: oAccept}), next: next})
	case '<':
		return c.nn(node{op: oBehind, neg: a.neg, sub: c.c(a.sub[0], &node{op: oAccept}), next: next})
	case 'k':
		return c.nn(node{op: oBack, slot: a.cap, next: next})
	case 'i':
		return c.nn(node{op: oCond, slot: a.cap, alts: []*node{c.c(a.sub[0], next), c.c(a.sub[1], next)}})
	case 'r':
		s := a.sub[0]
		for s.k == 'c' && len(s.sub) == 1 {
			s = s.sub[0]
		}
		st := s.set
		if s.k == 'l' && len(s.lit) == 1 {
			st = &set{}
			st.b[s.lit[0]] = true
		}
		if st != nil && (s.k == 's' || s.k == 'l') {
			return c.nn(node{op: oSetLoop, set: st, min: a.min, max: a.max, lazy: a.lazy, next: next})
		}
		if s.k == 'c' && len(s.sub) == 2 && s.sub[0].k == '?' && s.sub[0].neg && s.sub[1].k == 's' && !a.lazy {
			q := s.sub[0].sub[0]
			for q.k == 'c' && len(q.sub) == 1 {
				q = q.sub[0]
			}
			if q.k == 'l' {
				return c.nn(node{op: oSetLoop, set: s.sub[1].set, min: a.min, max: a.max, next: next, temper: true, lit: q.lit})
			}
		}
		if a.max < 0 {
			l := c.nn(node{op: oLoop, lazy: a.lazy, next: next, slot: c.r.nslots})
			c.r.nslots++
			l.sub = c.c(s, l)
			next = l
		} else {
			end := next
			for k := a.min; k < a.max; k++ {
				b := c.c(s, next)
				alt := c.nn(node{op: oAlt, alts: []*node{b, end}})
				if a.lazy {
					alt.alts = []*node{end, b}
				}
				next = alt
			}
		}
		for k := 0; k < a.min; k++ {
			next = c.c(s, next)
		}
		return next
	}
	panic("ast " + string(a.k))
}

func (c *comp) first(n *node) *fset {
	if f, ok := c.memo[n]; ok {
		return f
	}
	f := &fset{null: true} // during recursion: anything
	c.memo[n] = f
	g := &fset{}
	or := func(x *fset) {
		for i, v := range x.b {
			if v {
				g.b[i] = true
			}
		}
		g.null = g.null || x.null
		g.end = g.end || x.end
	}
	switch n.op {
	case oLit:
		g.b[n.lit[0]] = true
	case oFold:
		g.b[n.lit[0]] = true
		g.b[n.lit[0]-32] = true
	case oSet:
		g.b = n.set.b
		if n.set.hi {
			for i := 128; i < 256; i++ {
				g.b[i] = true
			}
		}
	case oSetLoop:
		x := &fset{b: n.set.b}
		if n.set.hi {
			for i := 128; i < 256; i++ {
				x.b[i] = true
			}
		}
		or(x)
		if n.min == 0 {
			or(c.first(n.next))
		}
	case oAlt, oCond:
		for _, a := range n.alts {
			or(c.first(a))
		}
	case oLoop:
		or(c.first(n.sub))
		or(c.first(n.next))
	case oSave, oBegin, oWB, oNWB, oLook, oBehind:
		or(c.first(n.next))
	case oEnd:
		g.b['\n'] = true
		g.end = true
	case oEndAbs:
		g.end = true
	default:
		g.null = true
	}
	*f = *g
	return f
}

func (c *comp) finish(n *node, seen map[*node]bool) {
	if n == nil || seen[n] {
		return
	}
	seen[n] = true
	fs := func(x *node) *fset {
		f := c.first(x)
		if f.null {
			return nil
		}
		return f
	}
	switch n.op {
	case oAlt:
		for _, a := range n.alts {
			n.firsts = append(n.firsts, fs(a))
		}
	case oLoop:
		n.firsts = []*fset{fs(n.sub), fs(n.next)}
	case oSetLoop:
		n.nf = fs(n.next)
		if n.nf != nil {
			dis := true
			cnt := 0
			for i, v := range n.nf.b {
				if v {
					cnt++
					n.one = byte(i)
					if i < 128 && n.set.b[i] || i >= 128 && n.set.hi {
						dis = false
					}
				}
			}
			n.poss = dis
			n.hasOne = cnt == 1 && !n.nf.end
		}
	}
	for _, a := range n.alts {
		c.finish(a, seen)
	}
	c.finish(n.sub, seen)
	c.finish(n.next, seen)
}

func compile(s string, ml bool) (*Regex, error) {
	p := &parser{s: s, names: []string{""}}
	a := p.alt()
	if p.err == nil && p.i != len(s) {
		p.err = fmt.Errorf("unexpected ) at %d", p.i)
	}
	if p.err != nil {
		return nil, p.err
	}
	r := &Regex{ncap: p.ncap + 1, Names: p.names, ml: ml, Budget: 20000}
	c := &comp{r: r, memo: map[*node]*fset{}}
	r.prog = c.c(a, &node{op: oAccept})
	c.memo = map[*node]*fset{}
	c.finish(r.prog, map[*node]bool{})
	f := c.first(r.prog)
	if !f.null && !f.end {
		r.first = &f.b
	}
	n := r.prog
	for n.op == oSave {
		n = n.next
	}
	r.anch = n.op == oBegin && !ml
	r.caps = make([]int, 2*r.ncap)
	r.lpos = make([]int, r.nslots)
	return r, nil
}

// ---------- match ----------
type tr struct{ slot, old int }

func (r *Regex) undo(mark int) {
	for k := len(r.trail) - 1; k >= mark; k-- {
		r.caps[r.trail[k].slot] = r.trail[k].old
	}
	r.trail = r.trail[:mark]
}
func word(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b|32 >= 'a' && b|32 <= 'z' || b >= 0x80
}

func (r *Regex) wb(i int) bool {
	a := i > 0 && word(r.t[i-1])
	b := i < len(r.t) && word(r.t[i])
	return a != b
}

// Find returns capture offsets or nil; ok=false when the budget was exhausted.
func (r *Regex) Find(t []byte) (caps []int, ok bool) {
	r.t = t
	r.steps = r.Budget
	r.over = false
	for i := 0; i <= len(t); i++ {
		if r.first != nil && !r.anch {
			for i < len(t) && !r.first[t[i]] {
				i++
			}
			if i >= len(t) {
				return nil, true
			}
		}
		for k := range r.caps {
			r.caps[k] = -1
		}
		r.trail = r.trail[:0]
		if e := r.m(r.prog, i); e >= 0 {
			r.caps[0], r.caps[1] = i, e
			return r.caps, true
		}
		if r.over {
			return nil, false
		}
		if r.anch {
			return nil, true
		}
	}
	return nil, true
}

func (r *Regex) m(n *node, i int) int {
	t := r.t
	r.steps--
	if r.steps < 0 {
		r.over = true
		return -1
	}
	for {
		switch n.op {
		case oAccept:
			return i
		case oLit:
			l := n.lit
			if len(t)-i < len(l) || t[i] != l[0] || string(t[i:i+len(l)]) != string(l) {
				return -1
			}
			i += len(l)
		case oFold:
			if len(t)-i < len(n.lit) {
				return -1
			}
			for k, c := range n.lit {
				d := t[i+k]
				if d >= 'A' && d <= 'Z' {
					d += 32
				}
				if d != c {
					return -1
				}
			}
			i += len(n.lit)
		case oSet:
			if i >= len(t) {
				return -1
			}
			c := t[i]
			if c < 0x80 {
				if !n.set.b[c] {
					return -1
				}
				i++
			} else {
				if !n.set.hi {
					return -1
				}
				_, w := utf8.DecodeRune(t[i:])
				i += w
			}
		case oSetLoop:
			j := r.setLoop(n, i)
			if j < 0 {
				return -1
			}
			if n.poss {
				i = j
				break
			}
			return r.setBack(n, i, j)
		case oAlt:
			last := len(n.alts) - 1
			var c byte
			have := i < len(t)
			if have {
				c = t[i]
			}
			// find the last viable branch to tail-call
			for last >= 0 && n.firsts[last] != nil {
				if f := n.firsts[last]; have && f.b[c] || !have && f.end {
					break
				}
				last--
			}
			if last < 0 {
				return -1
			}
			for k := 0; k < last; k++ {
				if f := n.firsts[k]; f != nil && !(have && f.b[c] || !have && f.end) {
					continue
				}
				mark := len(r.trail)
				if e := r.m(n.alts[k], i); e >= 0 {
					return e
				}
				if r.over {
					return -1
				}
				r.undo(mark)
			}
			n = n.alts[last]
			continue
		case oLoop:
			old := r.lpos[n.slot]
			if old == i+1 { // empty iteration: stop looping
				n = n.next
				continue
			}
			try := func(k int) bool {
				f := n.firsts[k]
				return f == nil || i < len(t) && f.b[t[i]] || i == len(t) && f.end
			}
			if n.lazy {
				if try(1) {
					mark := len(r.trail)
					if e := r.m(n.next, i); e >= 0 {
						return e
					}
					r.undo(mark)
				}
				if r.over || !try(0) {
					return -1
				}
				r.lpos[n.slot] = i + 1
				e := r.m(n.sub, i)
				r.lpos[n.slot] = old
				return e
			}
			if try(0) {
				r.lpos[n.slot] = i + 1
				mark := len(r.trail)
				e := r.m(n.sub, i)
				r.lpos[n.slot] = old
				if e >= 0 || r.over {
					return e
				}
				r.undo(mark)
			}
		case oSave:
			r.trail = append(r.trail, tr{n.slot, r.caps[n.slot]})
			r.caps[n.slot] = i
		case oBegin:
			if i != 0 && !(r.ml && t[i-1] == '\n') {
				return -1
			}
		case oEnd:
			if i != len(t) && !(t[i] == '\n' && (r.ml || i == len(t)-1)) {
				return -1
			}
		case oEndAbs:
			if i != len(t) {
				return -1
			}
		case oWB:
			if !r.wb(i) {
				return -1
			}
		case oNWB:
			if r.wb(i) {
				return -1
			}
		case oLook:
			mark := len(r.trail)
			e := r.m(n.sub, i)
			if r.over || (e >= 0) == n.neg {
				return -1
			}
			if n.neg {
				r.undo(mark)
			}
		case oBehind: // one byte wide only (prototype)
			e := -1
			if i > 0 {
				e = r.m(n.sub, i-1)
			}
			if (e == i) == n.neg {
				return -1
			}
		case oBack:
			a, b := r.caps[2*n.slot], r.caps[2*n.slot+1]
			if a < 0 || b < 0 || !bytes.HasPrefix(t[i:], t[a:b]) {
				return -1
			}
			i += b - a
		case oCond:
			if r.caps[2*n.slot] >= 0 && r.caps[2*n.slot+1] >= 0 {
				n = n.alts[0]
			} else {
				n = n.alts[1]
			}
			continue
		}
		n = n.next
	}
}

// setLoop: max run (greedy count limited by max); returns end or -1 if below min. lazy: same, setBack handles order.
func (r *Regex) setLoop(n *node, i int) int {
	t := r.t
	if n.temper {
		if d := bytes.Index(t[i:], n.lit); d >= 0 {
			t = t[:i+d]
		}
	}
	k := 0
	s := n.set
	j := i
	if n.max < 0 {
		for j < len(t) {
			c := t[j]
			if c < 0x80 {
				if !s.b[c] {
					break
				}
				j++
			} else {
				if !s.hi {
					break
				}
				_, w := utf8.DecodeRune(t[j:])
				j += w
			}
			k++
		}
	} else {
		for k < n.max && j < len(t) {
			c := t[j]
			if c < 0x80 {
				if !s.b[c] {
					break
				}
				j++
			} else {
				if !s.hi {
					break
				}
				_, w := utf8.DecodeRune(t[j:])
				j += w
			}
			k++
		}
	}
	if k < n.min {
		return -1
	}
	return j
}

// setBack: try follow at the admissible ends in [i+min, j]
func (r *Regex) setBack(n *node, i, j int) int {
	t := r.t
	lo := i
	for k := 0; k < n.min; k++ {
		if t[lo] < 0x80 {
			lo++
		} else {
			_, w := utf8.DecodeRune(t[lo:])
			lo += w
		}
	}
	nf := n.nf
	mark := len(r.trail)
	if n.lazy {
		for p := lo; p <= j; p++ {
			if nf != nil {
				if n.hasOne {
					d := bytes.IndexByte(t[p:min(j+1, len(t))], n.one)
					if d < 0 {
						return -1
					}
					p += d
				} else {
					for p <= j && p < len(t) && !nf.b[t[p]] {
						p++
					}
					if p > j || p >= len(t) && !nf.end {
						return -1
					}
				}
			}
			if p < len(t) && p > lo && t[p]&0xC0 == 0x80 {
				continue
			}
			if e := r.m(n.next, p); e >= 0 || r.over {
				return e
			}
			r.undo(mark)
		}
		return -1
	}
	for p := j; p >= lo; p-- {
		if nf != nil {
			if p >= len(t) && !nf.end || p < len(t) && !nf.b[t[p]] {
				continue
			}
		}
		if p < len(t) && p < j && t[p]&0xC0 == 0x80 {
			continue
		}
		if e := r.m(n.next, p); e >= 0 || r.over {
			return e
		}
		r.undo(mark)
	}
	return -1
}
func (r *Regex) Left() int { return r.steps }
