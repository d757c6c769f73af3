// Package ring keeps the last lines of many subjects, the evidence of bans that may
// come, in a bounded memory.
package ring

import "slices"

// Size is how many lines are kept of those that were added last.
const Size = 100_000

// A Ring has the last lines of all subjects by their numbers. Each knows the one of its
// subject before it.
type Ring struct {
	lines []line
	last  uint64
}

type line struct {
	n, before uint64
	text      string
}

// Next returns the number of the next line. The first is 1.
func (r *Ring) Next() uint64 {
	r.last++
	return r.last
}

func (r *Ring) at(n uint64) *line { return &r.lines[n%Size] }

// Add keeps the line that got the last number. The number of the one before it of its
// subject may be 0, for none. Of a subject that fails slowly the last few are kept, too:
// they move up before they would go.
func (r *Ring) Add(before uint64, text string, few int) {
	if r.lines == nil {
		r.lines = make([]line, Size)
	}
	n := r.last
	if before != 0 && n-before > Size/2 {
		all := r.Last(before, few-1)
		before = 0
		for _, old := range all {
			up := r.Next()
			*r.at(up) = line{up, before, old}
			before = up
		}
	}
	*r.at(n) = line{n, before, text}
}

// Last returns the last few lines of a subject, up to that of n, as far as they are kept.
func (r *Ring) Last(n uint64, few int) (all []string) {
	all = make([]string, 0, few)
	for r.lines != nil && len(all) < few && n != 0 && r.at(n).n == n {
		all = append(all, r.at(n).text)
		n = r.at(n).before
	}
	slices.Reverse(all)
	return all
}
