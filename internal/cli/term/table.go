package term

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Columns prints rows, the head first, each column as wide as its widest cell. In
// align a letter stands for a column: l for left, r for right. The last column is
// cut where a screen of 80 ends. A row of one cell is a note to the row above.
func Columns(w io.Writer, align string, rows [][]string) {
	const screen, least = 80, 9
	width := make([]int, len(align))
	for _, r := range rows {
		for i, cell := range r {
			if len(r) > 1 {
				width[i] = max(width[i], utf8.RuneCountInString(cell))
			}
		}
	}
	for _, r := range rows {
		if len(r) == 1 {
			fmt.Fprintf(w, "  %s\n", r[0])
			continue
		}
		line, used := "", 0
		for i, cell := range r {
			switch {
			case align[i] == 'r':
				line += fmt.Sprintf("%*s  ", width[i], cell)
			case i == len(r)-1:
				line += Clean(cell, max(least, screen-used)-1)
			default:
				line += fmt.Sprintf("%-*s  ", width[i], cell)
			}
			used += width[i] + 2
		}
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
}
