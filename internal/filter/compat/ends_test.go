package compat

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/edgeban/edgeban/internal/config"
)

// leave is a protocol in which some lines only end a session, and others seem to.
var leave = config.Rules{
	PrefRegex: `^ ?(?P<mlfid>s\d )?<F-CONTENT>.+</F-CONTENT>$`,
	FailRegex: []string{
		`^(?P<nofail>(?P<mlfforget>gone)) by <HOST>`,
		`^<F-MLFFORGET><F-MLFGAINED>let in</F-MLFGAINED> \w+</F-MLFFORGET> by <HOST>`,
		`^left (?:<F-NOFAIL>well</F-NOFAIL>|ill) <F-MLFFORGET>by</F-MLFFORGET> <HOST>`,
		`^<F-NOFAIL>parted</F-NOFAIL> <F-MLFFORGET>\w*</F-MLFFORGET>by <HOST>`,
		`^<F-MLFFORGET><F-NOFAIL>ended</F-NOFAIL></F-MLFFORGET> <F-MLFID>s\d </F-MLFID>by <HOST>`,
		`^bad <F-USER>\w+</F-USER>$`, `^wrong by <HOST>$`, `^<F-NOFAIL>hello</F-NOFAIL> by <HOST>`,
	},
	DatePattern: []string{"{^LN-BEG}"},
}

func TestWhatOnlyEndsASession(t *testing.T) {
	f := compiled(t, leave)
	var ends []int
	for i := range f.fail {
		if f.fail[i].ends {
			ends = append(ends, i)
		}
	}
	if want := []int{0, 1}; !slices.Equal(ends, want) {
		t.Errorf("got %v, want %v", ends, want)
	}
}

// The fear is a line that is left because it can only end a session that nothing is known
// of, though it tells of a failure.
func TestTheEndOfASessionIsThatOfEveryLine(t *testing.T) {
	f, found := compiled(t, leave), 0
	lines := []string{
		"s%d gone by %s", "s%d let in u by %s", "s%d left well by %s", "s%d left ill by %s", "s%d parted by %s", "s%d parted x by %s", "s%[1]d ended s%[1]d by %[2]s",
		"s%d bad u", "s%d wrong by %s", "s%d hello by %s", "gone by %[2]s", "let in u by %[2]s", "s%d gone for good", "gone by nobody", "s%d gone by %s: wrong by 192.0.2.9",
	}
	for i := range lines {
		lines[i] = " " + lines[i]
	}
	for seed := range uint64(80) {
		d := diary{rand.New(rand.NewPCG(seed, 6)), lines, []int{0, 3, 40}[seed%3]}
		text := d.text(400)
		found += len(newGated(f, text[:min(len(text), int(seed)*100)]).chunks(t, text, seed%4 > 1, func() int { return 1 + d.IntN(60) }))
	}
	if found < 1000 {
		t.Errorf("%d failures are few", found)
	}
}
