package jail

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
)

// thin makes room for new subjects at t: first it forgets those whose failures
// are too old to matter, then an eighth of all, from the most crowded networks,
// where those with the fewest and oldest failures go first. An attacker who
// fills a network loses only what the network has counted.
func (j *Jail) thin(t int64) {
	now := pages(j.counts.pages)
	for c := range now.all() {
		if c.last <= t-int64(j.c.FindTime) {
			j.counts.drop(c.key)
		}
	}
	n := j.counts.len() - (j.max - j.max/8)
	if n <= 0 {
		return
	}
	sizes := map[crowd]int{}
	for c := range now.all() {
		sizes[c.key.crowd()]++
	}
	limit := level(slices.Collect(maps.Values(sizes)), n)
	crowds := map[crowd][]*count{}
	for c := range now.all() {
		if in := c.key.crowd(); sizes[in] > limit {
			crowds[in] = append(crowds[in], c)
		}
	}
	var out []*count
	for _, members := range crowds {
		slices.SortFunc(members, least)
		out = append(out, members[:len(members)-limit]...)
	}
	slices.SortFunc(out, least) // the level may forget a few more than it must
	for _, c := range out[:n] {
		j.counts.drop(c.key)
	}
}

// level returns the highest size to which crowds can be cut down for n to go: they
// are levelled together, so that none is emptied while another is as full.
func level(sizes []int, n int) int {
	lo, hi := 0, slices.Max(sizes)
	for lo < hi {
		mid, over := (lo+hi+1)/2, 0
		for _, size := range sizes {
			over += max(0, size-mid)
		}
		if over >= n {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return lo
}

// least puts first who is forgotten first: the fewest failures, then the oldest.
func least(a, b *count) int {
	return cmp.Or(cmp.Compare(a.total, b.total), cmp.Compare(a.last, b.last), bytes.Compare(a.key[:], b.key[:]))
}
