package pyre

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// A question is for Python: what does the pattern find in the text?
type question struct {
	P string  `json:"p,omitempty"`
	F Flags   `json:"f"`
	T *string `json:"t,omitempty"`
}

type answer struct {
	E    *string  `json:"e"`
	At   int      `json:"at"`
	Bug  string   `json:"bug"`
	Slow bool     `json:"slow"`
	G    [][2]int `json:"g"`
}

// ask lets Python answer. Without Python the test is skipped, unless
// EDGEBAN_ORACLE is set.
func ask(t *testing.T, questions []question) []answer {
	t.Helper()
	var in, stderr bytes.Buffer
	enc := json.NewEncoder(&in)
	enc.SetEscapeHTML(false)
	last := ""
	for _, q := range questions {
		if q.P == last {
			q.P = ""
		}
		last = cmp.Or(q.P, last)
		if err := enc.Encode(q); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), python(t), "testdata/oracle.py")
	cmd.Stdin, cmd.Stderr = &in, &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var all []answer
	s := bufio.NewScanner(bytes.NewReader(out))
	s.Buffer(nil, 1<<26)
	for s.Scan() {
		var a answer
		if err := json.Unmarshal(s.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	if len(all) != len(questions) {
		t.Fatalf("%d answers to %d questions", len(all), len(questions))
	}
	return all
}

// python returns the Python that the syntax is of.
func python(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err == nil {
		err = exec.CommandContext(t.Context(), path, "-c", "import sys; assert sys.version_info >= (3, 11)").Run()
	}
	if err != nil {
		if os.Getenv("EDGEBAN_ORACLE") != "" {
			t.Fatalf("Python 3.11 is needed: %v", err)
		}
		t.Skipf("without Python 3.11: %v", err)
	}
	return path
}

// sound reports whether Python does not have the mistake that many tells of.
func sound(t *testing.T) bool {
	t.Helper()
	text := "a"
	return ask(t, []question{{`^(?:(?!a).)?+$`, 0, &text}})[0].G == nil
}

// found is what a search found, in the form of an answer.
func found(m *Matcher, re *Regexp, text string) [][2]int {
	if !m.Search(re, []byte(text)) {
		return nil
	}
	var all [][2]int
	for i := range re.Groups() {
		from, to := m.Span(i)
		all = append(all, [2]int{from, to})
	}
	return all
}

// A maker makes expressions with everything that is hard.
type maker struct {
	*rand.Rand
	sound  bool // Python repeats groups possessively as it says
	groups int
	names  []string
	closed []int
}

func (g *maker) of(s ...string) string { return s[g.IntN(len(s))] }

func (g *maker) char() string {
	return g.of("a", "b", "c", "a", "b", "ab", "ba", "x", "k", "s", "i", "1", "_", " ", "-", ":", `\.`, "é", `\n`, `\t`, "É", `\x61`, `ſ`)
}

func (g *maker) class() string {
	return g.of(".", `\w`, `\d`, `\s`, `\S`, `\W`, `\D`, "[ab]", "[^a]", "[^ab ]", "[a-c]", `[\w-]`, `[^\s:]`, "[aé]", "[k-s]", `[^\W1]`, "[é-ü]", `[\S\s]`, `[^\n]`)
}

func (g *maker) quantifier() string {
	q := g.of("*", "+", "?", "*", "+", "?", "{2}", "{1,2}", "{0,2}", "{,2}", "{1,}", "{2,}", "{0}", "{1,3}")
	return q + g.of("", "", "", "?", "?", "+")
}

// many returns the quantifier of a group. Before 3.11.5 Python goes back into a
// group that is repeated possessively (python/cpython#106052).
func (g *maker) many() string {
	q := g.quantifier()
	if !g.sound && len(q) > 1 {
		q = strings.TrimSuffix(q, "+")
	}
	return q
}

func (g *maker) expr(depth int) string {
	s := g.cat(depth)
	for g.IntN(3) == 0 {
		s += "|"
		if g.IntN(4) > 0 {
			s += g.cat(depth)
		}
	}
	return s
}

func (g *maker) cat(depth int) string {
	var b strings.Builder
	for range 1 + g.IntN(3) {
		b.WriteString(g.item(depth))
	}
	return b.String()
}

func (g *maker) item(depth int) string {
	if depth <= 0 || g.IntN(3) == 0 {
		s := g.char()
		if g.IntN(3) == 0 {
			s = g.class()
		}
		if g.IntN(3) == 0 {
			if strings.HasPrefix(s, "a") || strings.HasPrefix(s, "b") {
				s = s[:1]
			}
			return s + g.quantifier()
		}
		return s
	}
	switch g.IntN(16) {
	case 0, 1:
		return g.repeated(func() string { return "(?:" + g.expr(depth-1) + ")" }, g.many())
	case 2, 3, 4:
		return g.repeated(func() string { return g.capture(depth) }, g.of("", "", g.many()))
	case 5:
		return "(?=" + g.expr(depth-1) + ")"
	case 6:
		return "(?!" + g.expr(depth-1) + ")"
	case 7:
		return g.of("(?<=", "(?<!") + g.of("a", "b", "ab|ba", `\w`, `\b`, "[ab]c", "^a", "é", "(?:a|b)c", "a{2}") + ")"
	case 8:
		return g.repeated(func() string { return "(?>" + g.expr(depth-1) + ")" }, g.of("", "", g.many()))
	case 9:
		return g.of(`\b`, `\B`, "^", "$", `\A`, `\Z`)
	case 10:
		return g.of("(?i:", "(?s:", "(?-i:", "(?m:", "(?a:") + g.expr(depth-1) + ")"
	case 11, 12:
		if len(g.closed) > 0 {
			n := g.closed[g.IntN(len(g.closed))]
			if g.names[n] != "" {
				return "(?P=" + g.names[n] + ")" + g.of("", g.many())
			}
			return fmt.Sprintf(`\%d`, n) + g.of("", g.many())
		}
	case 13:
		if len(g.closed) > 0 {
			n := g.closed[g.IntN(len(g.closed))]
			return fmt.Sprintf("(?(%d)%s|%s)", n, g.cat(depth-1), g.cat(depth-1)) + g.of("", g.many())
		}
	case 14:
		return "(?:(?!" + g.char() + ").)" + g.many()
	}
	return "(?:" + g.expr(depth-1) + ")"
}

// repeated puts a quantifier behind a group. Python keeps what a branch that
// failed has captured if that is possessive: re.search(r"(?:(.)|x|){,3}+", "s\n")
// says that group 1 is empty. So groups with captures are not possessive here.
func (g *maker) repeated(group func() string, quantifier string) string {
	before := g.groups
	s := group()
	if g.groups > before && len(quantifier) > 1 {
		quantifier = strings.TrimSuffix(quantifier, "+")
	}
	return s + quantifier
}

func (g *maker) capture(depth int) string {
	n := g.groups + 1
	g.groups = n
	name := g.of("", fmt.Sprintf("g%d", n))
	g.names = append(g.names, name)
	s := "("
	if name != "" {
		s = "(?P<" + name + ">"
	}
	s += g.expr(depth-1) + ")"
	g.closed = append(g.closed, n)
	return s
}

func (g *maker) pattern() string {
	g.groups, g.names, g.closed = 0, []string{""}, nil
	return g.of("", "", "", "", "(?i)", "(?s)", "^") + g.expr(3) + g.of("", "", "", "$")
}

func (g *maker) text() string {
	var b strings.Builder
	for range g.IntN(14) {
		b.WriteString(g.of("a", "b", "a", "b", "a", "c", "ab", "x", "A", "B", "k", "K", "s", "ſ", "K", "İ", "i", "1", "٣", "_", " ", "-", ":", ".", "é", "É", "\n", "\t", "\u00a0", "\x1c"))
	}
	return b.String() + g.of("", "", "\n")
}
