package scan

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// holds reports whether a line has the literal, by looking at it.
func holds(line []byte, l Literal) bool {
	if l.Fold {
		line = lowered(line)
	}
	return bytes.Contains(line, []byte(l.Text))
}

// check compares what a gate lets through with the lines themselves.
func check(t *testing.T, g *Gate, filters [][]Need, text []byte) (hits int) {
	t.Helper()
	var s Search
	s.Find(g, text)
	for f, needs := range filters {
		h := s.Hits(f)
		if n := bytes.Count(text, newline); h.Lines != n {
			t.Fatalf("got %d lines, want %d", h.Lines, n)
		}
		at := 0
		for start := 0; start < len(text); {
			end := len(text)
			if n := bytes.IndexByte(text[start:], '\n'); n >= 0 {
				end = start + n
			}
			passed := map[int32]bool{}
			for ; at < len(h.List) && int(h.List[at].Start) == start; at++ {
				if int(h.List[at].End) != end {
					t.Fatalf("a line that begins at %d ends at %d, want %d", start, h.List[at].End, end)
				}
				passed[h.List[at].Pattern] = true
			}
			hits += len(passed)
			for p, n := range needs {
				judge(t, n, text[start:end], passed[int32(p)])
			}
			start = end + 1
		}
		if at != len(h.List) {
			t.Fatalf("%d hits are of no line, or in no order: %v", len(h.List)-at, h.List[at:])
		}
	}
	return hits
}

// judge fails where a line that may match has not passed, or one has for nothing.
func judge(t *testing.T, n Need, line []byte, passed bool) {
	t.Helper()
	all, some := true, false
	for _, set := range n {
		one := slices.ContainsFunc(set, func(l Literal) bool { return holds(line, l) })
		all, some = all && one, some || one && usable(set)
	}
	switch {
	case n.Open() && passed:
		t.Fatalf("a line passed for a pattern that has to see all: %q", line)
	case !n.Open() && all && !passed:
		t.Fatalf("a line that holds what %v needs did not pass: %q", n, line)
	case passed && !some:
		t.Fatalf("a line passed that holds nothing of %v: %q", n, line)
	}
}

// gates returns the gates that may be in use for a log.
func gates(filters [][]Need, text []byte) []*Gate {
	return []*Gate{New(filters, nil), New(filters, text), New(filters, text).Dense()}
}

// A world makes needs, and lines that hold parts of them, of few letters, so that
// near misses are common.
type world struct{ *rand.Rand }

func (w world) word(most int) string {
	b := make([]byte, 1+w.IntN(most))
	for i := range b {
		b[i] = "abcABC \x80-@`{"[w.IntN(12)]
	}
	return string(b)
}

func (w world) needs() [][]Need {
	filters := make([][]Need, 1+w.IntN(3))
	fold := 2 + 100*w.IntN(2)
	least := w.IntN(14) // how long literals are decides how they are looked for
	for f := range filters {
		for range w.IntN(5) {
			var n Need
			for range w.IntN(3) {
				var set []Literal
				for range 1 + w.IntN(3) {
					l := Literal{w.word(3 + w.IntN(15)), w.IntN(fold) == 0}
					for len(l.Text) < least {
						l.Text += w.word(5)
					}
					if l.Fold {
						l.Text = string(lowered([]byte(l.Text)))
					}
					set = append(set, l)
				}
				n = append(n, set)
			}
			filters[f] = append(filters[f], n)
		}
	}
	return filters
}

func (w world) text(filters [][]Need) []byte {
	var b bytes.Buffer
	for range w.IntN(40) {
		for range w.IntN(6) {
			b.WriteString(w.word(30))
			if needs := filters[w.IntN(len(filters))]; len(needs) > 0 {
				if n := needs[w.IntN(len(needs))]; len(n) > 0 {
					set := n[w.IntN(len(n))]
					text := set[w.IntN(len(set))].Text
					if w.IntN(2) == 0 {
						text = strings.ToUpper(text)
					}
					b.WriteString(text[:w.IntN(len(text)+1)])
					b.WriteString(text)
				}
			}
		}
		b.WriteByte('\n')
	}
	if w.IntN(3) == 0 {
		b.WriteString(w.word(9)) // a last line without an end
	}
	return b.Bytes()
}

func TestNoLineThatMayMatchIsKeptBack(t *testing.T) {
	hits := 0
	strides, folded := map[int]int{}, map[bool]int{}
	for seed := range uint64(2000) {
		w := world{rand.New(rand.NewPCG(seed, 7))}
		filters := w.needs()
		text := w.text(filters)
		for _, g := range gates(filters, text) {
			hits += check(t, g, filters, text)
			for _, tier := range g.tiers {
				strides[tier.stride]++
				folded[tier.folds != 0]++
			}
		}
	}
	for stride := leastStride; stride <= mostStride; stride++ {
		if strides[stride] < 50 {
			t.Errorf("%d gates look at every place of so many: %d", strides[stride], stride)
		}
	}
	if folded[true] < 500 || folded[false] < 500 {
		t.Errorf("%d gates take letters of either case for one, %d do not", folded[true], folded[false])
	}
	if hits < 20_000 {
		t.Errorf("%d hits: that proves little", hits)
	}
}

func FuzzGate(f *testing.F) {
	f.Add("failed password", "Accepted", "ab1", []byte("x Failed password for y\nAccepted ab1\n"))
	f.Add("\x00\x00\x00", "   ", "abcdefg", []byte("\x00\x00\x00abcDefg\n\n   "))
	f.Fuzz(func(t *testing.T, a, b, c string, text []byte) {
		fold := Literal{string(lowered([]byte(a))), true}
		filters := [][]Need{{{{fold}}, {{{b, false}, {c, false}}}}, {nil, {{{c, false}}, {fold2(b)}}}}
		for _, g := range gates(filters, text) {
			check(t, g, filters, text)
		}
	})
}

func fold2(s string) Literal { return Literal{string(lowered([]byte(s))), true} }

func TestTheSetThatIsRareInTheSampleIsChosen(t *testing.T) {
	common, rare := Literal{"connection closed", false}, Literal{"by authenticating user", false}
	n := Need{{common}, {rare}}
	sample := []byte(strings.Repeat("connection closed by 192.0.2.1\n", 100))
	var s Search
	s.Find(New([][]Need{{n}}, sample), sample)
	if got := s.Hits(0).List; len(got) != 0 {
		t.Errorf("%d lines of the sample pass, want none", len(got))
	}
}

// Neither set is in the sample, but parts of the first are in each line.
func TestTheSetThatIsNotMetInVainIsChosen(t *testing.T) {
	n := Need{{{"connections", false}}, {{"by authenticating user", false}}}
	sample := []byte(strings.Repeat("connection closed to reconnect to one of the connectors\n", 100))
	var s Search
	s.Find(New([][]Need{{n}}, sample), sample)
	if got := s.Vain(); got != 0 {
		t.Errorf("got %d looks in vain at 100 lines, want none", got)
	}
}

// Short literals take a way of their own through the text: one is taken for none, but if
// that way is gone for others it costs little.
func TestOneShortLiteralIsAskedForOnlyWithOthers(t *testing.T) {
	either := Need{{{"mailed", false}}, {{"connections", false}}}
	sample := []byte(strings.Repeat("connection closed to reconnect to one of the connectors\n", 100))
	for _, tt := range []struct {
		needs []Need
		want  bool
	}{
		{[]Need{either, {{{"authenticating", false}}}}, false},
		{[]Need{either, {{{"ftp", false}}}}, true},
	} {
		g := New([][]Need{tt.needs}, sample)
		if got := slices.Contains(g.lits, Literal{"mailed", false}); got != tt.want {
			t.Errorf("beside %v: got %t, want %t", tt.needs[1], got, tt.want)
		}
	}
}

func TestVainLooksAreCounted(t *testing.T) {
	filters := [][]Need{{{{{"aaaaaaab", false}}}}}
	text := []byte(strings.Repeat(strings.Repeat("a", 79)+"\n", 100))
	var s Search
	s.Find(New(filters, nil), text)
	if got := s.Vain(); got < 500 {
		t.Errorf("got %d looks in vain at a text that is all but a literal, want many", got)
	}
	s.Find(New(filters, nil).Dense(), text)
	if got := s.Vain(); got != 0 {
		t.Errorf("a dense gate looked %d times in vain", got)
	}
}

func BenchmarkFind(b *testing.B) {
	words := []string{"failed password for", "authentication failure", "invalid user ", "connection reset by", "too many attempts", "sasl login failed", "not allowed", "illegal user", "refused connect from", "aborted login"}
	var needs []Need
	for _, w := range words {
		needs = append(needs, Need{{{w, true}}})
	}
	line := "Nov 22 11:29:49 host postfix/smtp[4711]: 4F00BA12: to=<someone@example.net>, relay=mx.example.net[192.0.2.9]:25, delay=0.5, status=sent (250 Ok)\n"
	text := []byte(strings.Repeat(line, 2000))
	for name, g := range map[string]*Gate{"sampled": New([][]Need{needs}, text), "dense": New([][]Need{needs}, text).Dense()} {
		b.Run(name, func(b *testing.B) {
			var s Search
			s.Find(g, text)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				s.Find(g, text)
			}
		})
	}
}
