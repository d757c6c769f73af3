package compat

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	edgeban "github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
)

// What is known of a text must be what looking at it again would tell, whatever came
// between: sessions, logins, ignored ones, other texts.
func TestAKnownTextGivesWhatItGaveBefore(t *testing.T) {
	rules := config.Rules{
		PrefRegex: `^\s*(?P<mlfid>s\d) <F-CONTENT>.+</F-CONTENT>$`,
		FailRegex: []string{
			`^bad <F-USER>\w+</F-USER> (?:(?P<cond>x )|)(?:from <HOST>)?$`, `^<F-NOFAIL>hello</F-NOFAIL> from <HOST>$`,
			`^<F-MLFGAINED>in</F-MLFGAINED> <F-USER>\w+</F-USER>$`, `^<F-MLFFORGET>bye</F-MLFFORGET>$`, `^worse <HOST>(?: as <F-ALT_USER>\w+</F-ALT_USER>)?$`,
		},
		IgnoreRegex: []string{"root"},
	}
	texts := []string{
		"bad bob from 192.0.2.1", "bad bob from 192.0.2.2", "bad root from 192.0.2.1", "bad alice ", "bad alice x from 2001:db8::1", "hello from 192.0.2.3",
		"in bob", "bye", "worse 192.0.2.4 as eve", "worse 192.0.2.4", "worse 999.0.2.4", "nothing",
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	known, fresh := scanner(t, rules), scanner(t, rules)
	fails := 0
	for i := range 20_000 {
		line := fmt.Sprintf("%s s%d %s\n", now.Add(time.Duration(i-20_000)*time.Second).Format(time.RFC3339), rnd.IntN(4), texts[rnd.IntN(len(texts))])
		c := edgeban.Chunk{Text: []byte(line), Stream: "log", Base: int64(i), Read: now}
		fresh.memo = memo{}
		got, want := slices.Collect(known.Scan(c)), slices.Collect(fresh.Scan(c))
		if !slices.Equal(got, want) {
			t.Fatalf("line %d, %q: got %+v, want %+v", i, strings.TrimSpace(line), got, want)
		}
		fails += len(got)
	}
	if fails < 1000 || known.Stats() != fresh.Stats() || len(known.memo.known) == 0 {
		t.Errorf("%d failures, %+v and %+v", fails, known.Stats(), fresh.Stats())
	}
}

// In a log in which no text comes twice, none need be kept; but the log may change.
func TestTextsThatComeOnceAreNotKept(t *testing.T) {
	s := scanner(t, config.Rules{FailRegex: []string{`^ bad <HOST>$`}, DatePattern: []string{"{NONE}"}})
	line := func(i int) {
		c := edgeban.Chunk{Text: fmt.Appendf(nil, " bad 192.0.%d.%d\n", i/250%250, i%250), Read: now, Live: true}
		if ms := slices.Collect(s.Scan(c)); len(ms) != 1 {
			t.Fatalf("got %v, want one failure", ms)
		}
	}
	kept := func() string { return fmt.Sprintf("%q", s.memo.known) }
	for i := range 2 * tries {
		line(i)
	}
	before := kept()
	if line(2 * tries); kept() != before {
		t.Error("a text is kept though none came twice")
	}
	for range rest {
		line(7)
	}
	if s.memo.vain != 0 {
		t.Error("a text is not known that came again and again")
	}
}
