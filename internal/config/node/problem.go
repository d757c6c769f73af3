package node

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Problem is one thing that is wrong with a configuration: where, what, and
// what to write in its place. It never holds a secret.
type Problem struct {
	File   string
	Line   int    // from 1
	Column int    // from 1, in characters
	Path   string // of the key, such as jails.sshd.maxretry; empty for the file as a whole
	Text   string
}

// Error returns file:line:column: path: text.
func (p Problem) Error() string {
	at := fmt.Sprintf("%s:%d:%d: ", p.File, p.Line, p.Column)
	if p.Path != "" {
		at += p.Path + ": "
	}
	return at + p.Text
}

// Problems is everything that is wrong, in the order of the file: people mend a
// file once, not line by line.
type Problems []Problem

// Error returns a line for each.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// sorted returns ps in the order of the file, each once.
func (ps Problems) sorted() Problems {
	slices.SortFunc(ps, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Path, b.Path),
			cmp.Compare(a.Text, b.Text),
		)
	})
	return slices.Compact(ps)
}

// Quote returns the start of s in quotes, with nothing in it that could move a
// terminal's cursor or fill its screen.
func Quote(s string) string {
	const enough = 64
	n := 0
	for i := range s {
		if n++; n > enough {
			return strconv.Quote(s[:i] + "…")
		}
	}
	return strconv.Quote(s)
}
