package pyre

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/edgeban/edgeban/internal/filter/pyre/way"
)

// plainly finds what a search finds that knows no way.
func plainly(re *Regexp, text string) [][2]int {
	m := Matcher{quick: 1 << 30}
	return found(&m, re, text)
}

// ways counts how often a way was one of another text.
type ways struct{ recorded, gone int }

// hold checks the ways of all texts against all texts: what a way says of a text that goes
// it is what a search says.
func (n *ways) hold(t *testing.T, re *Regexp, texts []string) {
	t.Helper()
	want := make([][][2]int, len(texts))
	for i, text := range texts {
		want[i] = plainly(re, text)
	}
	for k, text := range texts {
		w := record(re, []byte(text))
		if w == nil {
			continue
		}
		n.recorded++
		for i, other := range texts {
			var at way.Places
			if !w.Goes([]byte(other), &at) {
				if i == k {
					t.Fatalf("%s in %q: it does not go its own way", re, text)
				}
				continue
			}
			var got [][2]int
			for g := 0; w.Found() && g < len(re.Groups()); g++ {
				from, to := w.Span(&at, g)
				got = append(got, [2]int{from, to})
			}
			if !slices.Equal(got, want[i]) {
				t.Fatalf("%s in %q: got %v by the way of %q, want %v", re, other, got, text, want[i])
			}
			if other != text {
				n.gone++
			}
		}
	}
}

// The fear is a text that goes the way of another up to the end, though a search would
// decide otherwise on it.
func TestAWayIsThatOfAllTextsThatGoIt(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	g := &maker{Rand: r, sound: true}
	var n ways
	for range 150 {
		g.groups, g.names, g.closed = 0, []string{""}, nil
		re, err := Compile("^"+g.of("", "(?:a|b|_)*", `\w+`)+"(?:"+g.expr(3)+")"+g.of("", "", "$"), 0)
		if err != nil {
			continue
		}
		var texts []string
		for range 8 {
			text := g.text()
			texts = append(texts, text, mutate(r, text, "ab: x"), mutate(r, text, "ba-"))
		}
		n.hold(t, re, texts)
	}
	if t.Logf("%+v", n); n.recorded < 1500 || n.gone < 15_000 {
		t.Errorf("%+v are few", n)
	}
}

func TestWaysOfLinesThatBeginAlike(t *testing.T) {
	heads := []string{" host sshd[", " host sshd", " host ", " host kernel: [1.5] sshd[", " hóst sshd[", " hósty sshd[", " hóst-", "", " host  sshd["}
	tails := []string{"12]: error: no", "123]: no", "12 no", "]: no", "", "[: no\n", " no", "é]: no", "error: no", "error: [12]: no from here no", ": no x from y", "x from y fro", "x froh", "12]x"}
	for _, expr := range []string{
		`^\s*(?:(?P<host>\S+)\s+)?(?:kernel: \[[\d.]+\] )?(?P<daemon>\w+)?(?:\[(\d+)\])?:?\s*(?:error: )?(?P<content>.+)$`,
		`^( )(?:host|h\S+) (?:(?P<a>sshd\[)|(?P<b>sshd)|(?P<c>.))(?P<rest>[^:]*): no`,
		`^ host (?:s(?P<x>\w*)d\b|(?P<y>\w)+)(?P<tail>.*?)(?: from |$)`,
		`^ host sshd(?P<open>\[)?\d*(?(open)\]: (?P<err>error)?|.*no)`,
		`^ *\w+ (?P<most>.+) from `,
		`^ \w+ (?P<some>[a-z\d[]+)(?:x from|[\d[]\d)`,
		`^ host (?P<some>[a-z\d[]+)[[\d][\d\]]`,
		`^ (?P<h>\w{1,4})\s[a-z]{2,6}(?P<pid>\[?\d{1,2})`,
		`^(?: |h|o|s|t){2,9}(?P<next>.)`,
		`^(?P<a>(?:(?! from ).)*?)(?: from (?P<b>\S+|.*?))? ?$`,
		`^ (?i:HOST) (?>s\w+|\W)(?=.)(?!\[)`,
	} {
		re, err := Compile(expr, 0)
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		want := map[string][][2]int{}
		for _, head := range heads {
			for _, tail := range tails {
				texts = append(texts, head+tail)
				want[head+tail] = plainly(re, head+tail)
			}
		}
		var n ways
		n.hold(t, re, texts)
		if n.gone == 0 {
			t.Errorf("%s: no text goes the way of another", expr)
		}
		r, gone := rand.New(rand.NewPCG(5, 6)), 0
		var m Matcher
		for range 20_000 {
			text := texts[r.IntN(len(texts))]
			if got := found(&m, re, text); !slices.Equal(got, want[text]) {
				t.Fatalf("%s in %q: got %v behind others, %v alone", expr, text, got, want[text])
			}
			if m.way != nil {
				gone++
			}
		}
		if gone == 0 {
			t.Errorf("%s: no way was gone", expr)
		}
	}
}

// What says that a text goes on to a place may be asked for behind what is asked there.
func TestWaysOfTextsThatEndBeforeThem(t *testing.T) {
	for _, expr := range []string{`^(?=.[ab]*a)a`, `^(?=..[ab]*a|b)aba?`, `^(?=\w\S{0,3}\w\d*)abx*?b`} {
		re, err := Compile(expr, 0)
		if err != nil {
			t.Fatal(err)
		}
		var n ways
		n.hold(t, re, []string{"aba", "abba", "abb", "ab", "a", "b", "", "é", "aé"})
		if n.recorded == 0 {
			t.Errorf("%s: there is no way", expr)
		}
	}
}

func TestWaysOfStockFilters(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	var n ways
	for _, s := range stocks(t) {
		texts := slices.Clone(s.Texts[:min(len(s.Texts), 12)])
		for _, text := range texts {
			texts = append(texts, mutate(r, text, s.Texts[r.IntN(len(s.Texts))]))
		}
		for _, p := range s.Patterns {
			re, err := Compile(p[0].(string), Flags(p[1].(float64)))
			if err != nil {
				t.Fatal(err)
			}
			if re.once {
				n.hold(t, re, texts)
			}
		}
	}
	if t.Logf("%+v", n); n.gone < 1000 {
		t.Errorf("%+v are few", n)
	}
}

// Expressions are kept as long as somebody uses them, and so are their ways.
func TestWaysAreFewAndShort(t *testing.T) {
	re, err := Compile(`^(?:(a)|(b)?|c)*(x?)*(?:a?b?c?){30}\d+z`, 0)
	if err != nil {
		t.Fatal(err)
	}
	words, err := Compile(`^(?:\w+ ){0,30}\w+$`, 0)
	if err != nil {
		t.Fatal(err)
	}
	var m Matcher
	for i := range 3000 {
		m.Search(re, fmt.Appendf(nil, "%0300d abc", i))
		m.Search(re, fmt.Appendf(nil, "abcabcabcabcabcabcabcabc%0200dz", i))
		m.idle = 0
		m.Search(words, fmt.Appendf(nil, "%0*d", i%40, 0))
		m.Search(words, slices.Repeat([]byte("word "), i%40))
		m.Search(words, fmt.Appendf(slices.Repeat([]byte("word "), i%40), "%d", i))
	}
	for _, re := range []*Regexp{re, words} {
		if n := len(re.ways.All()); n > way.Most {
			t.Errorf("%s: %d ways", re, n)
		}
	}
	if w := record(words, slices.Repeat([]byte("word "), 100)); w != nil {
		t.Error("a way is not too long")
	}
}

// Where each text is of another kind, ways are of no use, and must not be looked for
// again and again; but the log may change.
func TestNoWayIsLookedForWhereTextsAreOfNone(t *testing.T) {
	re, err := Compile(`^(?:\w+ )*sshd\[\d+\]: (.+)$`, 0)
	if err != nil {
		t.Fatal(err)
	}
	var m Matcher
	line := func(words int) { // each number is another kind
		m.Search(re, append(slices.Repeat([]byte("thing "), words+1)[1:], "sshd[1]: a: some"...))
	}
	for i := range 20 {
		line(i)
	}
	if m.idle < mostIdle {
		t.Error("it does not rest")
	}
	for range way.Often * 300 / mostIdle {
		line(9)
	}
	if m.idle != 0 || m.way == nil {
		t.Errorf("of lines of one kind it knows no way, %d lines ago", m.idle)
	}
}
