package scan

import "encoding/binary"

// A step is a stride: the length of an array, so that the compiler makes a loop for each,
// in which all distances are constants.
type step interface {
	[3]byte | [4]byte | [5]byte | [6]byte | [7]byte | [8]byte
}

// A mark is a place of a text where something was met: a group of grams, or one of them.
type mark struct{ p, what int32 }

// block is how many bytes are looked at before what was met in them is sifted. It bounds
// the memory that this takes.
const block = 16 << 10

// walk looks for the literals of a tier.
func (s *Search) walk(t *tier, text []byte) {
	first := (4 + t.stride - 1) / t.stride * t.stride // what is around it is all there
	for p := 0; p < min(first, len(text)); p += t.stride {
		s.edge(t, text, p)
	}
	p := first
	for before := 0; p != before; {
		before = p
		switch t.stride {
		case 3:
			p = look[[3]byte](s, t, text, p)
		case 4:
			p = look[[4]byte](s, t, text, p)
		case 5:
			p = look[[5]byte](s, t, text, p)
		case 6:
			p = look[[6]byte](s, t, text, p)
		case 7:
			p = look[[7]byte](s, t, text, p)
		case 8:
			p = look[[8]byte](s, t, text, p)
		}
	}
	for ; p < len(text); p += t.stride {
		s.edge(t, text, p)
	}
}

// look goes through a block of a text, or less at its end, and returns how far it came.
//
// Whether a look meets something cannot be foretold, and a branch on it costs more than
// the look: marks are always written, and kept by counting on.
func look[S step](s *Search, t *tier, text []byte, p int) int {
	var step S
	n := len(step)
	if s.spots == nil {
		s.spots, s.looks = make([]int32, block/(4*leastStride)+1), make([]mark, block/leastStride+8)
	}
	part := text[:min(len(text), p+block)]
	var k int
	if t.folds == 0 {
		p, k = spots[S](s.spots, t, part, p)
	} else {
		p, k = foldedSpots[S](s.spots, t, part, p)
	}
	m := 0
	for _, p := range s.spots[:k] {
		w, to := part[p:][:3*n+8], s.looks[m:m+4]
		a := t.met[t.hash(binary.LittleEndian.Uint64(w))]
		b := t.met[t.hash(binary.LittleEndian.Uint64(w[n:]))]
		c := t.met[t.hash(binary.LittleEndian.Uint64(w[2*n:]))]
		d := t.met[t.hash(binary.LittleEndian.Uint64(w[3*n:]))]
		to[0] = mark{p, int32(a)}
		i := one(a)
		to[i] = mark{p + int32(n), int32(b)}
		i += one(b)
		to[i&3] = mark{p + int32(2*n), int32(c)}
		i += one(c)
		to[i&3] = mark{p + int32(3*n), int32(d)}
		m += i + one(d)
	}
	s.sift(t, text, s.looks[:m])
	return p
}

// one returns 1 for a group, and 0 for none.
func one(group uint8) int { return (int(group) + 255) >> 8 }

// spots puts down where one of four looks in a row meets a group. It returns how far it
// came, and how many there are.
func spots[S step](to []int32, t *tier, text []byte, p int) (end, k int) {
	var step S
	n, mul := len(step), t.mul
	if p > len(text) {
		return p, 0
	}
	for w := text[p:]; len(w) >= 3*n+8 && k < len(to); w = w[4*n:] {
		a := t.met[binary.LittleEndian.Uint64(w)*mul>>metShift]
		b := t.met[binary.LittleEndian.Uint64(w[n:])*mul>>metShift]
		c := t.met[binary.LittleEndian.Uint64(w[2*n:])*mul>>metShift]
		d := t.met[binary.LittleEndian.Uint64(w[3*n:])*mul>>metShift]
		to[k] = int32(p)
		k += one(a | b | c | d)
		p += 4 * n
	}
	return p, k
}

// foldedSpots is spots where letters of either case are one.
func foldedSpots[S step](to []int32, t *tier, text []byte, p int) (end, k int) {
	var step S
	n, mul := len(step), t.mul
	if p > len(text) {
		return p, 0
	}
	for w := text[p:]; len(w) >= 3*n+8 && k < len(to); w = w[4*n:] {
		a := t.met[(binary.LittleEndian.Uint64(w)|folds)*mul>>metShift]
		b := t.met[(binary.LittleEndian.Uint64(w[n:])|folds)*mul>>metShift]
		c := t.met[(binary.LittleEndian.Uint64(w[2*n:])|folds)*mul>>metShift]
		d := t.met[(binary.LittleEndian.Uint64(w[3*n:])|folds)*mul>>metShift]
		to[k] = int32(p)
		k += one(a | b | c | d)
		p += 4 * n
	}
	return p, k
}

// sift finds the literals in the groups that were met.
func (s *Search) sift(t *tier, text []byte, looks []mark) {
	s.met += len(looks)
	n, near := 0, s.near
	for _, l := range looks {
		if len(near)-n < t.most {
			near = append(near, make([]mark, len(near)+t.most)...)
		}
		for i := t.groups[l.what]; i < t.groups[l.what+1]; i++ {
			g := &t.grams[i]
			near[n] = mark{l.p, i}
			other := (binary.LittleEndian.Uint64(text[l.p+g.near:])|t.folds)&g.mask ^ g.want
			n += 1 - int((other|-other)>>63) // one more if it is 0
		}
	}
	s.near = near
	for _, l := range near[:n] {
		s.take(&t.grams[l.what], text, int(l.p))
	}
}

// edge looks at a place that may have less than eight bytes around it.
func (s *Search) edge(t *tier, text []byte, p int) {
	group := int(t.met[t.hash(load(text[p:]))])
	if group == 0 {
		return
	}
	s.met++
	for i := t.groups[group]; i < t.groups[group+1]; i++ {
		s.take(&t.grams[i], text, p)
	}
}

// take takes the literals of a gram that are there.
func (s *Search) take(g *gram, text []byte, p int) {
	from := p - int(g.off)
	if from < 0 {
		return
	}
	for _, lit := range g.lits {
		if s.gate.lits[lit].at(text, from) {
			s.found = append(s.found, found{int32(from), lit})
		}
	}
}

// at reports whether the literal stands at text[i:].
func (l *Literal) at(text []byte, i int) bool {
	if i+len(l.Text) > len(text) {
		return false
	}
	part := text[i : i+len(l.Text)]
	if !l.Fold {
		return string(part) == l.Text
	}
	for k, b := range part {
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		if b != l.Text[k] {
			return false
		}
	}
	return true
}
