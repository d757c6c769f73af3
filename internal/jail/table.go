package jail

import (
	"hash/maphash"
	"iter"
	"slices"
)

// A table holds the counts of many subjects. They lie in pages, so that it grows
// without being copied, and so that what it holds at a moment can be kept at next
// to no cost: a page that was frozen is copied once something is to be written
// to it.
type table struct {
	at     index // the place of each
	pages  []*page
	frozen []bool   // which of the pages somebody keeps
	free   []uint32 // places that hold none
	read   byte     // by touch, so that it is read at all
}

const pageLen = 256

type page [pageLen]count

func newTable() *table {
	t := &table{at: index{seed: maphash.MakeSeed()}}
	t.at.keyAt = func(i uint32) *key { return &t.pages[i/pageLen][i%pageLen].key }
	return t
}

// find returns the count of a subject, to be read only, or nil.
func (t *table) find(k key) *count {
	i, ok := t.at.find(&k, t.at.hash(&k))
	if !ok {
		return nil
	}
	return &t.pages[i/pageLen][i%pageLen]
}

// edit returns the count of a subject, to be changed until the next call of edit
// or drop. It makes one that has counted nothing where there is none.
func (t *table) edit(k key) *count {
	n := t.near(k)
	return t.editNear(&n)
}

// nearby is a key, and where its count is likely to be.
type nearby struct {
	key   key
	guess uint32 // one more than the place; 0 for no guess
	hash  uint64 // of the key
}

// near returns a key without a guess.
func (t *table) near(k key) nearby { return nearby{key: k, hash: t.at.hash(&k)} }

// touch guesses where the counts of these subjects are, and reads something of each.
func (t *table) touch(all []nearby) {
	for i := range all {
		s, at := t.at.home(all[i].hash)
		all[i].guess = s.slots[at]
	}
	for i := range all {
		if p := all[i].guess; p > 0 {
			t.read ^= t.pages[(p-1)/pageLen][(p-1)%pageLen].key[0]
		}
	}
}

// editNear is edit for who has a guess.
func (t *table) editNear(n *nearby) *count {
	if n.guess > 0 {
		if c := t.own(n.guess - 1); c.used && c.key == n.key {
			return c
		}
	}
	i, ok := t.at.find(&n.key, n.hash)
	if ok {
		return t.own(i)
	}
	i = t.place()
	c := t.own(i)
	*c = count{key: n.key, used: true}
	t.at.put(&n.key, n.hash, i)
	return c
}

// drop forgets the count of a subject.
func (t *table) drop(k key) {
	h := t.at.hash(&k)
	if i, ok := t.at.find(&k, h); ok {
		t.at.drop(&k, h)
		*t.own(i) = count{}
		t.free = append(t.free, i)
	}
}

// place returns the place of one more.
func (t *table) place() uint32 {
	if len(t.free) == 0 {
		first := uint32(len(t.pages)) * pageLen
		t.pages, t.frozen = append(t.pages, new(page)), append(t.frozen, false)
		for i := range uint32(pageLen) {
			t.free = append(t.free, first+pageLen-1-i)
		}
	}
	last := len(t.free) - 1
	i := t.free[last]
	t.free = t.free[:last]
	return i
}

// own returns a place that may be written to.
func (t *table) own(i uint32) *count {
	n := i / pageLen
	if t.frozen[n] {
		t.pages[n], t.frozen[n] = t.pages[n].clone(), false
	}
	return &t.pages[n][i%pageLen]
}

func (p *page) clone() *page {
	c := *p
	for i := range c {
		if s := c[i].stamps; s != nil {
			own := slices.Clone(*s)
			c[i].stamps = &own
		}
	}
	return &c
}

// len returns how many subjects have a count.
func (t *table) len() int { return t.at.n }

// freeze returns the pages as they are now. They never change.
func (t *table) freeze() pages {
	for i := range t.frozen {
		t.frozen[i] = true
	}
	return slices.Clone(t.pages)
}

// pages are all counts, in no order.
type pages []*page

// all yields the counts, to be read only. The one yielded may be dropped meanwhile.
func (ps pages) all() iter.Seq[*count] {
	return func(yield func(*count) bool) {
		for _, p := range ps {
			for i := range p {
				if p[i].used && !yield(&p[i]) {
					return
				}
			}
		}
	}
}
