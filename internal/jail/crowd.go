package jail

import (
	"bytes"
	"cmp"
	"hash/maphash"
	"slices"
)

// thin makes room for new subjects at t: first it forgets those whose failures
// are too old to matter, then an eighth of all, from the most crowded networks,
// where those with the fewest and oldest failures go first. An attacker who
// fills a network loses only what the network has counted.
//
// Nothing is judged meanwhile, so it goes through all subjects but twice, and sorts
// no more of them than it must.
func (j *Jail) thin(t int64) {
	now := pages(j.counts.pages)
	in := make([]int32, 0, j.counts.len()) // the number of each subject's crowd
	all := newCensus(j.counts.len())
	for c := range now.all() {
		if c.last <= t-int64(j.c.FindTime) {
			j.counts.drop(c.key)
		} else {
			in = append(in, all.count(c.key.crowd()))
		}
	}
	n := j.counts.len() - (j.max - j.max/8)
	if n <= 0 {
		return
	}
	limit := level(all.sizes, n)
	crowds := all.over(limit)
	i := 0
	for c := range now.all() {
		if k := in[i]; crowds[k] != nil {
			crowds[k] = append(crowds[k], c)
		}
		i++
	}
	var out []*count
	for _, members := range crowds {
		if members != nil {
			first(members, len(members)-limit)
			out = append(out, members[:len(members)-limit]...)
		}
	}
	first(out, n) // the level may forget a few more than it must
	for _, c := range out[:n] {
		j.counts.drop(c.key)
	}
}

// A census counts how many subjects each crowd has.
type census struct {
	seed  maphash.Seed
	slots []int32 // one more than a crowd's number, or 0; as many as a power of 2
	names []crowd
	sizes []int32
}

// newCensus returns a census of so many subjects at most.
func newCensus(most int) *census {
	n := 64
	for n < 2*most {
		n *= 2
	}
	return &census{seed: maphash.MakeSeed(), slots: make([]int32, n)}
}

// count counts one more of a crowd, and returns its number.
func (c *census) count(name crowd) int32 {
	mask := len(c.slots) - 1
	at := int(maphash.Bytes(c.seed, name[:])) & mask
	for c.slots[at] != 0 && c.names[c.slots[at]-1] != name {
		at = (at + 1) & mask
	}
	if c.slots[at] == 0 {
		c.names, c.sizes = append(c.names, name), append(c.sizes, 0)
		c.slots[at] = int32(len(c.names))
	}
	n := c.slots[at] - 1
	c.sizes[n]++
	return n
}

// over returns room for the members of each crowd that is larger than limit; for the
// others nil.
func (c *census) over(limit int) [][]*count {
	total := 0
	for _, size := range c.sizes {
		if int(size) > limit {
			total += int(size)
		}
	}
	room, all := make([]*count, total), make([][]*count, len(c.sizes))
	for k, size := range c.sizes {
		if int(size) > limit {
			all[k], room = room[:0:size], room[size:]
		}
	}
	return all
}

// level returns the highest size to which crowds can be cut down for n to go: they
// are levelled together, so that none is emptied while another is as full.
func level(sizes []int32, n int) int {
	having := make([]int, slices.Max(sizes)+1) // how many crowds have a size
	for _, size := range sizes {
		having[size]++
	}
	larger, over := 0, 0
	for limit := len(having) - 1; limit > 0; limit-- {
		if over >= n {
			return limit
		}
		larger += having[limit]
		over += larger
	}
	return 0
}

// first arranges that the k that are forgotten first come first, in no order.
func first(all []*count, k int) {
	for tries := 0; 0 < k && k < len(all); tries++ {
		if len(all) < 32 || tries > 100 { // somebody has arranged them so that halves are none
			slices.SortFunc(all, least)
			return
		}
		switch p := part(all); {
		case p < k:
			all, k = all[p+1:], k-p-1
		case p > k:
			all = all[:p]
		default:
			return
		}
	}
}

// part puts what comes before one of all in front of it, and returns its place.
func part(all []*count) int {
	last := len(all) - 1
	three := []int{0, last / 2, last}
	slices.SortFunc(three, func(a, b int) int { return least(all[a], all[b]) })
	all[three[1]], all[last] = all[last], all[three[1]]
	p := 0
	for i, c := range all[:last] {
		if least(c, all[last]) < 0 {
			all[i], all[p] = all[p], all[i]
			p++
		}
	}
	all[p], all[last] = all[last], all[p]
	return p
}

// least puts first who is forgotten first: the fewest failures, then the oldest.
func least(a, b *count) int {
	switch {
	case a.total != b.total:
		return cmp.Compare(a.total, b.total)
	case a.last != b.last:
		return cmp.Compare(a.last, b.last)
	}
	return bytes.Compare(a.key[:], b.key[:])
}
