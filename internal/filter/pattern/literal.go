package pattern

import (
	"regexp/syntax"
	"slices"
	"strings"
)

// Limits of what is worth searching for.
const (
	leastLiteral = 2
	mostLiterals = 16 // of one set
	mostSets     = 6
)

// required returns sets of strings: every match of re has at least one string
// of each set. Only the longest piece that JSON writes as it stands is kept of
// each, so that it is also found in a line that a container's log driver has
// wrapped.
func required(re *syntax.Regexp) [][]string {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			return nil
		}
		var sets [][]string
		for _, piece := range pieces(string(re.Rune)) {
			sets = append(sets, []string{piece})
		}
		return keep(sets)
	case syntax.OpCapture, syntax.OpPlus:
		return required(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return required(re.Sub[0])
		}
	case syntax.OpConcat:
		var all [][]string
		for _, sub := range re.Sub {
			all = append(all, required(sub)...)
		}
		return keep(all)
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			sets := required(sub)
			if len(sets) == 0 {
				return nil
			}
			all = append(all, sets[0]...)
		}
		return keep([][]string{all})
	}
	return nil
}

// keep returns the sets that are worth searching for, the best first.
func keep(sets [][]string) [][]string {
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
