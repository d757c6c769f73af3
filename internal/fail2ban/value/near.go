// Package value reads what an option of fail2ban's says: times, globs, addresses;
// and finds the word that a misspelt one was meant to be. It knows no file and no
// jail, and reads nothing but the text that it is given.
package value

import (
	"fmt"
	"strings"
)

// Quote quotes a word of the configuration, cut where it is too long to read.
func Quote(s string) string {
	const most = 80
	if len(s) > most {
		s = s[:most] + "..."
	}
	return fmt.Sprintf("%q", s)
}

// Near returns the known word that s was probably meant to be, or "": the same
// with other separators or letters of the other case, its plural, or one slip
// away, two for words of eight letters and more. A known word is near itself.
func Near(s string, known []string) string {
	const longest = 64
	if len(s) > longest {
		return ""
	}
	best, least := "", 3
	a := squeeze(s)
	for _, k := range known {
		b := squeeze(k)
		d := least
		if len(a) < len(b)+least && len(b) < len(a)+least { // else they differ by too many letters
			d = slips(a, b)
		}
		if singular(a) == singular(b) || strings.HasSuffix(k, "."+s) {
			d = min(d, 1)
		}
		if d < least && (d < 2 || len(k) >= 8) {
			best, least = k, d
		}
	}
	return best
}

func squeeze(s string) string {
	return strings.ToLower(gaps.Replace(s))
}

var gaps = strings.NewReplacer("_", "", "-", "", ".", "", " ", "")

func singular(s string) string {
	if stem, ok := strings.CutSuffix(s, "ies"); ok {
		return stem + "y"
	}
	return strings.TrimSuffix(s, "s")
}

// slips counts the letters that are missing, too many, wrong, or changed places
// with their neighbour.
func slips(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			d := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				d++
			}
			d = min(d, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
