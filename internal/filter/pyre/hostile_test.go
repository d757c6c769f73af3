package pyre

import (
	"strings"
	"testing"
)

// The fear is a line that stalls the reader: the work of a search is bounded by
// the length of its text, and what has no back-reference is decided all the same.
func TestHostileTextsCostLittle(t *testing.T) {
	const long = 20_000
	of := func(s string, n int) string { return strings.Repeat(s, n/len(s)) }
	for _, tt := range []struct {
		expr, text string
		spent      bool
	}{
		{`^(a+)+$`, of("a", 149) + "!", false},
		{`^(a+)+$`, of("a", long) + "!", false},
		{`^(?:a|aa)+$`, of("a", long) + "!", false},
		{`^(?:a|a)*$`, of("a", long) + "!", false},
		{`(x+x+)+y`, of("x", long), false},
		{`(?:a*)*b`, of("a", long), false},
		{`(?:a*?b?)*c`, of("ab", long), false},
		{`(?:(?:a?){1,3})*c`, of("a", long/30), false},
		{`^(.*)(.*)(.*)(.*)(.*)x$`, of("a", long) + "x!", false},
		{`(.*?)(.*?)(.*?)x$`, of("a", long) + "x!", false},
		{`\s+$`, of(" ", long) + "x", false},
		{`a*+b`, of("a", long), false},
		{`.*a.*b.*c.*d`, of("abc", long), false},
		{`(?:.*a.*b)*z`, of("ab", long), false},
		{`(?:.{0,9}a)*z`, of("ab", long), false},
		{`(?:(?=.*x)a)*y`, of("a", long) + "x", false},
		{`(?:(?!.*x)a)*y`, of("a", long), false},
		{`(?:(?!(?:a|aa)*x)a)*y`, of("a", long), false},
		{`^(?:(?!foo).)*(?:(?!foo).)*$`, of("a", long) + "foo", false},
		{`(a)?(?:a|aa)*(?(1)b|c)`, of("a", long/6), false},
		{`^smtp: (?:\w+ ?)*from \d+$`, "smtp: " + of("A ", 130) + "from 192.0.2.1", false},
		{`(?:é|É|.)*ü`, of("é", long), false},
		{`^(a*)(a*)(a*)\1\2\3b`, of("a", 149), true},
		{`^(a*)(a*)(a*)\1\2\3b`, of("a", long), true},
		{`(?P<q>.*)x(?P=q)y`, of("ax", long), true},
	} {
		re, err := Compile(tt.expr, 0)
		if err != nil {
			t.Fatal(err)
		}
		var m Matcher
		m.Search(re, []byte(tt.text))
		if m.Search(re, []byte(tt.text)) {
			t.Errorf("%s matches", re)
		}
		if m.Spent() != tt.spent {
			t.Errorf("%s in %d bytes: spent is %v, want %v", re, len(tt.text), m.Spent(), tt.spent)
		}
		if tt.spent == re.Linear() {
			t.Errorf("%s: Linear is %v", re, re.Linear())
		}
		t.Logf("%-36s %6d bytes, table %v, %d steps left", tt.expr, len(tt.text), m.table, m.steps)
	}
}

// What holds is work, too: a loop of look-arounds that all hold must be counted, so
// that the search goes on with the table.
func TestLookAroundsThatHoldAreCounted(t *testing.T) {
	for _, expr := range []string{`(?:a(?=(?:ab?)*c))*d`, `^(?:(?>(?=(?:ab?)*c)a))*d`, `^(?:(?=(?:(a)b?)*c)a)*d`} {
		re, err := Compile(expr, 0)
		if err != nil {
			t.Fatal(err)
		}
		var m Matcher
		if m.Search(re, []byte(strings.Repeat("a", 3000)+"c")) {
			t.Errorf("%s matches", expr)
		}
		if !m.table {
			t.Errorf("%s: the plain way was taken to its end, however long that is", expr)
		}
	}
}
