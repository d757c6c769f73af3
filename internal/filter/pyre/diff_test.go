package pyre

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The fear is any difference to Python, in the verdict or in one group.
func TestAsPython(t *testing.T) {
	python(t)
	pairs, seed := 20_000, uint64(1)
	if n, err := strconv.Atoi(os.Getenv("EDGEBAN_ORACLE_PAIRS")); err == nil {
		pairs = n
	}
	if n, err := strconv.Atoi(os.Getenv("EDGEBAN_ORACLE_SEED")); err == nil {
		seed = uint64(n)
	}
	g := &maker{Rand: rand.New(rand.NewPCG(seed, 2)), sound: sound(t)}
	var questions []question
	for len(questions) < pairs {
		p, f := g.pattern(), Flags(g.IntN(4)&g.IntN(4))
		for range 5 {
			text := g.text()
			questions = append(questions, question{p, f, &text})
		}
	}
	compare(t, questions, ask(t, questions))
}

// compare reports where pyre does not find what Python did, in each of its
// phases.
func compare(t *testing.T, questions []question, answers []answer) {
	t.Helper()
	compiled := map[string]*Regexp{}
	var plain Matcher
	table := Matcher{quick: 1}
	asked, matched, slow, bugs, bad, spent, literals := 0, 0, 0, 0, 0, 0, 0
	for i, q := range questions {
		a := answers[i]
		key := fmt.Sprint(q.F, q.P)
		re, ok := compiled[key]
		if !ok {
			var err error
			re, err = Compile(q.P, q.F)
			if (err != nil) != (a.E != nil && *a.E != "") {
				t.Errorf("%q, flags %d: got %v, Python says %v", q.P, q.F, err, a.E)
			}
			compiled[key] = re
		}
		switch {
		case a.Slow:
			slow++
			continue
		case a.Bug != "":
			bugs++
			continue
		case re == nil || a.E != nil:
			continue
		}
		asked++
		if a.G != nil {
			matched++
		}
		for _, m := range []*Matcher{&plain, &table} {
			got := found(m, re, *q.T)
			if m.Spent() {
				spent++
				continue
			}
			if !slices.Equal(got, a.G) {
				if bad++; bad < 20 {
					t.Errorf("%q, flags %d, in %q (quick %d):\ngot  %v\nwant %v", q.P, q.F, *q.T, m.quick, got, a.G)
				}
			}
			if got != nil {
				literals += holdsRequired(t, re, *q.T)
			}
		}
	}
	t.Logf("%d of %d as Python: %d with a match, %d too slow for Python, %d errors of Python, %d expressions; spent %d; %d sets of literals held",
		2*asked-bad-spent, 2*asked, matched, slow, bugs, len(compiled), spent, literals)
	if bad > 0 {
		t.Errorf("%d differences", bad)
	}
}

// holdsRequired checks that a text that matches holds what is said to be
// required, and returns the number of sets.
func holdsRequired(t *testing.T, re *Regexp, text string) int {
	t.Helper()
	for _, set := range re.Required() {
		if !slices.ContainsFunc(set, func(l Literal) bool { return holds(text, l) }) {
			t.Errorf("%q matches in %q, which holds none of %v", re, text, set)
		}
	}
	return len(re.Required())
}

// holds reports whether l is in text, as a gate would find out: by ASCII alone.
func holds(text string, l Literal) bool {
	if l.Fold {
		text = strings.Map(func(r rune) rune {
			if 'A' <= r && r <= 'Z' {
				return r + 'a' - 'A'
			}
			return r
		}, text)
	}
	return strings.Contains(text, l.Text)
}
