package pyre

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/edgeban/edgeban/internal/filter/pyre/syntax"
)

// toGo writes an expression for Go's regexp: what differs is the end of the text,
// the repetition without a lower limit, and the blanks of \s.
func toGo(expr string) string {
	var b strings.Builder
	class := false
	for i := 0; i < len(expr); i++ {
		switch c := expr[i]; {
		case c == '\\' && i+1 < len(expr):
			i++
			switch {
			case expr[i] == 'Z':
				b.WriteString(`\z`)
			case expr[i] == 's' && class:
				b.WriteString(`\s\v\x1c-\x1f`)
			case expr[i] == 's':
				b.WriteString(`[\s\v\x1c-\x1f]`)
			case expr[i] == 'S' && !class:
				b.WriteString(`[^\s\v\x1c-\x1f]`)
			default:
				b.WriteString(expr[i-1 : i+1])
			}
			continue
		case class:
			class = c != ']' || strings.HasSuffix(expr[:i], "[") || strings.HasSuffix(expr[:i], "[^")
		case c == '[':
			class = true
		case c == '$':
			b.WriteString(`(?:\n?\z)`)
			continue
		case c == '{' && strings.HasPrefix(expr[i:], "{,") && !strings.HasPrefix(expr[i:], "{,}"):
			b.WriteString("{0")
			continue
		}
		b.WriteByte(expr[i])
	}
	return b.String()
}

// FuzzSearch holds searches to Go's regexp where that knows the expression, to
// the plain phase, and to what is said of literals and of time.
func FuzzSearch(f *testing.F) {
	for _, bb := range benches {
		f.Add(bb.expr, bb.line)
	}
	for _, expr := range []string{`(a|ab)(c|bcd)(d*)`, `(?:a*)*b`, `(a?)*?b`, `(?i)[k-s]+\b`, `(?:(?!b).)*`, `a{2,3}?$`, `(?P<x>a)(?P=x)`, `(a)?(?(1)b|c)`, `(?<=a)b`, `x*+x`} {
		f.Add(expr, "aaabcd\nkKs xx")
	}
	f.Fuzz(func(t *testing.T, expr, text string) {
		re, err := Compile(expr, 0)
		if err != nil {
			if e, ok := err.(*Error); !ok || e.Offset < 0 || e.Offset > len(expr) || e.Msg == "" {
				t.Fatalf("%q: %v points nowhere", expr, err)
			}
			return
		}
		var m Matcher
		got := found(&m, re, text)
		if got != nil {
			holdsRequired(t, re, text)
		}
		table := Matcher{quick: 1}
		if other := found(&table, re, text); !m.Spent() && !table.Spent() && !slices.Equal(got, other) {
			t.Fatalf("%q in %q: got %v plainly, %v with the table", expr, text, got, other)
		}
		std, err := regexp.Compile(toGo(expr))
		if err != nil || m.Spent() || !comparable(expr, text) {
			return
		}
		at := std.FindStringSubmatchIndex(text)
		if (at != nil) != (got != nil) {
			t.Fatalf("%q in %q: got %v, Go says %v", expr, text, got, at)
		}
		for i := range got {
			if got[i] != [2]int{at[2*i], at[2*i+1]} {
				t.Fatalf("%q in %q: group %d: got %v, Go says %v", expr, text, i, got[i], at[2*i:2*i+2])
			}
		}
	})
}

// comparable reports whether Go's regexp means the same by expr. It differs in
// flags in the middle, in case beyond ASCII, and in repetitions that match nothing.
func comparable(expr, text string) bool {
	t, _, err := syntax.Parse(expr, syntax.Flags{})
	if err != nil || !utf8.ValidString(text) || strings.ContainsFunc(expr+text, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return false
	}
	return !strings.Contains(expr, "(?") && !strings.Contains(expr, "[[") && !strings.Contains(expr, `\Q`) && !strings.Contains(expr, `\C`) && !strings.Contains(expr, `\p`) && !strings.Contains(expr, `\P`) &&
		!strings.Contains(expr, "{,}") && !strings.Contains(expr, "[") && !strings.Contains(expr, `\B`) &&
		!t.Any(func(s *syntax.Node) bool {
			return s.Kind == syntax.Repeat && s.Subs[0].Nullable() || s.Kind == syntax.Back || s.Kind == syntax.Assert && s.Assert == syntax.LastLineEnd
		})
}
