package compat

import (
	"strings"
	"testing"

	"github.com/edgeban/edgeban/internal/config"
)

func TestMatchOverSeveralLines(t *testing.T) {
	for _, tt := range []struct {
		what  string
		r     config.Rules
		lines []string
		want  string
	}{
		{"two lines", config.Rules{FailRegex: []string{`^open <HOST>\nbad$`}, MaxLines: 2}, []string{"open 192.0.2.1", "bad"}, "192.0.2.1"},
		{"each without its date", config.Rules{FailRegex: []string{`^ open <HOST>\n bad$`}, MaxLines: 2}, []string{stamp + " open 192.0.2.1", stamp + " bad"}, "192.0.2.1"},
		{"one in between", config.Rules{FailRegex: []string{`^open <HOST>\nbad$`}, MaxLines: 2}, []string{"open 192.0.2.1", "x", "bad"}, ""},
		{"one that is skipped", config.Rules{FailRegex: []string{`^open <HOST><SKIPLINES>bad$`}, MaxLines: 3}, []string{"open 192.0.2.1", "x", "bad"}, "192.0.2.1"},
		{"too many", config.Rules{FailRegex: []string{`^open <HOST><SKIPLINES>bad$`}, MaxLines: 3}, []string{"open 192.0.2.1", "x", "y", "bad"}, ""},
		{"matched lines are gone", config.Rules{FailRegex: []string{`^open <HOST>(?:<SKIPLINES>)?^bad$`}, MaxLines: 5}, []string{"open 192.0.2.1", "bad", "bad"}, "192.0.2.1"},
		{
			"skipped lines come back",
			config.Rules{FailRegex: []string{`^open (?P<mlfid>\d) <HOST><SKIPLINES>bad (?P=mlfid)$`}, MaxLines: 5},
			[]string{"open 1 192.0.2.1", "open 2 192.0.2.2", "bad 1", "bad 2"},
			"192.0.2.1 192.0.2.2",
		},
		{"ignored by a matched line", config.Rules{FailRegex: []string{`^open <HOST>\nbad$`}, IgnoreRegex: []string{"^open"}, MaxLines: 2}, []string{"open 192.0.2.1", "bad"}, ""},
		{
			"not ignored by another",
			config.Rules{FailRegex: []string{`^open <HOST>\nbad$`}, IgnoreRegex: []string{"^x"}, MaxLines: 3},
			[]string{"x", "open 192.0.2.1", "bad"},
			"192.0.2.1",
		},
		{"one line only", config.Rules{FailRegex: []string{`^open <HOST>\nbad$`}}, []string{"open 192.0.2.1", "bad"}, ""},
	} {
		if got := addrs(read(scanner(t, tt.r), tt.lines...)); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.what, got, tt.want)
		}
	}
}

func TestWindowIsBounded(t *testing.T) {
	s := scanner(t, config.Rules{FailRegex: []string{`^never <HOST>$`}, MaxLines: 1 << 30})
	for range 8 {
		read(s, strings.Repeat("x", 60000), "y", "")
	}
	for range 20000 {
		s.window.add(nil, 1<<30)
	}
	held := 0
	for _, l := range s.window.lines {
		held += len(l) + perLine
	}
	if held > maxWindow || held != s.window.size {
		t.Errorf("%d bytes, said to be %d, want at most %d", held, s.window.size, maxWindow)
	}
}
