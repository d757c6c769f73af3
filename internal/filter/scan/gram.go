package scan

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// A tier looks for the literals of one class.
type tier struct {
	class
	met   [1 << metBits]uint8 // by hash: 1 where one of grams may be
	grams []gram              // by hash, or at the next free place behind that
	shift uint                // of a hash, to be a place there
}

// A gram is a few bytes at a place of a literal.
type gram struct {
	mask, want uint64 // of eight bytes around it, what the literal says of them
	near       int32  // where these begin, from its first
	off        int32  // where it begins in the literal
	lit        int32  // -1 for none
	key        uint32
}

const (
	metBits  = 16
	metShift = 32 - metBits
	fold     = 0x20202020 // makes letters of either case one; what else it makes one is told apart later
	folds    = fold<<32 | fold
)

// A class is a way to look for literals: grams of a size, at places that are a stride
// apart.
type class struct{ size, stride int }

// A literal of seven bytes holds a whole gram of four wherever it is; a shorter one may
// have to be known by a gram that goes beyond it.
var long, short = class{4, 4}, class{3, 3}

const leastLong = 7

// What makes hashes of four bytes: of the first three, so that the last does not matter.
const (
	mulFour  = 0x9E3779B1
	mulThree = mulFour << 8 & math.MaxUint32
)

func (l Literal) class() class {
	if len(l.Text) < leastLong {
		return short
	}
	return long
}

func (c class) hash(four uint32) uint32 {
	if c == short {
		return four * mulThree
	}
	return four * mulFour
}

// key returns the gram that four bytes begin with.
func (c class) key(four uint32) uint32 { return four & (math.MaxUint32 >> (8 * (4 - c.size))) }

// load returns the first four bytes; those that are missing are 0.
func load(b []byte) uint32 {
	if len(b) < 4 {
		var four [4]byte
		copy(four[:], b)
		b = four[:]
	}
	return binary.LittleEndian.Uint32(b) | fold
}

// tiersOf sorts the literals into tiers.
func tiersOf(lits []Literal, s *survey) []tier {
	var tiers []tier
	for _, c := range []class{long, short} {
		var grams []gram
		for i, l := range lits {
			if l.class() != c {
				continue
			}
			for _, p := range c.picks(l.Text, s) {
				for _, key := range p.keys {
					grams = append(grams, newGram(key, int32(i), p.off, l.Text))
				}
			}
		}
		if len(grams) > 0 {
			tiers = append(tiers, newTier(c, grams))
		}
	}
	return tiers
}

func newTier(c class, grams []gram) tier {
	size := bits.Len(uint(4*len(grams) - 1)) // three places of four are free at least
	t := tier{class: c, grams: make([]gram, 1<<size), shift: uint(32 - size)}
	for i := range t.grams {
		t.grams[i].lit = -1
	}
	for _, g := range grams {
		h := t.hash(g.key)
		t.met[h>>metShift] = 1
		at := h >> t.shift
		for t.grams[at].lit >= 0 {
			at = (at + 1) & uint32(len(t.grams)-1)
		}
		t.grams[at] = g
	}
	return t
}

// A pick is grams of a literal that are looked for, one of them to be met at a place, and
// how often the sample has them.
type pick struct {
	off  int
	keys []uint32
	seen int64
}

// picks returns those that are rarest in the sample, for each distance that a look may
// have from the start of the literal.
func (c class) picks(text string, s *survey) []pick {
	all := make([]pick, c.stride)
	for k := range all {
		for off := k - c.stride; off < len(text); off += c.stride {
			keys := c.keys(text, off)
			if n := s.seen(c, keys); len(keys) > 0 && (all[k].keys == nil || n < all[k].seen) {
				all[k] = pick{off, keys, n}
			}
		}
	}
	return all
}

// keys returns the grams that may be at off in a literal, if it says all of them but
// one byte.
func (c class) keys(text string, off int) []uint32 {
	var four [4]byte
	open := -1
	for i := range c.size {
		switch at := off + i; {
		case 0 <= at && at < len(text):
			four[i] = text[at]
		case open >= 0:
			return nil
		default:
			open = i
		}
	}
	if open < 0 {
		return []uint32{c.key(load(four[:]))}
	}
	var keys []uint32
	for b := range 256 {
		if four[open] = byte(b); b|fold&0xFF == b {
			keys = append(keys, c.key(load(four[:])))
		}
	}
	return keys
}

func newGram(key uint32, lit int32, off int, text string) gram {
	g := gram{key: key, lit: lit, off: int32(off)}
	if len(text)-off < 4+min(off, 4) { // there is more of it before than behind
		g.near = -4
	}
	for i := range 8 {
		if at := off + int(g.near) + i; 0 <= at && at < len(text) {
			g.mask |= 0xFF << (8 * i)
			g.want |= uint64(text[at]) << (8 * i)
		}
	}
	g.want |= folds & g.mask
	return g
}

// verify appends the literals that the gram at text[p:] is part of.
func (s *Search) verify(t *tier, text []byte, p int) {
	s.met++
	four := load(text[p:])
	key := t.key(four)
	last := uint32(len(t.grams) - 1)
	for at := t.hash(four) >> t.shift; ; at++ {
		g := &t.grams[at&last]
		if g.lit < 0 {
			return
		}
		if g.key != key {
			continue
		}
		if n := p + int(g.near); n >= 0 && n+8 <= len(text) && (binary.LittleEndian.Uint64(text[n:])|folds)&g.mask != g.want {
			continue
		}
		if from := p - int(g.off); from >= 0 && s.gate.lits[g.lit].at(text, from) {
			s.found = append(s.found, found{int32(from), g.lit})
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
	var p int
	if t.class == short {
		p = s.third(t, text)
	} else {
		p = s.fourth(t, text)
	}
	for ; p < len(text); p += t.stride {
		if t.met[t.hash(load(text[p:]))>>metShift] != 0 {
			s.verify(t, text, p)
		}
	}
}

// each verifies those of four looks from p on that a bit of met is set for.
func (s *Search) each(t *tier, text []byte, p int, met uint8) {
	for ; met != 0; met &= met - 1 {
		s.verify(t, text, p+t.stride*bits.TrailingZeros8(met))
	}
}

// fourth looks at every fourth place, and returns how far it came.
func (s *Search) fourth(t *tier, text []byte) int {
	const mul, shift = mulFour, metShift
	p := 0
	for ; p+16 <= len(text); p += 16 {
		w := text[p : p+16 : p+16]
		x := binary.LittleEndian.Uint64(w) | folds
		y := binary.LittleEndian.Uint64(w[8:]) | folds
		a, b := t.met[uint32(x)*mul>>shift], t.met[uint32(x>>32)*mul>>shift]
		c, d := t.met[uint32(y)*mul>>shift], t.met[uint32(y>>32)*mul>>shift]
		if a|b|c|d != 0 {
			s.each(t, text, p, a|b<<1|c<<2|d<<3)
		}
	}
	return p
}

// third looks at every third place for grams of three bytes, and returns how far it came.
func (s *Search) third(t *tier, text []byte) int {
	const mul, shift = mulThree, metShift
	p := 0
	for ; p+14 <= len(text); p += 12 {
		w := text[p : p+14 : p+14]
		x := binary.LittleEndian.Uint64(w) | folds
		y := binary.LittleEndian.Uint64(w[6:]) | folds
		a, b := t.met[uint32(x)*mul>>shift], t.met[uint32(x>>24)*mul>>shift]
		c, d := t.met[uint32(y)*mul>>shift], t.met[uint32(y>>24)*mul>>shift]
		if a|b|c|d != 0 {
			s.each(t, text, p, a|b<<1|c<<2|d<<3)
		}
	}
	return p
}
