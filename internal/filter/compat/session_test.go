package compat

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	edgeban "github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/filter/compat/session"
)

// talk is a protocol whose lines begin with the session and a word.
var talk = config.Rules{
	PrefRegex: `^<F-MLFID>s\d+</F-MLFID> <F-CONTENT>.+</F-CONTENT>$`,
	FailRegex: []string{
		`^hello <F-NOFAIL>from</F-NOFAIL> <HOST>$`,
		`^bad <F-USER>\w+</F-USER>(?: by \S+)?$`,
		`^wrong <F-USER>\w+</F-USER> by <ADDR>$`,
		`^enough$`,
		`^<F-MLFFORGET>bye</F-MLFFORGET>(?: <ADDR>)?$`,
		`^<F-MLFFORGET><F-NOFAIL>gone</F-NOFAIL></F-MLFFORGET>`,
		`^<F-MLFGAINED>in</F-MLFGAINED> as <F-USER>\w+</F-USER> by <ADDR>$`,
		`^<F-NOFAIL>pam</F-NOFAIL> <F-USER>\w+</F-USER>`,
	},
}

func TestSessions(t *testing.T) {
	for _, tt := range []struct {
		what  string
		lines []string
		want  []string // address and user of each failure
	}{
		{"a line that is complete", []string{"s1 wrong a by 192.0.2.1"}, []string{"192.0.2.1 a"}},
		{"an address that comes later", []string{"s1 bad a", "s1 enough", "s1 bye 192.0.2.1"}, []string{"192.0.2.1 a"}},
		{"an address that came before", []string{"s1 hello from 192.0.2.1", "s1 bad a"}, []string{"192.0.2.1 a"}},
		{"another session's address", []string{"s1 hello from 192.0.2.1", "s2 bad a"}, nil},
		{"no failure", []string{"s1 hello from 192.0.2.1", "s1 pam a"}, nil},
		{"no failure, then one of the same user", []string{"s1 pam a", "s1 wrong a by 192.0.2.1"}, []string{"192.0.2.1 a"}},
		{"the user of an earlier line", []string{"s1 pam a", "s1 hello from 192.0.2.1", "s1 enough"}, []string{"192.0.2.1 a"}},
		{"a second user is a failure whatever it says", []string{"s1 pam a", "s1 in as b by 192.0.2.1"}, []string{"192.0.2.1 b"}},
		{"the same user gets in", []string{"s1 pam a", "s1 in as a by 192.0.2.1"}, nil},
		{"getting in forgets what was pending", []string{"s1 bad a", "s1 in as a by 192.0.2.1"}, nil},
		{"but not what another user has tried", []string{"s1 bad a", "s1 in as b by 192.0.2.1"}, []string{"192.0.2.1 b"}},
		{"what is pending makes a failure of what is none", []string{"s1 bad a", "s1 hello from 192.0.2.1"}, []string{"192.0.2.1 a"}},
		{"what is over is forgotten", []string{"s1 hello from 192.0.2.1", "s1 gone", "s1 bad a"}, nil},
		{"the end is a failure of what is known", []string{"s1 hello from 192.0.2.1", "s1 bye"}, []string{"192.0.2.1 "}},
		{"the end of what is not known", []string{"s1 bye"}, nil},
		{"two failures of a session", []string{"s1 wrong a by 192.0.2.1", "s1 wrong a by 192.0.2.1"}, []string{"192.0.2.1 a", "192.0.2.1 a"}},
	} {
		var got []string
		for _, m := range read(scanner(t, talk), tt.lines...) {
			got = append(got, m.Addr.String()+" "+m.User)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.what, got, tt.want)
		}
	}
}

func TestSessionsLastFiveMinutesOfTheLog(t *testing.T) {
	for between, want := range map[time.Duration]int{4 * time.Minute: 1, 6 * time.Minute: 0} {
		s := scanner(t, talk)
		at := now.Add(-time.Hour)
		c := edgeban.Chunk{
			Text:  []byte("s1 hello from 192.0.2.1\ns1 bad a\n"),
			Times: []time.Time{at, at.Add(between)}, Read: now,
		}
		if got := slices.Collect(s.Scan(c)); len(got) != want {
			t.Errorf("%v between the lines: got %v, want %d failures", between, got, want)
		}
	}
}

// Two hosts write one log, and the clock or the zone of one is an hour off.
func TestAnOddClockEndsNoSessionOfAnotherHost(t *testing.T) {
	for _, live := range []bool{true, false} {
		s := scanner(t, talk)
		at := now.Add(-10 * time.Second)
		c := edgeban.Chunk{
			Text:  []byte("s1 hello from 192.0.2.1\ns2 hello from 192.0.2.2\ns1 bad a\n"),
			Times: []time.Time{at, at.Add(-time.Hour), at.Add(time.Second)}, Read: now, Live: live,
		}
		if got := addrs(slices.Collect(s.Scan(c))); got != "192.0.2.1" {
			t.Errorf("live %v: got failures of %q, want one of 192.0.2.1", live, got)
		}
	}
}

func TestManySessionsAtOnce(t *testing.T) {
	s := scanner(t, talk)
	var lines []string
	for i := range 5000 {
		lines = append(lines, fmt.Sprintf("s%d hello from 192.0.2.1", i))
	}
	read(s, lines...)
	if got := addrs(read(s, "s0 bad a")); got != "192.0.2.1" {
		t.Errorf("got %q: the first of 5000 sessions was forgotten", got)
	}
}

func TestFloodOfSessionsIsBounded(t *testing.T) {
	s := scanner(t, config.Rules{
		FailRegex: []string{`^<F-MLFID>s\d+</F-MLFID> <F-NOFAIL>by</F-NOFAIL> <F-USER>\w+$</F-USER>`}, DatePattern: []string{"{NONE}"},
	})
	var b strings.Builder
	for i := range 1_000_000 {
		fmt.Fprintf(&b, "s%d by u%d\n", i, i)
	}
	for range s.Scan(edgeban.Chunk{Text: []byte(b.String()), Read: now, Live: true}) {
		t.Fatal("a match, want none")
	}
	if held := s.sessions.Size(); held > session.MaxBytes || held < session.MaxBytes/2 {
		t.Errorf("%d bytes are kept, want at most %d", held, session.MaxBytes)
	}
}

func TestOneFatSessionIsBounded(t *testing.T) {
	s := scanner(t, config.Rules{
		FailRegex: []string{`^<F-MLFID>\w</F-MLFID> <F-NOFAIL><F-USER>.+</F-USER></F-NOFAIL>$`}, DatePattern: []string{"{NONE}"},
	})
	var lines []string
	for i := range 100 {
		lines = append(lines, "s "+strings.Repeat("x", 60000)+fmt.Sprint(i))
		lines = append(lines, string(rune('a'+i%26))+" "+strings.Repeat("y", 60000)+fmt.Sprint(i))
	}
	read(s, lines...)
	if s.sessions.Size() > session.MaxBytes {
		t.Errorf("%d bytes, want at most %d", s.sessions.Size(), session.MaxBytes)
	}
}
