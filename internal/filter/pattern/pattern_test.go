package pattern

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/edgeban/edgeban/internal/filter/pyre"
)

func host(t *testing.T, text, line string) string {
	p, err := Compile(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	var m pyre.Matcher
	var g Groups
	if !p.Match(&m, []byte(line), &g) {
		return ""
	}
	return string(g[Host])
}

func TestHostIsAWholeAddress(t *testing.T) {
	for _, tt := range []struct{ pattern, line, want string }{
		{`from <HOST> port`, "from 203.0.113.9 port", "203.0.113.9"},
		{`from <HOST> port`, "from 2001:db8::9 port", "2001:db8::9"},
		{`from <HOST> port`, "from ::ffff:203.0.113.9 port", "::ffff:203.0.113.9"},
		{`from <HOST> port`, "from ::1 port", "::1"},
		{`from <HOST>:`, "from 2001:db8::9: x", "2001:db8::9"},
		{`from <HOST>:\d`, "from [2001:db8::9]:25", "2001:db8::9"},
		{`from \S*\[<HOST>\]`, "from x[203.0.113.9]", "203.0.113.9"},
		{`from <HOST>`, "from 203.0.113.9:25", "203.0.113.9"},
		{`from <HOST>`, "from 203.0.113.9.", "203.0.113.9"},
		{`<HOST>`, "node:203.0.113.9", "203.0.113.9"},
		{`<IP4>`, "2001:db8::1 203.0.113.9", "203.0.113.9"},
		{`from <HOST>`, "from example.com", ""},
		{`from <HOST>`, "from 203.0.113.9.example.com", ""},
		{`from <HOST>`, "from 203.0.113.9-static.example.com", ""},
		{`from <HOST>`, "from 203.0.113.9x", ""},
		{`from <HOST>`, "from fe80::1%eth0", ""},
		{`from .*<HOST>`, "from 1203.0.113.9", ""},
		{`from .*<HOST>`, "from 1.203.0.113.9", ""},
		{`from <HOST>`, "from ١.2.3.4", ""},
		{`<HOST>`, "64:ff9b::203.0.113.9", "64:ff9b::203.0.113.9"},
		{`<F-SESSION>\[<HOST>\]:\d+</F-SESSION>`, "[203.0.113.9]:25", "203.0.113.9"},
		{`(?:a <HOST>|b <HOST>)`, "b 203.0.113.9", "203.0.113.9"},
		{`from <HOST>(?! port 0)`, "from 203.0.113.9 port 1", "203.0.113.9"},
		{`from <HOST>(?! port 0)`, "from 203.0.113.9 port 0", ""},
		{`(?P<q>["']?)<HOST>(?P=q) x`, "'203.0.113.9' x", "203.0.113.9"},
	} {
		if got := host(t, tt.pattern, tt.line); got != tt.want {
			t.Errorf("%s on %q: got %q, want %q", tt.pattern, tt.line, got, tt.want)
		}
	}
}

func TestTagsTakeTheirParts(t *testing.T) {
	p, err := Compile(`<<F-SESSION>[^<>]+</F-SESSION>> <F-COUNT/> in <F-AGE/>: <F-BY/>\(<F-USER>.*</F-USER>,<HOST>\) \<HOST>`)
	if err != nil {
		t.Fatal(err)
	}
	var m pyre.Matcher
	var g Groups
	if !p.Match(&m, []byte("<abc> 3 in 17: sql(a,b,203.0.113.9) <HOST>"), &g) {
		t.Fatal("no match")
	}
	for tag, want := range map[Tag]string{Session: "abc", Count: "3", Age: "17", By: "sql", User: "a,b", Host: "203.0.113.9"} {
		if string(g[tag]) != want {
			t.Errorf("tag %d: got %q, want %q", tag, g[tag], want)
		}
	}
}

func TestMistakesPointAtTheirByte(t *testing.T) {
	for _, tt := range []struct {
		pattern string
		offset  int
		words   string
	}{
		{`from <F-USR>x</F-USR> <HOST>`, 5, "not a tag"},
		{`from <F-USER>.* <HOST>`, 5, "has no end"},
		{`from x</F-USER> <HOST>`, 6, "ends nothing"},
		{`from <HOST> (x`, 12, `\(`},
		{`from <HOST> x)`, 13, `\)`},
		{`from <HOST> [z-a]`, 13, "z-a"},
		{`from <HOST> (?i)x`, 12, "(?i:...)"},
		{`from <HOST> (?<=x+)`, 12, "width"},
		{`from <HOST> x**`, 14, "(?:"},
		{`from <HOST> \`, 12, `\\`},
	} {
		_, err := Compile(tt.pattern)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Offset != tt.offset || !strings.Contains(e.Msg, tt.words) {
			t.Errorf("%s: got %+v, want byte %d and %q", tt.pattern, err, tt.offset, tt.words)
		}
	}
}

func TestLiteralsAreWhatEveryMatchHolds(t *testing.T) {
	for _, tt := range []struct {
		pattern string
		want    [][]string
	}{
		{`^Failed password for (?:x )?<HOST>`, [][]string{{"Failed password for "}}},
		{`^(?:Disconnected|Aborted login)\b.*rip=<HOST>`, [][]string{{"Aborted login", "Disconnected"}, {"rip="}}},
		{`"DownstreamStatus":401,.*<HOST>`, [][]string{{"DownstreamStatus"}, {"401,"}}},
		{`(?i)failed <HOST>`, nil},
		{`(?:abc)? <HOST>`, nil},
		{`(?:abc|) <HOST>`, nil},
		{`(?:abc)+ <HOST>`, [][]string{{"abc"}}},
		{`user=<F-USER>x</F-USER>é>, <HOST>`, [][]string{{"user=x"}, {", "}}},
	} {
		p, err := Compile(tt.pattern)
		if err != nil {
			t.Fatal(err)
		}
		got := p.Literals()
		for _, set := range got {
			slices.Sort(set)
		}
		if !slices.EqualFunc(got, tt.want, slices.Equal[[]string]) {
			t.Errorf("%s: got %q, want %q", tt.pattern, got, tt.want)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{`^a <HOST>$`, `<F-USER>.*</F-USER>`, `(`, `[`, `\`, `<F-USER/><`, `(?P<a>x)<IP6>`} {
		f.Add(s, "a 203.0.113.9")
	}
	f.Fuzz(func(t *testing.T, text, line string) {
		p, err := Compile(text)
		if err != nil {
			if e, ok := errors.AsType[*Error](err); !ok || e.Offset < 0 || e.Offset > len(text) {
				t.Fatalf("%q: %v points nowhere", text, err)
			}
			return
		}
		var m pyre.Matcher
		var g Groups
		if !p.Match(&m, []byte(line), &g) {
			return
		}
		for _, set := range p.Literals() {
			if !slices.ContainsFunc(set, func(lit string) bool { return strings.Contains(line, lit) }) {
				t.Fatalf("%q matches %q, which holds none of %q", text, line, set)
			}
		}
	})
}
