package pattern

import (
	"slices"
	"strings"

	"github.com/edgeban/edgeban/internal/filter/pyre"
)

// Limits of what is worth searching for.
const (
	leastLiteral = 2
	mostLiterals = 16 // of one set
	mostSets     = 6
)

// literals returns of sets of literals those to search for in lines as they are
// written, the best first. Only pieces that JSON writes as they stand are kept, so
// that they are also found in a line that a container's log driver has wrapped.
func literals(required [][]pyre.Literal) [][]string {
	var sets [][]string
	for _, set := range required {
		if len(set) == 1 && !set[0].Fold {
			for _, piece := range pieces(set[0].Text) {
				sets = append(sets, []string{piece})
			}
			continue
		}
		var longest []string
		for _, lit := range set {
			longest = append(longest, "")
			for _, piece := range pieces(lit.Text) {
				if last := &longest[len(longest)-1]; len(piece) > len(*last) && !lit.Fold {
					*last = piece
				}
			}
		}
		slices.Sort(longest)
		sets = append(sets, slices.Compact(longest))
	}
	sets = slices.DeleteFunc(sets, func(set []string) bool {
		return len(set) > mostLiterals || shortest(set) < leastLiteral
	})
	slices.SortStableFunc(sets, func(a, b []string) int { return shortest(b) - shortest(a) })
	return sets[:min(len(sets), mostSets)]
}

func shortest(set []string) int {
	n := len(set[0])
	for _, s := range set {
		n = min(n, len(s))
	}
	return n
}

// pieces cuts s at what JSON escapes. Blanks and the like at the beginning of a
// piece are left out: a search goes by the first bytes, and those are everywhere.
func pieces(s string) []string {
	all := strings.FieldsFunc(s, func(r rune) bool {
		return r < ' ' || r > '~' || strings.ContainsRune(`"\<>&`, r)
	})
	for i, piece := range all {
		if short := strings.TrimLeft(piece, " ,:;)"); len(short) >= leastLiteral {
			all[i] = short
		}
	}
	return all
}
