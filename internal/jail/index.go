package jail

import "hash/maphash"

// An index finds the place of a key. It is a map that costs 12 bytes a key, because
// the keys lie at their places, and that never grows all at once. It is half empty at
// least, as each slot that is passed over is a look at a key.
type index struct {
	seed   maphash.Seed
	shards [256]shard
	n      int
	keyAt  func(place uint32) *key
}

type shard struct {
	slots []uint32 // one more than a place, or 0; as many as a power of 2
	n     int
}

// hash returns what the other methods take beside a key.
func (x *index) hash(k *key) uint64 { return maphash.Bytes(x.seed, k[:]) }

// home returns the shard of a key, and the slot in it from which on it is to be found.
func (x *index) home(h uint64) (s *shard, i int) {
	s = &x.shards[h>>56]
	if len(s.slots) == 0 {
		s.slots = make([]uint32, 8)
	}
	return s, int(h) & (len(s.slots) - 1)
}

// slot returns the shard of a key, and the slot in it that has the key or is where
// to put it.
func (x *index) slot(k *key, h uint64) (s *shard, i int) {
	s, i = x.home(h)
	for s.slots[i] != 0 && *x.keyAt(s.slots[i] - 1) != *k {
		i = (i + 1) & (len(s.slots) - 1)
	}
	return s, i
}

func (x *index) find(k *key, h uint64) (place uint32, ok bool) {
	s, i := x.slot(k, h)
	return s.slots[i] - 1, s.slots[i] != 0
}

// put notes the place of a key that is not there yet, and lies at the place.
func (x *index) put(k *key, h uint64, place uint32) {
	s, i := x.slot(k, h)
	s.slots[i] = place + 1
	s.n++
	x.n++
	if s.n <= len(s.slots)/2 {
		return
	}
	old := s.slots
	s.slots = make([]uint32, 2*len(old))
	for _, p := range old {
		if p != 0 {
			k := x.keyAt(p - 1)
			_, i := x.slot(k, x.hash(k))
			s.slots[i] = p
		}
	}
}

// drop forgets a key that is there. What stood behind it for want of room moves up.
func (x *index) drop(k *key, h uint64) {
	s, i := x.slot(k, h)
	last := len(s.slots) - 1
	for j := (i + 1) & last; s.slots[j] != 0; j = (j + 1) & last {
		home := int(x.hash(x.keyAt(s.slots[j]-1))) & last
		if (j-home)&last >= (j-i)&last {
			s.slots[i], i = s.slots[j], j
		}
	}
	s.slots[i] = 0
	s.n--
	x.n--
}
