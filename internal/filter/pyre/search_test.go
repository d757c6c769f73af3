package pyre

import (
	"strings"
	"testing"
)

// What lies between a group and the condition that asks for it would be tried in all
// ways before it turns out that nothing of what the condition wants is there.
func TestWhatIsOwedIsAskedForAtOnce(t *testing.T) {
	re, err := Compile(`^in (?P<u>(?P<word>\S+)|[^:]+) from .+.*.*(?(word): | *)$`, 0)
	if err != nil {
		t.Fatal(err)
	}
	var m Matcher
	m.quick = 100 // steps, then the search goes on with a table
	text := "in me from 192.0.2.1" + strings.Repeat(" on x", 9)
	if ok := m.Search(re, []byte(text)); !ok || m.table {
		t.Errorf("found: %v, want true; with a table of failures: %v, want false, for it is plain that no colon follows", ok, m.table)
	}
	for text, want := range map[string]string{ // the word is the group's only where ": " follows
		"in me from 1: ":   "me",
		"in me from 1":     "",
		"in : from 1":      "-",
		"in a: b from 1: ": "-",
	} {
		got := "-"
		if m.Search(re, []byte(text)) {
			got = ""
			if from, to := m.Span(re.Group("word")); from >= 0 {
				got = text[from:to]
			}
		}
		if got != want {
			t.Errorf("%q: the word is %q, want %q (- is no match)", text, got, want)
		}
	}
}

// A jump has room for a few places. What leads elsewhere must be found all the same.
func TestBranchesBeyondAJumpAreFound(t *testing.T) {
	var branches []string
	for b := 'a'; b <= 'z'; b++ {
		branches = append(branches, string(b)+strings.Repeat("-", int(b-'a'))+`!`)
	}
	re, err := Compile(`^x?(?:`+strings.Join(branches, "|")+`)$`, 0)
	if err != nil {
		t.Fatal(err)
	}
	var m Matcher
	for _, text := range branches {
		for _, text := range []string{text, "x" + text} {
			if !m.Search(re, []byte(text)) {
				t.Errorf("%q is not found", text)
			}
		}
	}
	for _, text := range []string{"A!", "é!", "x", "", "a-!"} {
		if m.Search(re, []byte(text)) {
			t.Errorf("%q is found", text)
		}
	}
}
