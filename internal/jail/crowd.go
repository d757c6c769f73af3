package jail

import (
	"bytes"
	"cmp"
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
	crowds := map[[16]byte][]key{}
	for k := range j.counts {
		c := k.crowd()
		crowds[c] = append(crowds[c], k)
	}
	order := make([][16]byte, 0, len(crowds))
	for c := range crowds {
		order = append(order, c)
	}
	slices.SortFunc(order, func(a, b [16]byte) int {
		return cmp.Or(cmp.Compare(len(crowds[b]), len(crowds[a])), bytes.Compare(a[:], b[:]))
	})
	j.forgetFrom(crowds, order, len(j.counts)-(j.max-j.max/8))
}

// forgetFrom forgets n subjects: it levels the most crowded networks down
// together, so that none is emptied while another is as full.
func (j *Jail) forgetFrom(crowds map[[16]byte][]key, order [][16]byte, n int) {
	level := func(limit int) (over int) {
		for _, c := range order {
			if len(crowds[c]) <= limit {
				break
			}
			over += len(crowds[c]) - limit
		}
		return over
	}
	// The highest level at which at least n subjects stick out.
	lo, hi := 0, len(crowds[order[0]])
	for lo < hi {
		if mid := (lo + hi + 1) / 2; level(mid) >= n {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	for _, c := range order {
		keys := crowds[c]
		if len(keys) <= lo || n <= 0 {
			return
		}
		slices.SortFunc(keys, func(a, b key) int {
			x, y := j.counts[a], j.counts[b]
			return cmp.Or(cmp.Compare(x.total, y.total), cmp.Compare(x.last, y.last), bytes.Compare(a[:], b[:]))
		})
		for _, k := range keys[:min(n, len(keys)-lo)] {
			delete(j.counts, k)
			n--
		}
	}
}
