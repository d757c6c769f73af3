package scan

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
)

// A tier looks for literals of about one length.
type tier struct {
	stride int                  // places between two looks
	mask   uint32               // of the bytes that are a gram
	met    [1 << hashBits]uint8 // by hash: 1 where a gram may be one of grams
	slots  []int32              // by hash: where a gram's grams begin; -1 for none
	grams  []gram               // those of one key beside each other
}

// A gram is four bytes, or three, of a literal.
type gram struct {
	key uint32
	lit int32
	off int32 // in the literal
}

const (
	hashBits = 16
	slotBits = 12
	fold     = 0x20202020 // makes letters of either case one; what else it makes one is told apart later
)

func hash(gram uint32) uint16 { return uint16(gram * 0x9E3779B1 >> (32 - hashBits)) }

func load(b []byte) uint32 { return binary.LittleEndian.Uint32(b) | fold }

// The long literals are looked for at every fourth place. For all others there is one
// tier more, which the shortest of them decides.
var (
	long    = class{7, 4, 4}
	shorter = []class{{5, 4, 2}, {4, 3, 2}, {3, 3, 1}}
)

// A class is a way to look for literals of at least so many bytes: grams of a size, at
// places that are a stride apart.
type class struct{ least, size, stride int }

// tiersOf sorts the literals into tiers.
func tiersOf(lits []Literal, s *survey) []tier {
	shortest := long.least
	for _, l := range lits {
		shortest = min(shortest, len(l.Text))
	}
	classes := []class{long}
	if i := slices.IndexFunc(shorter, func(c class) bool { return c.least <= shortest }); shortest < long.least {
		classes = append(classes, shorter[i])
	}
	var tiers []tier
	for n, c := range classes {
		t := tier{stride: c.stride, mask: ^uint32(0) >> (8 * (4 - c.size))}
		for i, l := range lits {
			if len(l.Text) >= long.least == (n == 0) {
				t.add(int32(i), l.Text, c.size, s)
			}
		}
		if len(t.grams) > 0 {
			t.index()
			tiers = append(tiers, t)
		}
	}
	return tiers
}

// add takes those neighbouring grams of a literal that are rarest in the sample.
func (t *tier) add(lit int32, text string, size int, s *survey) {
	key := func(i int) uint32 {
		var b [4]byte
		copy(b[:], text[i:min(i+size, len(text))])
		return load(b[:]) & t.mask
	}
	at, least := 0, int64(math.MaxInt64)
	for i := 0; i+t.stride+size-1 <= len(text); i++ {
		n := int64(0)
		for k := range t.stride {
			n += s.seen(key(i+k), t.mask)
		}
		if n < least {
			at, least = i, n
		}
	}
	for k := range t.stride {
		t.grams = append(t.grams, gram{key(at + k), lit, int32(at + k)})
	}
}

// index makes the tables.
func (t *tier) index() {
	slices.SortStableFunc(t.grams, func(a, b gram) int { return cmp.Compare(a.key, b.key) })
	size := 1 << slotBits
	for size < 4*len(t.grams) {
		size *= 2
	}
	t.slots = make([]int32, size)
	for i := range t.slots {
		t.slots[i] = -1
	}
	for i, g := range t.grams {
		t.met[hash(g.key)] = 1
		if i > 0 && t.grams[i-1].key == g.key {
			continue
		}
		at := g.key * slotMul >> 8 & uint32(size-1)
		for t.slots[at] >= 0 {
			at = (at + 1) & uint32(size-1)
		}
		t.slots[at] = int32(i)
	}
}

const slotMul = 0x85EBCA6B

// verify appends the literals that a gram at text[p:] is part of.
func (s *Search) verify(t *tier, text []byte, p int, key uint32) {
	s.met++
	mask := uint32(len(t.slots) - 1)
	at := key * slotMul >> 8 & mask
	for t.slots[at] >= 0 && t.grams[t.slots[at]].key != key {
		at = (at + 1) & mask
	}
	i := t.slots[at]
	if i < 0 {
		return
	}
	for ; int(i) < len(t.grams) && t.grams[i].key == key; i++ {
		g := &t.grams[i]
		if from := p - int(g.off); from >= 0 && s.gate.lits[g.lit].at(text, from) {
			s.found = append(s.found, found{int32(p), g.lit})
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

// walk looks for the literals of a tier.
func (s *Search) walk(t *tier, text []byte) {
	p := 0
	switch t.stride {
	case 4:
		p = s.fourth(t, text)
	case 2:
		p = s.second(t, text)
	case 1:
		p = s.each(t, text)
	}
	for ; p+4 <= len(text); p += t.stride {
		s.look(t, text, p, load(text[p:]))
	}
	for ; p < len(text); p += t.stride { // a gram of three bytes may be the end
		var last [4]byte
		copy(last[:], text[p:])
		s.look(t, text, p, load(last[:]))
	}
}

func (s *Search) look(t *tier, text []byte, p int, gram uint32) {
	if key := gram & t.mask; t.met[hash(key)] != 0 {
		s.verify(t, text, p, key)
	}
}

// fourth looks at every fourth place, and returns how far it came.
func (s *Search) fourth(t *tier, text []byte) int {
	p := 0
	for ; p+16 <= len(text); p += 16 {
		w := text[p : p+16 : p+16]
		x := binary.LittleEndian.Uint64(w) | fold<<32 | fold
		y := binary.LittleEndian.Uint64(w[8:]) | fold<<32 | fold
		h0, h1, h2, h3 := hash(uint32(x)), hash(uint32(x>>32)), hash(uint32(y)), hash(uint32(y>>32))
		if t.met[h0]|t.met[h1]|t.met[h2]|t.met[h3] != 0 {
			for at := p; at < p+16; at += 4 {
				s.look(t, text, at, load(text[at:]))
			}
		}
	}
	return p
}

// second looks at every second place, and returns how far it came.
func (s *Search) second(t *tier, text []byte) int {
	p := 0
	for ; p+10 <= len(text); p += 8 {
		w := text[p : p+10 : p+10]
		x := binary.LittleEndian.Uint64(w) | fold<<32 | fold
		h0, h1, h2 := hash(uint32(x)&t.mask), hash(uint32(x>>16)&t.mask), hash(uint32(x>>32)&t.mask)
		h3 := hash(load(w[6:]) & t.mask)
		if t.met[h0]|t.met[h1]|t.met[h2]|t.met[h3] != 0 {
			for at := p; at < p+8; at += 2 {
				s.look(t, text, at, load(text[at:]))
			}
		}
	}
	return p
}

// each looks for grams of three bytes at each place, and returns how far it came.
func (s *Search) each(t *tier, text []byte) int {
	const three = 1<<24 - 1
	p := 0
	for ; p+8 <= len(text); p += 6 {
		x := binary.LittleEndian.Uint64(text[p:]) | fold<<32 | fold
		h0, h1, h2 := hash(uint32(x)&three), hash(uint32(x>>8)&three), hash(uint32(x>>16)&three)
		h3, h4, h5 := hash(uint32(x>>24)&three), hash(uint32(x>>32)&three), hash(uint32(x>>40)&three)
		if t.met[h0]|t.met[h1]|t.met[h2]|t.met[h3]|t.met[h4]|t.met[h5] != 0 {
			for i := range 6 {
				s.look(t, text, p+i, uint32(x>>(8*i)))
			}
		}
	}
	return p
}
