package value

import "strings"

// Glob turns a pattern of Python's glob into one of Go's: [!x] is [^x], and what
// Python takes as it stands, a backslash or a lone [, is escaped.
func Glob(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		end := -1
		if s[i] == '[' {
			end = classEnd(s, i)
		}
		switch {
		case end > 0:
			b.WriteString(class(s[i+1 : end]))
			i = end
		case s[i] == '[' || s[i] == '\\':
			b.WriteByte('\\')
			fallthrough
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// classEnd returns where the class that begins at i ends, or -1. A ] right at its
// begin is one of its characters.
func classEnd(s string, i int) int {
	j := i + 1
	if strings.HasPrefix(s[j:], "!") {
		j++
	}
	if strings.HasPrefix(s[j:], "]") {
		j++
	}
	n := strings.IndexByte(s[min(j, len(s)):], ']')
	if n < 0 {
		return -1
	}
	return j + n
}

// class writes the inside of a class in Go's way. A - between two characters is
// a range in both.
func class(s string) string {
	var b strings.Builder
	b.WriteByte('[')
	if strings.HasPrefix(s, "!") {
		b.WriteByte('^')
		s = s[1:]
	}
	for i, r := range s {
		rang := r == '-' && i > 0 && i < len(s)-1
		if strings.ContainsRune(`\]^[`, r) || r == '-' && !rang {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	b.WriteByte(']')
	return b.String()
}
