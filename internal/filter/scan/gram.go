package scan

import (
	"encoding/binary"
	"slices"
)

// A class is a way to look for literals: grams of a form, at places that are a stride
// apart.
type class struct {
	form
	stride int
}

const leastStride, mostStride = 3, 8

// A form is what is looked at of eight bytes.
type form struct {
	size  int    // so many, from the first
	folds uint64 // makes letters of either case one, or nothing
	mul   uint64 // makes the hash, in which what is behind the gram does not matter
}

const (
	metBits  = 16
	metShift = 64 - metBits
	folds    = 0x2020202020202020 // what else it makes one is told apart later
)

// ways is how many ways there are to make a hash: with one of them a gram may be taken for
// what is in each line of a log.
const ways = 3

func newForm(size int, fold bool, way int) form {
	f := form{size: size, mul: (0x9E3779B97F4A7C15 + uint64(way)*0xD1342543DE82EF95 | 1) << (64 - 8*size)}
	if fold {
		f.folds = folds
	}
	return f
}

// hash returns the place of the gram that eight bytes begin with.
func (f form) hash(eight uint64) uint16 { return uint16((eight | f.folds) * f.mul >> metShift) }

// load returns the first eight bytes; those that are missing are 0.
func load(b []byte) uint64 {
	if len(b) < 8 {
		var eight [8]byte
		copy(eight[:], b)
		b = eight[:]
	}
	return binary.LittleEndian.Uint64(b)
}

// A tier looks for some literals.
type tier struct {
	class
	met    [1 << metBits]uint8 // by hash: the group of the grams that may be there, 0 for none
	groups [257]int32          // where each begins in grams
	grams  []gram
	most   int // of them in a group
}

// A gram is a few bytes at a place of a literal.
type gram struct {
	mask, want uint64  // of eight bytes around it, what the literal says of them
	near       int32   // where these begin, from its first
	off        int32   // where it begins in the literal
	lits       []int32 // that have all this
}

func (f form) newGram(off int, text string) gram {
	g := gram{off: int32(off)}
	if len(text)-off < 4+min(off, 4) { // there is more of it before than behind
		g.near = -4
	}
	for i := range 8 {
		if at := off + int(g.near) + i; 0 <= at && at < len(text) {
			g.mask |= 0xFF << (8 * i)
			g.want |= uint64(text[at]) << (8 * i)
		}
	}
	g.want |= f.folds & g.mask
	return g
}

func (g *gram) same(o gram) bool {
	return o.mask == g.mask && o.want == g.want && o.near == g.near && o.off == g.off
}

// A maker makes a tier.
type maker struct {
	*tier
	lists [256][]gram // by group
	used  int
}

func (s *survey) tier(c class, lits []Literal, some []int32) *tier {
	m := maker{tier: &tier{class: c}}
	clear(m.met[:]) // see written
	for _, i := range some {
		for _, p := range s.picks(c, lits[i], s.of(c.form, lits[i].Text)) {
			m.add(c.newGram(p.off, lits[i].Text), i, p.hashes)
		}
	}
	for i, list := range m.lists {
		m.grams = append(m.grams, list...)
		m.groups[i+1] = int32(len(m.grams))
		m.most = max(m.most, len(list))
	}
	return m.tier
}

// add puts a gram of a literal into the groups of all its hashes. If some have none they
// get the next.
func (m *maker) add(g gram, lit int32, hashes []uint16) {
	next := uint8(m.used%255 + 1)
	if slices.ContainsFunc(hashes, func(h uint16) bool { return m.met[h] == 0 }) {
		m.used++
	}
	for _, h := range hashes {
		if m.met[h] == 0 {
			m.met[h] = next
		}
		group := m.lists[m.met[h]]
		i := slices.IndexFunc(group, g.same)
		if i < 0 {
			i, group = len(group), append(group, g)
			m.lists[m.met[h]] = group
		}
		if n := len(group[i].lits); n == 0 || group[i].lits[n-1] != lit {
			group[i].lits = append(group[i].lits, lit)
		}
	}
}
