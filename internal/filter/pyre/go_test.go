package pyre

import (
	"errors"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/edgeban/edgeban/internal/filter/pyre/syntax"
)

// toGo writes an expression for Go's regexp: what differs is the end of the text
// and the repetition without a lower limit.
func toGo(expr string) string {
	var b strings.Builder
	for i := 0; i < len(expr); i++ {
		switch {
		case expr[i] == '\\' && i+1 < len(expr):
			i++
			if expr[i] == 'Z' {
				b.WriteString(`\z`)
			} else {
				b.WriteString(expr[i-1 : i+1])
			}
			continue
		case expr[i] == '$':
			b.WriteString(`(?:\n?\z)`)
			continue
		}
		b.WriteByte(expr[i])
		if strings.HasPrefix(expr[i:], "{,") {
			b.WriteByte('0')
		}
	}
	return b.String()
}

// leadingZero is in numbers of repetitions that Go takes for characters.
var leadingZero = regexp.MustCompile(`[{,]0[0-9]`)

// asGo compares what was found with what Go's regexp finds, if that means the
// same by the expression.
func asGo(t *testing.T, expr, text string, got [][2]int) bool {
	t.Helper()
	std, err := regexp.Compile(toGo(expr))
	if err != nil || !same(expr, text) {
		return false
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
	return true
}

// same reports whether Go's regexp means the same by expr. It differs beyond
// ASCII, in classes of classes, and in repetitions of what may match nothing; and
// what stands for $ takes the newline.
func same(expr, text string) bool {
	tree, _, err := syntax.Parse(expr, syntax.Flags{})
	if err != nil || text == "" || strings.ContainsFunc(expr+text, func(r rune) bool {
		return r >= utf8.RuneSelf || r < ' ' && !strings.ContainsRune("\t\n\r\f", r)
	}) {
		return false
	}
	if leadingZero.MatchString(expr) {
		return false
	}
	newline := strings.Contains(text, "\n")
	return !strings.Contains(expr, "[[") && !strings.Contains(expr, "[:") && !strings.Contains(expr, "{,}") && !strings.Contains(expr, "$]") &&
		!tree.Any(func(n *syntax.Node) bool {
			return n.Kind == syntax.Repeat && n.Subs[0].Nullable() || n.Kind == syntax.Char && strings.Contains(expr, "[$") ||
				n.Kind == syntax.Assert && (n.Assert == syntax.LineEnd || n.Assert == syntax.LastLineEnd && newline)
		})
}

// The fear is that the oracle in Python is not there where this is changed.
func TestAsGo(t *testing.T) {
	g := &maker{Rand: rand.New(rand.NewPCG(5, 6))}
	compared := 0
	var m Matcher
	for range 20_000 {
		expr := g.pattern()
		re, err := Compile(expr, 0)
		for range 3 {
			if err != nil {
				break
			}
			text := strings.Map(func(r rune) rune { return pick(r < utf8.RuneSelf, r, 'a') }, g.text())
			if got := found(&m, re, text); !m.Spent() && asGo(t, expr, text, got) {
				compared++
			}
		}
	}
	if compared < 2000 {
		t.Errorf("only %d searches were compared", compared)
	}
	t.Logf("%d searches as Go's regexp", compared)
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
			if e, ok := errors.AsType[*Error](err); !ok || e.Offset < 0 || e.Offset > len(expr) || e.Msg == "" {
				t.Fatalf("%q: %v points nowhere", expr, err)
			}
			return
		}
		var m Matcher
		got := found(&m, re, text)
		if got != nil {
			holdsRequired(t, re, text)
			if !re.Head.At([]byte(text)) {
				t.Fatalf("%q matches %q, and is said not to", expr, text)
			}
		}
		table := Matcher{quick: 1}
		if other := found(&table, re, text); !m.Spent() && !table.Spent() && !slices.Equal(got, other) {
			t.Fatalf("%q in %q: got %v plainly, %v with the table", expr, text, got, other)
		}
		var warm Matcher // has seen what begins alike
		for _, other := range []string{text, text + "x", text[:len(text)/2] + "0" + text[len(text)/2:], text[:len(text)/2], text} {
			var m Matcher
			want, got := found(&m, re, other), found(&warm, re, other)
			if !m.Spent() && !warm.Spent() && !slices.Equal(want, got) {
				t.Fatalf("%q in %q: got %v behind what is like it, %v alone", expr, other, got, want)
			}
		}
		if !m.Spent() {
			asGo(t, expr, text, got)
		}
	})
}
