// Package ring keeps the last lines of many subjects, the evidence of bans that may
// come, in a bounded memory.
package ring

import (
	"slices"
	"strings"
)

// Size is how many lines are kept of those that were added last.
const Size = 100_000

// A Ring has the last lines of all subjects by their numbers. Each knows the one of its
// subject before it.
//
// They lie in pages, each made when it is needed: of one piece as large as all, the
// collector would touch what nobody has written to yet, and that costs more than to
// write it.
type Ring struct {
	pages [Size / pageLen]*page
	last  uint64
}

const pageLen = 250

type page [pageLen]line

type line struct {
	n, before uint64
	text      string
}

// Next returns the number of the next line. The first is 1.
func (r *Ring) Next() uint64 {
	r.last++
	return r.last
}

// at returns the place of a number, or nil where nothing was written near it.
func (r *Ring) at(n uint64) *line {
	i := n % Size
	if p := r.pages[i/pageLen]; p != nil {
		return &p[i%pageLen]
	}
	return nil
}

// put keeps a line at the place of its number.
func (r *Ring) put(l line) {
	i := l.n % Size
	p := r.pages[i/pageLen]
	if p == nil {
		p = new(page)
		r.pages[i/pageLen] = p
	}
	p[i%pageLen] = l
}

// Add keeps the line that got the last number. The number of the one before it of its
// subject may be 0, for none. Of a subject that fails slowly the last few are kept, too:
// they move up before they would go.
func (r *Ring) Add(before uint64, text string, few int) {
	n := r.last
	if before != 0 && n-before > Size/2 {
		all := r.Last(before, few-1)
		before = 0
		for _, old := range all {
			up := r.Next()
			r.put(line{up, before, strings.Clone(old)}) // what lay beside it may go
			before = up
		}
	}
	r.put(line{n, before, text})
}

// Last returns the last few lines of a subject, up to that of n, as far as they are kept.
func (r *Ring) Last(n uint64, few int) (all []string) {
	all = make([]string, 0, few)
	for len(all) < few && n != 0 {
		l := r.at(n)
		if l == nil || l.n != n {
			break
		}
		all = append(all, l.text)
		n = l.before
	}
	slices.Reverse(all)
	return all
}
