// Package table keeps what a search has found out of the places of a text, a bit each,
// in rows.
//
// The package must not know what a row stands for.
package table

import "math/bits"

// A Table has rows of bits. Its zero value has none.
type Table struct {
	stride int // words of a row
	words  []uint64
}

// Stride returns how many words of eight bytes a row has, for places up to last.
func Stride(last int) int { return last/64 + 1 }

// Clear makes a table of so many rows for places up to last, without a bit that is set.
func (t *Table) Clear(rows, last int) {
	t.stride = Stride(last)
	n := rows * t.stride
	if cap(t.words) < n {
		t.words = make([]uint64, n)
		return
	}
	t.words = t.words[:n]
	clear(t.words)
}

// Size returns how many words the table has in memory.
func (t *Table) Size() int { return cap(t.words) }

// Has returns the bit of a place.
func (t *Table) Has(row int32, i int) bool {
	return t.words[int(row)*t.stride+i>>6]>>(i&63)&1 != 0
}

// Set sets the bits of the places from from to to, if there are any. No row is -1.
func (t *Table) Set(row, from, to int32) {
	if row < 0 || from > to {
		return
	}
	words := t.words[int(row)*t.stride:][:t.stride]
	first, last := from>>6, to>>6
	head, tail := ^uint64(0)<<(from&63), ^uint64(0)>>(63-to&63)
	if first == last {
		words[first] |= head & tail
		return
	}
	words[first] |= head
	for k := first + 1; k < last; k++ {
		words[k] = ^uint64(0)
	}
	words[last] |= tail
}

// Find returns the first place from from to to whose bit is set, -1 if there is none.
func (t *Table) Find(row int32, from, to int) int {
	words := t.words[int(row)*t.stride:][:t.stride]
	for from <= to {
		if w := words[from>>6] >> (from & 63); w != 0 {
			if at := from + bits.TrailingZeros64(w); at <= to {
				return at
			}
			return -1
		}
		from = (from>>6 + 1) << 6
	}
	return -1
}
