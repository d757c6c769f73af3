// Package sorted keeps many records in order, at little more than their own bytes.
package sorted

import (
	"iter"
	"slices"
	"sort"
)

// A View is records in the order of their keys, to be read only.
type View[T any] struct {
	compare func(a, b *T) int // of their keys
	pages   []*page[T]        // none is empty
	n       int
}

// A Table is a View that can be written to. The records lie in pages, so that it
// grows without being copied, and so that what it holds at a moment can be kept at
// next to no cost: a page that was frozen is copied once something is to be
// written to it. It is not safe for concurrent use; what it has frozen is.
type Table[T any] struct{ View[T] }

const pageLen = 256

type page[T any] struct {
	rows   []T
	frozen bool
}

// NewTable returns a table without records. Compare orders them by their keys.
func NewTable[T any](compare func(a, b *T) int) *Table[T] {
	return &Table[T]{View[T]{compare: compare}}
}

// Len returns how many records there are.
func (v *View[T]) Len() int { return v.n }

// locate returns where the key is, or would be.
func (v *View[T]) locate(key *T) (p, i int, found bool) {
	p = sort.Search(len(v.pages), func(p int) bool { return v.compare(&v.pages[p].rows[0], key) > 0 }) - 1
	if p < 0 {
		return 0, 0, false
	}
	rows := v.pages[p].rows
	i = sort.Search(len(rows), func(i int) bool { return v.compare(&rows[i], key) >= 0 })
	return p, i, i < len(rows) && v.compare(&rows[i], key) == 0
}

// Find returns the record of a key, or nil.
func (v *View[T]) Find(key *T) *T {
	p, i, found := v.locate(key)
	if !found {
		return nil
	}
	return &v.pages[p].rows[i]
}

// All yields all records. Nothing may be written to a table meanwhile.
func (v *View[T]) All() iter.Seq[*T] { return v.from(0, 0) }

// From yields the records from a key on.
func (v *View[T]) From(key *T) iter.Seq[*T] {
	p, i, _ := v.locate(key)
	return v.from(p, i)
}

func (v *View[T]) from(p, i int) iter.Seq[*T] {
	return func(yield func(*T) bool) {
		i := i
		for _, page := range v.pages[min(p, len(v.pages)):] {
			for ; i < len(page.rows); i++ {
				if !yield(&page.rows[i]) {
					return
				}
			}
			i = 0
		}
	}
}

// Freeze returns the records as they are now. They never change.
func (t *Table[T]) Freeze() *View[T] {
	for _, p := range t.pages {
		p.frozen = true
	}
	return &View[T]{t.compare, slices.Clone(t.pages), t.n}
}

// Edit returns the record of a key, to be changed until the next call, but for its
// key. Where there is none it puts r there.
func (t *Table[T]) Edit(r T) *T {
	p, i, found := t.locate(&r)
	if found {
		return &t.own(p).rows[i]
	}
	t.n++
	if len(t.pages) == 0 {
		t.pages = append(t.pages, &page[T]{})
	}
	if len(t.pages[p].rows) == pageLen {
		p, i = t.split(p, i)
	}
	own := t.own(p)
	own.rows = slices.Insert(own.rows, i, r)
	return &own.rows[i]
}

// split makes room in a full page, and returns the place that a place in it has
// then. What comes in order fills the pages.
func (t *Table[T]) split(p, i int) (int, int) {
	half := pageLen / 2
	if p == len(t.pages)-1 && i == pageLen {
		half = pageLen
	}
	own := t.own(p)
	t.pages = slices.Insert(t.pages, p+1, &page[T]{rows: slices.Clone(own.rows[half:])})
	clear(own.rows[half:])
	own.rows = own.rows[:half]
	if i < half || i == half && half < pageLen {
		return p, i
	}
	return p + 1, i - half
}

// own returns a page that may be written to.
func (t *Table[T]) own(p int) *page[T] {
	if t.pages[p].frozen {
		t.pages[p] = &page[T]{rows: slices.Clone(t.pages[p].rows)}
	}
	return t.pages[p]
}

// Drop forgets the record of a key.
func (t *Table[T]) Drop(key *T) {
	p, i, found := t.locate(key)
	if !found {
		return
	}
	own := t.own(p)
	own.rows = slices.Delete(own.rows, i, i+1)
	t.n--
	if len(own.rows) == 0 {
		t.pages = slices.Delete(t.pages, p, p+1)
	}
	t.tidy()
}

// DropFunc forgets the records that may go.
func (t *Table[T]) DropFunc(may func(*T) bool) {
	goes := func(r T) bool { return may(&r) }
	for p := range t.pages {
		if slices.ContainsFunc(t.pages[p].rows, goes) {
			own := t.own(p)
			before := len(own.rows)
			own.rows = slices.DeleteFunc(own.rows, goes)
			t.n -= before - len(own.rows)
		}
	}
	t.pages = slices.DeleteFunc(t.pages, func(p *page[T]) bool { return len(p.rows) == 0 })
	t.tidy()
}

// tidy packs the pages once most of their room is empty.
func (t *Table[T]) tidy() {
	if len(t.pages) > 4 && t.n < len(t.pages)*pageLen/4 {
		t.Pack()
	}
}

// Pack fills the pages: those of records that came in no order have room left.
func (t *Table[T]) Pack() {
	old := t.pages
	t.pages = make([]*page[T], 0, (t.n+pageLen-1)/pageLen)
	for i, from := range old {
		for _, r := range from.rows {
			last := len(t.pages) - 1
			if last < 0 || len(t.pages[last].rows) == pageLen {
				t.pages = append(t.pages, &page[T]{rows: make([]T, 0, pageLen)})
				last++
			}
			t.pages[last].rows = append(t.pages[last].rows, r)
		}
		old[i] = nil // the collector may have it
	}
}
