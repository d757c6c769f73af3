// Package sorted keeps many records in order, at little more than their own bytes.
package sorted

import (
	"iter"
	"slices"
	"sort"
)

// A View is records in the order of their keys, to be read only.
type View[T any] struct {
	pages []*page[T] // none is empty
	n     int
}

// A Table is a View that can be written to. The records lie in pages, so that it
// grows without being copied, and so that what it holds at a moment can be kept at
// next to no cost: a page that was frozen is copied once something is to be
// written to it. It is not safe for concurrent use; what it has frozen is.
type Table[T any] struct {
	View[T]
	compare func(a, b *T) int // of their keys
	new     T                 // what is put in; here, because a pointer to it is handed on
}

const pageLen = 256

type page[T any] struct {
	rows   []T
	frozen bool
}

// NewTable returns a table without records. Compare orders them by their keys.
func NewTable[T any](compare func(a, b *T) int) *Table[T] {
	return &Table[T]{compare: compare}
}

func (t *Table[T]) fromNew(r *T) int { return t.compare(r, &t.new) }

// Len returns how many records there are.
func (v *View[T]) Len() int { return v.n }

// An order says where a record is from what is looked for: before it (negative),
// there (0), or behind it.
type order[T any] = func(*T) int

// locate returns where a record is, or would be.
func (v *View[T]) locate(from order[T]) (p, i int, found bool) {
	p = sort.Search(len(v.pages), func(p int) bool { return from(&v.pages[p].rows[0]) > 0 }) - 1
	if p < 0 {
		return 0, 0, false
	}
	rows := v.pages[p].rows
	i = sort.Search(len(rows), func(i int) bool { return from(&rows[i]) >= 0 })
	return p, i, i < len(rows) && from(&rows[i]) == 0
}

// Find returns a record, or nil.
func (v *View[T]) Find(from order[T]) *T {
	p, i, found := v.locate(from)
	if !found {
		return nil
	}
	return &v.pages[p].rows[i]
}

// All yields all records. Nothing may be written to a table meanwhile.
func (v *View[T]) All() iter.Seq[*T] { return v.from(0, 0) }

// From yields the records from a place on.
func (v *View[T]) From(from order[T]) iter.Seq[*T] {
	p, i, _ := v.locate(from)
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
	return &View[T]{slices.Clone(t.pages), t.n}
}

// Edit returns the record of a key, to be changed until the next call, but for its
// key. Where there is none it puts r there.
func (t *Table[T]) Edit(r T) *T {
	t.new = r
	p, i, found := t.locate(t.fromNew)
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
	own.rows = slices.Insert(roomy(own.rows), i, r)
	return &own.rows[i]
}

// roomy returns the records of a page that is not full, with room for one more and
// never for more than a page has.
func roomy[T any](rows []T) []T {
	if len(rows) < cap(rows) {
		return rows
	}
	return append(make([]T, 0, min(2*len(rows)+4, pageLen)), rows...)
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

// Drop forgets a record.
func (t *Table[T]) Drop(from order[T]) {
	p, i, found := t.locate(from)
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
	left := t.n
	for i, from := range old {
		for _, r := range from.rows {
			last := len(t.pages) - 1
			if last < 0 || len(t.pages[last].rows) == pageLen {
				t.pages = append(t.pages, &page[T]{rows: make([]T, 0, min(left, pageLen))})
				last++
			}
			t.pages[last].rows = append(t.pages[last].rows, r)
			left--
		}
		old[i] = nil // the collector may have it
	}
}
