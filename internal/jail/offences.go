package jail

import "slices"

// Offences are when each was, the last maxOffences of them, in Unix nanoseconds.
// Most have one.
type offences struct {
	last int64    // 0 where there is none
	old  *[]int64 // those before it, oldest first; never changed, for a snapshot may have it
}

const maxOffences = 32

// all returns the offences, oldest first.
func (o offences) all() []int64 {
	switch {
	case o.old != nil:
		return append(slices.Clip(*o.old), o.last)
	case o.last != 0:
		return []int64{o.last}
	}
	return nil
}

// offencesOf returns what is remembered of all offences, oldest first.
func offencesOf(all []int64) (o offences) {
	if all = all[max(0, len(all)-maxOffences):]; len(all) == 0 {
		return o
	}
	last := len(all) - 1
	o.last = all[last]
	if last > 0 {
		old := slices.Clone(all[:last])
		o.old = &old
	}
	return o
}

func (o *offences) add(t int64) { *o = offencesOf(append(o.all(), t)) }

// dropLast forgets the last offence, and reports whether there was one.
func (o *offences) dropLast() bool {
	all := o.all()
	if len(all) == 0 {
		return false
	}
	*o = offencesOf(all[:len(all)-1])
	return true
}

// since returns how many were at t or later.
func (o offences) since(t int64) (n int) {
	for _, at := range o.all() {
		if at >= t {
			n++
		}
	}
	return n
}
