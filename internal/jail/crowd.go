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
	for k, c := range j.counts {
		if c.last <= t-int64(j.c.FindTime) {
			delete(j.counts, k)
		}
	}
	if len(j.counts) <= j.max-j.max/8 {
		return
	}
	crowds := map[[16]byte][]member{}
	for k, c := range j.counts {
		in := k.crowd()
		crowds[in] = append(crowds[in], member{k, c.total, c.last})
	}
	order := slices.Collect(maps.Values(crowds))
	slices.SortFunc(order, func(a, b []member) int { return cmp.Compare(len(b), len(a)) })
	j.forgetFrom(order, len(j.counts)-(j.max-j.max/8))
}

// A member of a crowd is a subject that may be forgotten.
type member struct {
	key   key
	total int
	last  int64
}

// forgetFrom forgets n subjects: it levels the most crowded networks, which come
// first, down together, so that none is emptied while another is as full.
func (j *Jail) forgetFrom(crowds [][]member, n int) {
	level := func(limit int) (over int) {
		for _, c := range crowds {
			if len(c) <= limit {
				break
			}
			over += len(c) - limit
		}
		return over
	}
	// The highest level at which at least n subjects stick out.
	lo, hi := 0, len(crowds[0])
	for lo < hi {
		if mid := (lo + hi + 1) / 2; level(mid) >= n {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	var out []member
	for _, c := range crowds {
		if len(c) <= lo {
			break
		}
		slices.SortFunc(c, least)
		out = append(out, c[:len(c)-lo]...)
	}
	slices.SortFunc(out, least) // the level may forget a few more than it must
	for _, m := range out[:n] {
		delete(j.counts, m.key)
	}
}

// least puts first who is forgotten first: the fewest failures, then the oldest.
func least(a, b member) int {
	return cmp.Or(cmp.Compare(a.total, b.total), cmp.Compare(a.last, b.last), bytes.Compare(a.key[:], b.key[:]))
}
