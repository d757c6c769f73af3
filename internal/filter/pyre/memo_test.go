package pyre

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// The fear is a search that goes on from where it got in another line, though this one
// decides otherwise: what is remembered may hang on nothing but what both begin with.
func TestWhatLinesBeginWithIsRememberedExactly(t *testing.T) {
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
	} {
		re, err := Compile(expr, 0)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string][][2]int{}
		var texts []string
		for _, head := range heads {
			for _, tail := range tails {
				texts = append(texts, head+tail)
				want[head+tail] = found(new(Matcher), re, head+tail)
			}
		}
		r, used := rand.New(rand.NewPCG(5, 6)), 0
		for range 20_000 {
			var m Matcher
			for range 6 { // from the third on, something may be remembered
				text := texts[r.IntN(len(texts))]
				if got := found(&m, re, text); !slices.Equal(got, want[text]) {
					t.Fatalf("%s in %q: got %v behind what is like it, %v alone", expr, text, got, want[text])
				}
			}
			used = max(used, m.memo.at)
		}
		if used < leastAlike {
			t.Errorf("%s: only %d bytes were remembered", expr, used)
		}
	}
}

// A log of many programs must not cost a memo for each of its lines, and a text that
// hides behind a long beginning no memory.
func TestAMemoIsSmall(t *testing.T) {
	re, err := Compile(`^(?:(a)|(b)?|c)*(x?)*(?:a?b?c?){30}\d+z`, 0)
	if err != nil {
		t.Fatal(err)
	}
	var m Matcher
	for i := range 200 {
		m.Search(re, fmt.Appendf(nil, "%0300d abc", i))
		m.Search(re, fmt.Appendf(nil, "abcabcabcabcabcabcabcabc%0200dz", i))
		m.Search(re, fmt.Appendf(nil, "abcabcabcabcabcabcabcabc%0200dz", i))
	}
	if o := &m.memo; len(o.last) > mostAlike || len(o.text) > mostAlike || len(o.stack) > mostAlike || len(o.trail) > mostAlike {
		t.Errorf("%d and %d bytes, %d frames, %d changes", len(o.last), len(o.text), len(o.stack), len(o.trail))
	}
}

// In a log of many hosts, what is remembered is of no use, and must not be looked for
// again and again; but the log may change.
func TestAMemoRestsWhereLinesDoNotBeginAlike(t *testing.T) {
	re, err := Compile(`^\s*\S+ sshd\[\d+\]: (.+)$`, 0)
	if err != nil {
		t.Fatal(err)
	}
	var m Matcher
	line := func(host int) { m.Search(re, fmt.Appendf(nil, " %d-host sshd[1]: something", host)) }
	for i := range 20 {
		line(i)
	}
	if m.memo.idle <= mostIdle {
		t.Error("it does not rest")
	}
	for range 300 {
		line(7)
	}
	if m.memo.idle != 0 || m.memo.at < leastAlike {
		t.Errorf("of one host it remembers %d bytes, %d texts ago", m.memo.at, m.memo.idle)
	}
}
