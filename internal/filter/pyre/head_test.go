package pyre

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestHead(t *testing.T) {
	for _, tt := range []struct {
		expr, text string
		want       bool
	}{
		{`^\s[+-]\d{4} \S+`, " +0100 x", true},
		{`^\s[+-]\d{4} \S+`, " mx sshd[1]: x", false},
		{`^\s[+-]\d{4} \S+`, " -x", false},
		{`^\s[+-]\d{4} \S+`, " -", false},
		{`^\s[+-]\d{4} \S+`, " +٣٣٣٣ x", true},
		{`^\s[+-]`, "\u00a0mx", true}, // its second byte is of the same character
		{`\s[+-]\d{4} \S+`, "mx", true},
		{`^(?:ab|[c-e]d)+x`, "cdx", true},
		{`^(?:ab|[c-e]d)+x`, "cbx", true}, // branches are not told apart
		{`^(?:ab|[c-e]d)+x`, "cax", false},
		{`^(?:ab){2}c`, "abab", true},
		{`^(?:ab){2}c`, "abac", false},
		{`^a?bc`, "abx", true},
		{`^a?bc`, "cb", false},
		{`(?i)^as`, "Aſ", true},
		{`(?i)^as`, "At", false},
		{`^a$`, "a\n", true},
		{`^a$`, "a", true},
		{`^a$`, "ab", false},
		{`^$`, "", true},
		{`^a`, "", false},
		{`^(a|b)\1x`, "bb", true},
		{`^é!`, "éx", true},
		{`^é!`, "ex", false},
	} {
		re, err := Compile(tt.expr, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := re.Head.At([]byte(tt.text)); got != tt.want {
			t.Errorf("%q, %q: got %t, want %t", tt.expr, tt.text, got, tt.want)
		}
	}
}

// The fear: what matches is passed over.
func TestWhatIsFoundBeginsAsItIsSaidTo(t *testing.T) {
	g := &maker{Rand: rand.New(rand.NewPCG(7, 8))}
	matched, shut := 0, 0
	for range 5_000 {
		expr := g.pattern()
		if strings.HasPrefix(expr, "(?i)") || strings.HasPrefix(expr, "(?s)") {
			expr = expr[:4] + "^(?:" + expr[4:] + ")"
		} else {
			expr = "^(?:" + expr + ")"
		}
		re, err := Compile(expr, 0)
		if err != nil {
			continue
		}
		var m Matcher
		for range 20 {
			text := []byte(g.text())
			switch opens := re.Head.At(text); {
			case !m.Search(re, text):
				if !opens {
					shut++
				}
			case !opens:
				t.Fatalf("%q matches %q, and is said not to", expr, text)
			default:
				matched++
			}
		}
	}
	if matched < 3_000 || shut < 3_000 {
		t.Errorf("%d searches found something, %d were known not to: that proves little", matched, shut)
	}
}
