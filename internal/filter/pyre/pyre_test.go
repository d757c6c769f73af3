package pyre

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestSearch(t *testing.T) {
	for _, tt := range []struct{ expr, text, want string }{
		// Places.
		{`^a$`, "a\n", "0-1"},
		{`^a$`, "a\n\n", ""},
		{`a\Z`, "a\n", ""},
		{`a\s$`, "a\n", "0-2"},
		{`(?m)^b$`, "a\nb\nc", "2-3"},
		{`\Bx`, "ax", "1-2"},
		{`\B`, "", ""},
		{`\bé\b`, "a é!", "2-4"},
		{`(?a)é\b`, "éa", "0-2"},
		// Order.
		{`a|ab`, "ab", "0-1"},
		{`(a|ab)(c|bcd)`, "abcd", "0-4 0-1 1-4"},
		{`a{2,3}?`, "aaaa", "0-2"},
		{`a{,2}b`, "aaab", "1-4"},
		{`(?:a|ab){2}+`, "aba", ""},
		{`(?>a|ab)c`, "abc", ""},
		{`a*+a`, "aaa", ""},
		{`(|a)*`, "aa", "0-0 0-0"},
		{`(|a)+b`, "aab", "0-3 2-2"},
		{`(a?){2,}b`, "ab", "0-2 1-1"},
		{`(?:(a)|b)*`, "ab", "0-2 0-1"},
		// Groups named again.
		{`(?P<q>['"]).*?(?P=q)`, `say "it's"`, "4-10 4-5"},
		{`(a)?\1b`, "b", ""},
		{`(?i)(é)\1`, "éÉ", "0-4 0-2"},
		{`(<)?x(?(1)>)`, "<x", "1-2 -"},
		{`(?P<o>\()?x(?(o)\)|$)`, "(x)", "0-3 0-1"},
		// Looks.
		{`(?=(a+))a*b\1`, "aaaba", "2-5 2-3"},
		{`(?!b).`, "bc", "1-2"},
		{`(?<=é|ü)x`, "üx", "2-3"},
		{`(?<!a{2})b`, "aabab", "4-5"},
		{`(?:(?!foo).)*`, "xxfoo", "0-2"},
		{`(?:(?!foo).)+?f`, "xfoo", "0-2"},
		// Case.
		{`(?i)k`, "\u212a", "0-3"},
		{`(?i)is`, "\u0131\u017f", "0-4"},
		{`(?ai)k`, "\u212aK", "3-4"},
		{`(?i)[^k]`, "\u212ax", "3-4"},
		{`(?i:a)b`, "AB Ab", "3-5"},
		{`(?i)É`, "é", "0-2"},
		// Characters.
		{`^(.+|)\1`, "éx", "0-0 0-0"},
		{`^(é.*)(?:x|$)`, "éé", "0-4 0-4"},
		{`^(.*?)((?(1)x|y))`, "x", "0-1 0-0 0-1"},
		{`^(?:(a)|b)*(?(1)x|y)`, "bax", "0-3 1-2"},
		{`^(?:b(a?))*(?(1)x|y)`, "bx", "0-2 1-1"},
		{`^(?:(?=(b))|c)?(?:b|c)(?(1)x|y)`, "bx", "0-2 0-1"},
		{`^(?:((?(1)a|b))|c)*$`, "bcb", "0-3 2-3"},
		{`^(?:((?(1)a|b))c)*$`, "bcbc", "0-4 2-3"},
		{`\d`, "٣", "0-2"},
		{`(?a)\d`, "٣3", "2-3"},
		{`\s`, "\u00a0", "0-2"},
		{`\S+`, "\u00a0é\u2028", "2-4"},
		{`[\w-]+`, "…é-x", "3-7"},
		{`\x41\u00e9\U0001f600\101\n\0`, "Aé😀A\n\x00", "0-10"},
		{`[]a]+[^]]`, "]a]b", "0-4"},
		{`x{,y}{`, "x{,y}{", "0-6"},
		{`(?x) a b  # no
			\ c [ ]`, "ab c ", "0-5"},
		{`a(?#no)b`, "ab", "0-2"},
		// Invalid bytes are one character each.
		{`^..$`, "\xff\xe2", "0-2"},
		{`\W\W`, "\xe2\x82", "0-2"},
		{`^.$`, "\xe2\x82\xac", "0-3"},
		{`.{2}$`, "\xc3é", "0-3"},
		{"\ufffd", "a\xff", "1-2"},
		{`(?<=.)x`, "\xffx", "1-2"},
	} {
		re, err := Compile(tt.expr, 0)
		if err != nil {
			t.Errorf("%s: %v", tt.expr, err)
			continue
		}
		for _, quick := range []int{0, 1} {
			m := Matcher{quick: quick}
			var got []string
			for _, at := range found(&m, re, tt.text) {
				got = append(got, strings.Replace(fmt.Sprintf("%d-%d", at[0], at[1]), "-1--1", "-", 1))
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("%s in %q (quick %d): got %q, want %q", tt.expr, tt.text, quick, s, tt.want)
			}
		}
	}
}

// The fear is an error that does not say where, or what Python refuses and we
// take, or the other way round.
func TestMistakesPointAtTheirByte(t *testing.T) {
	mistakes := []struct {
		expr   string
		offset int
		words  string
	}{
		{`a(b`, 1, `\(`},
		{`ab)`, 2, `\)`},
		{`a[b`, 1, `\[`},
		{`[z-a]`, 1, "lower"},
		{`[\w-a]`, 1, "not a range"},
		{`*a`, 0, "nothing to repeat"},
		{`a|*`, 2, "nothing to repeat"},
		{`^*`, 1, "nothing to repeat"},
		{`a**`, 2, "(?:"},
		{`a{2}{3}`, 4, "(?:"},
		{`a{3,2}`, 1, "smaller"},
		{`a{9999999}`, 1, "too many"},
		{`(?:a{1000}){1000}{2}`, 17, "(?:"},
		{`a\`, 1, `\\`},
		{`a\e`, 1, `\e`},
		{`[\A]`, 1, `\A`},
		{`\8`, 0, "no group 8"},
		{`\x4`, 0, "hexadecimal"},
		{`\U00110000`, 0, "beyond"},
		{`[\400]`, 1, `\377`},
		{`\N{DIGIT ONE}`, 0, `\u2014`},
		{`(?P<n>a)(?P<n>b)`, 8, "already"},
		{`(?P<1>a)`, 4, "digit"},
		{`(?P<n`, 4, ">"},
		{`(?P=n)`, 4, "no group n"},
		{`(a\1)`, 2, "not ended"},
		{`(?(2)a|b)`, 3, "no group 2"},
		{`(a)(?(1)a|b|c)`, 11, "(?:"},
		{`(?<=a+)b`, 0, "width"},
		{`(?<!(?:.{1048576,}){512})b`, 0, "width"}, // more than any text has
		{`(?<=(a)\1)b`, 7, "look-behind"},
		{`a(?i)b`, 1, "(?i:...)"},
		{`(?z)`, 0, "not a group"},
		{`(?i-i:a)`, 0, "not a group"},
		{`(?L)a`, 2, "flag"},
		{`(?#a`, 0, "comment"},
		{`(?<n>a)`, 0, "(?P<name>"},
		{strings.Repeat("(", 300), 200, "inside of each other"},
		{strings.Repeat("a", 64<<10+1), 64 << 10, "longer"},
		{`(?:(?:ab|cd){1000}){1000}`, 0, "parts"},
		{"a\xff", 1, "UTF-8"},
	}
	var questions []question
	for _, tt := range mistakes {
		_, err := Compile(tt.expr, 0)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Offset != tt.offset || !strings.Contains(e.Msg, tt.words) {
			t.Errorf("%.40q: got %+v, want byte %d and %q", tt.expr, err, tt.offset, tt.words)
		}
		questions = append(questions, question{P: tt.expr})
	}
	for i, a := range ask(t, questions) {
		switch tt := mistakes[i]; tt.words {
		case "too many", "parts", "inside of each other", "longer", "UTF-8", `\u2014`:
			// Our own limits.
		default:
			if a.E == nil || *a.E == "" {
				t.Errorf("%.40q: Python takes it", tt.expr)
			}
		}
	}
}

func TestGroups(t *testing.T) {
	re, err := Compile(`(?P<ip4>a)(b)?(?P<user>c)`, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := re.Groups(), []string{"", "ip4", "", "user"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if re.Group("user") != 3 || re.Group("host") != -1 {
		t.Errorf("user is group %d, host %d, want 3 and -1", re.Group("user"), re.Group("host"))
	}
}

func TestRequired(t *testing.T) {
	for _, tt := range []struct{ expr, want string }{
		{`^Failed password for (?:x )?\S+ from`, "{Failed password for } { from}"},
		{`^(?:Disconnected|Aborted login)\b.*rip=`, "{Disconnected|Aborted login} {rip=}"},
		{`foo(?:ab|cd)[xy]bar`, "{fooabxbar|fooabybar|foocdxbar|foocdybar}"},
		{`(?:abc)+d?`, "{abc}"},
		{`a{3}b`, "{aaab}"},
		{`(?:abc)?(?=def)(?!ghi)\d+`, ""},
		{`(?i)Failed Login`, "{led log~} {fa~}"},
		{`(?i)kiss`, ""},
		{`(?ai)kiss`, "{kiss~}"},
		{`(?i:user): Root`, "{er: ~} {Root}"},
		{`one\ntwo`, "{one}"},
		{`(?:foo.*|x+bar)qux`, "{qux} {foo|bar}"},
		{`(?:foo|foobar) `, "{foo |foobar }"},
		{`(a)?(?(1)yes|no)`, "{yes|no}"},
		{`é\ufffdabc`, "{abc} {é}"},
		{`(\w+)foo\1`, "{foo}"},
		{`\S+ [0-9]+ .*`, ""},
	} {
		re, err := Compile(tt.expr, 0)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, set := range re.Required() {
			var lits []string
			for _, l := range set {
				lits = append(lits, l.Text+pick(l.Fold, "~", ""))
			}
			got = append(got, "{"+strings.Join(lits, "|")+"}")
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s: got %s, want %s", tt.expr, s, tt.want)
		}
	}
}

func TestSearchAllocatesNothing(t *testing.T) {
	var m Matcher
	var texts [][]byte
	var exprs []*Regexp
	for _, bb := range benches {
		re, err := Compile(bb.expr, 0)
		if err != nil {
			t.Fatal(err)
		}
		exprs, texts = append(exprs, re), append(texts, []byte(bb.line))
	}
	re, err := Compile(`(a|aa)+$`, 0)
	if err != nil {
		t.Fatal(err)
	}
	exprs, texts = append(exprs, re), append(texts, []byte(strings.Repeat("a", 2000)+"b"))
	all := func() {
		for _, re := range exprs {
			for _, text := range texts {
				m.Search(re, text)
			}
		}
	}
	all()
	if n := testing.AllocsPerRun(20, all); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestHostileMemoryIsGivenBack(t *testing.T) {
	re, err := Compile(`^(?:a|aa)+$`, 0)
	if err != nil {
		t.Fatal(err)
	}
	var m Matcher
	m.Search(re, []byte(strings.Repeat("a", 60_000)+"b"))
	if cap(m.stack) <= calmSize {
		t.Fatalf("the text was not hostile: %d frames", cap(m.stack))
	}
	for range calm {
		m.Search(re, []byte("a"))
	}
	if cap(m.stack) > calmSize || cap(m.trail) > calmSize || m.failed.Size() > calmSize {
		t.Errorf("still %d frames, %d changes, %d words", cap(m.stack), cap(m.trail), m.failed.Size())
	}
}

// Many jails have the same patterns, and a reload has them all again.
func TestAnExpressionInUseIsNotCompiledAgain(t *testing.T) {
	first, err := Compile(`in use \d+`, 0)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := Compile(`in use \d+`, 0)
	other, _ := Compile(`in use \d+`, IgnoreCase)
	if again != first || other == first {
		t.Errorf("the same again: %v, want true; with another flag: %v, want false", again == first, other == first)
	}
	runtime.KeepAlive(first)
	var m Matcher
	if !m.Search(other, []byte("IN USE 7")) || m.Search(first, []byte("IN USE 7")) {
		t.Error("the two flags are mixed up")
	}
}

func TestGroupsThatAlwaysTakeSomething(t *testing.T) {
	for expr, want := range map[string]string{
		`(a)(b)?(c*)(d+)`:              "1 4",
		`((a|b)|(c))`:                  "1",
		`(?:(a)|b)(?>(c))(?=(d))`:      "2",
		`(?:(a)b){1,3}(?:(c)d){0,3}`:   "1",
		`(a)?(?(1)(b)|(c))(d\b)`:       "4",
		`(?P<x>(?P<y>(A|B)) (?i:(c)))`: "1 2 3 4",
		`^(\b)(.)$`:                    "2",
	} {
		re, err := Compile(expr, 0)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for g := range re.Groups() {
			if re.Always(g) {
				got = append(got, fmt.Sprint(g))
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %v, want %s", expr, got, want)
		}
	}
}
