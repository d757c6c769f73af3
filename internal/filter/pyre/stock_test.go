package pyre

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"testing"
)

const fail2ban = "/usr/lib/python3/dist-packages/fail2ban"

// A stock is what testdata/stock.py says about a filter of fail2ban.
type stock struct {
	Filter   string
	Patterns [][2]any
	Texts    []string
}

// stocks reads an installed fail2ban, which is no part of this project.
func stocks(t testing.TB) []stock {
	t.Helper()
	if _, err := os.Stat(fail2ban); err != nil {
		if os.Getenv("EDGEBAN_ORACLE") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), python(t), "testdata/stock.py")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var all []stock
	for line := range bytes.Lines(out) {
		var s stock
		if err := json.Unmarshal(line, &s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// The fear is a filter of fail2ban that finds something else here than there.
func TestStockFiltersAsPython(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	r := rand.New(rand.NewPCG(3, 4))
	var questions []question
	all := stocks(t)
	for _, s := range all {
		for _, p := range s.Patterns {
			expr, flags := p[0].(string), Flags(p[1].(float64))
			for k, text := range s.Texts {
				questions = append(questions, question{expr, flags, &text})
				for range 2 {
					other := mutate(r, text, s.Texts[r.IntN(len(s.Texts))])
					questions = append(questions, question{expr, flags, &other})
				}
				if k == 80 {
					break
				}
			}
			for range 60 { // and what it is not made for
				if texts := all[r.IntN(len(all))].Texts; len(texts) > 0 {
					questions = append(questions, question{expr, flags, &texts[r.IntN(len(texts))]})
				}
			}
		}
	}
	compare(t, questions, ask(t, questions))
}

// mutate changes text here and there, in the way of who wants to fool a filter.
func mutate(r *rand.Rand, text, other string) string {
	b := []rune(text)
	for range 1 + r.IntN(4) {
		if len(b) == 0 {
			break
		}
		i, j := r.IntN(len(b)), r.IntN(len(b)+1)
		i, j = min(i, j), max(i, j)
		switch r.IntN(7) {
		case 0: // leave out
			b = append(b[:i:i], b[min(i+1+r.IntN(8), len(b)):]...)
		case 1: // twice
			b = append(b[:j:j], b[i:]...)
		case 2:
			odd := []rune(" \n\t:.[]()<>'\"a1é\u00a0")
			b[i] = odd[r.IntN(len(odd))]
		case 3: // the tail of another line
			o := []rune(other)
			b = append(b[:i:i], o[r.IntN(len(o)):]...)
		case 4: // an address more
			b = append(b[:i:i], append([]rune([]string{"192.0.2.1", "2001:db8::1", "::ffff:192.0.2.7", " from 192.0.2.9 port 1 ", "user", "example.com"}[r.IntN(6)]), b[i:]...)...)
		case 5:
			b[i] ^= 0x20
		case 6: // the end of the line
			b = b[:j]
		}
	}
	return string(b)
}

// BenchmarkStock searches what three filters of fail2ban match in their sample logs.
func BenchmarkStock(b *testing.B) {
	type job struct {
		re   *Regexp
		m    *Matcher
		text []byte
	}
	for _, s := range stocks(b) {
		if !slices.Contains([]string{"sshd", "postfix", "dovecot"}, s.Filter) {
			continue
		}
		var jobs []job
		for _, p := range s.Patterns {
			re, err := Compile(p[0].(string), Flags(p[1].(float64)))
			if err != nil {
				b.Fatal(err)
			}
			m := new(Matcher)
			for _, text := range s.Texts {
				if m.Search(re, []byte(text)) {
					jobs = append(jobs, job{re, m, []byte(text)})
				}
			}
		}
		b.Run(s.Filter, func(b *testing.B) {
			for b.Loop() {
				for _, j := range jobs {
					j.m.Search(j.re, j.text)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(jobs)), "ns/search")
		})
	}
}
