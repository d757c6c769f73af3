package oracle

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A tree is a folder of configuration: the text of each file by its path.
type tree map[string]string

// write puts the tree into dir, which becomes equal to it.
func (tr tree) write(t *testing.T, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	tr.add(t, dir)
}

// add writes the files of the tree.
func (tr tree) add(t *testing.T, dir string) {
	t.Helper()
	for name, text := range tr {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// String shows the files, for people.
func (tr tree) String() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(tr)) {
		fmt.Fprintf(&b, "--- %s\n%s", name, tr[name])
	}
	return b.String()
}

// A grower makes random trees out of everything that the dialect knows. wild is
// how often it writes what is odd or wrong.
type grower struct {
	*rand.Rand
	wild float64
}

func grow(seed uint64) tree {
	g := grower{rand.New(rand.NewPCG(seed, 1)), 0}
	if g.IntN(2) > 0 {
		g.wild = 0.015 * g.Float64()
	}
	tr := tree{"log/a.log": "x\n", "log/b.log": "x\n", "log/c d.log": "x\n"}
	g.jails(tr)
	for _, name := range filterNames {
		g.filter(tr, "filter.d/"+name, name)
	}
	for _, name := range actionNames {
		g.action(tr, "action.d/"+name)
	}
	return tr
}

var (
	jailNames   = []string{"one", "two", "Three", "f1", "four-5", "f2"}
	filterNames = []string{"f1", "f2", "f3", "common"}
	actionNames = []string{"a1", "a2", "opnsense"}
	varNames    = []string{"alpha", "beta", "Gamma", "x_1", "my-opt", "p.q", "__pre"}
	words       = []string{"foo", "bar", "Failed", "login", "x1", "no", "a=b", "c:d", "it's", `say "hi"`, "50%%", "a,b", "#1", "[z]", "é", `\d+`, `\[q\]`, "(?:u|v)", "w w"}
)

func (g grower) pick(of []string) string { return of[g.IntN(len(of))] }

func (g grower) chance(p float64) bool { return g.Float64() < p }

func (g grower) odd() bool { return g.chance(g.wild) }

// A file is the lines of one file.
type file struct{ strings.Builder }

func (f *file) line(format string, a ...any) { fmt.Fprintf(f, format+"\n", a...) }

// section begins a section, with comments and space around it.
func (g grower) section(f *file, name string) {
	if g.chance(0.15) {
		f.line("%s", g.pick([]string{"# a comment", "; another", "   # indented", ""}))
	}
	if g.odd() {
		name = g.pick([]string{" " + name, strings.ToLower(name), name + " ", "a]b", "default"})
	}
	f.line("[%s]%s", name, g.tail())
}

// tail is what may stand behind a value.
func (g grower) tail() string {
	if g.chance(0.05) {
		return g.pick([]string{" ; note", "\t; note", " ;", " # data", ";data", "  "})
	}
	return ""
}

// option writes an option; a newline in the value becomes a continuation.
func (g grower) option(f *file, name, value string) {
	sep := " = "
	if g.chance(0.2) {
		sep = g.pick([]string{"=", ":", " : ", " =", "= ", "\t=\t"})
	}
	if g.chance(0.1) {
		name = strings.ToUpper(name[:1]) + name[1:]
	}
	if g.odd() {
		switch g.IntN(6) {
		case 0:
			f.line("%s", name) // no separator
			return
		case 1:
			f.line("%s%s%s", name, sep, value) // perhaps twice
		case 2:
			name = "  " + name
		case 3:
			value += "\n[x]"
		case 4:
			name += " "
		case 5:
			value = ""
		}
	}
	lines := strings.Split(value, "\n")
	f.line("%s%s%s%s", name, sep, lines[0], g.tail())
	for _, l := range lines[1:] {
		if g.chance(0.1) {
			f.line("%s", g.pick([]string{"# in between", "", "  ; in between", "    "}))
		}
		f.line("%s%s%s", g.pick([]string{" ", "    ", "\t", "          "}), l, g.tail())
	}
	if g.chance(0.05) {
		f.line("%s", g.pick([]string{"", "# after", "\n"}))
	}
}

// A scope is what a value may refer to.
type scope struct {
	vars     []string // by %(…)s
	tags     []string // by <…>
	sections []string
	known    bool
}

// text writes a value out of words and references.
func (g grower) text(s scope, n int) string {
	var parts []string
	for range 1 + g.IntN(n) {
		parts = append(parts, g.part(s))
	}
	return strings.Join(parts, g.pick([]string{"", " ", " ", "_"}))
}

func (g grower) part(s scope) string {
	if g.odd() {
		return g.pick([]string{
			"%(nosuch)s", "%d", "%(alpha)", "%", "<nosuch>", "<a b>", "<x", "x>", "%(no/such)s", "%(known/nosuch)s",
			"<known/nosuch>", "<no/such>", "%(alpha)d", "%(ALPHA)s", "<ALPHA>", "<alpha<beta>>", "<<alpha>>", "${alpha}", "%(alpha:x)s", "%%(alpha)s", "%(default/maxretry)s", "%(Definition/alpha)s",
		})
	}
	switch g.IntN(10) {
	case 0, 1:
		return "%(" + g.pick(s.vars) + ")s"
	case 2:
		if s.known {
			return g.pick([]string{"%(known/", "%(default/"}) + g.pick(s.vars) + ")s"
		}
	case 3:
		if len(s.sections) > 0 {
			return "%(" + g.pick(s.sections) + "/" + g.pick(s.vars) + ")s"
		}
	case 4, 5:
		if len(s.tags) > 0 {
			return "<" + g.pick(s.tags) + ">"
		}
	case 6:
		if g.chance(0.2) {
			return "%(__name__)s"
		}
	}
	return g.pick(words)
}
