package compat

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/edgeban/edgeban/internal/config"
)

func TestMistakesSayWhatToWrite(t *testing.T) {
	ok := []string{"from <HOST>"}
	for _, tt := range []struct {
		r    config.Rules
		key  string
		at   int
		byte int
		says string
	}{
		{config.Rules{}, "failregex", 0, 0, "at least one"},
		{config.Rules{FailRegex: []string{"a <HOST>", " \t"}}, "failregex", 1, 0, "leave it out"},
		{config.Rules{FailRegex: []string{"nobody"}}, "failregex", 0, 0, "<HOST>"},
		{config.Rules{FailRegex: []string{"x (?P<host>\\S+)"}}, "failregex", 0, 0, "write <HOST> in its place"},
		{config.Rules{FailRegex: []string{"from <host>"}}, "failregex", 0, 0, "upper-case"},
		{config.Rules{FailRegex: []string{"<HOST> and <HOST>"}}, "failregex", 0, 11, "only one"},
		{config.Rules{FailRegex: []string{"<ADDR> and <IP4>"}}, "failregex", 0, 11, "<ADDR> has taken"},
		{config.Rules{FailRegex: []string{"<F-ID>a</F-ID><F-ID/>"}}, "failregex", 0, 14, "fid"},
		{config.Rules{FailRegex: []string{"from <HOST> ("}}, "failregex", 0, 0, ""},
		{config.Rules{FailRegex: []string{`^ app: bad [ from <HOST>$`}}, "failregex", 0, 11, `this [ has no ] after it; write \[`},
		{config.Rules{FailRegex: []string{`^[^\]] \[x\] [ from <HOST> ]$`}}, "failregex", 0, 13, `write \[`},
		{config.Rules{FailRegex: []string{`^[a] [] <HOST>$`}}, "failregex", 0, 5, `this [ has no ] after it; write \[`},
		{config.Rules{FailRegex: []string{"<F-USER>a <HOST>"}}, "failregex", 0, 0, ""},
		{config.Rules{FailRegex: ok, PrefRegex: "("}, "prefregex", 0, 0, ""},
		{config.Rules{FailRegex: ok, IgnoreRegex: []string{"fine", "["}}, "ignoreregex", 1, 0, ""},
		{config.Rules{FailRegex: ok, IgnoreRegex: []string{""}}, "ignoreregex", 0, 0, "every line"},
		{config.Rules{FailRegex: ok, UseDNS: "maybe"}, "usedns", 0, 0, "yes, warn, no or raw"},
		{config.Rules{FailRegex: ok, MaxLines: -1}, "maxlines", 0, 0, "1 or more"},
		{config.Rules{FailRegex: ok, DatePattern: []string{"%%Y-%%m-%%d", "%Y ("}}, "datepattern", 1, 0, ""},
		{config.Rules{FailRegex: ok, LogEncoding: "utf-16"}, "logencoding", 0, 0, "UTF-8"},
		{config.Rules{FailRegex: ok, LogEncoding: "UTF-32-LE"}, "logencoding", 0, 0, "UTF-8"},
		{config.Rules{FailRegex: ok, LogEncoding: "klingon"}, "logencoding", 0, 0, "auto"},
		{config.Rules{FailRegex: ok, LogEncoding: "cp037"}, "logencoding", 0, 0, "UTF-8"},
	} {
		_, err := Compile(tt.r)
		e, is := errors.AsType[*Error](err)
		if !is {
			t.Errorf("%+v: got %v, want an *Error", tt.r, err)
			continue
		}
		if e.Key != tt.key || e.Index != tt.at || tt.byte > 0 && e.Offset != tt.byte || !strings.Contains(e.Msg, tt.says) || e.Msg == "" {
			t.Errorf("%+v:\ngot  %+v\nwant %s[%d] at byte %d with %q", tt.r, e, tt.key, tt.at, tt.byte, tt.says)
		}
	}
}

func TestEveryMistakeIsTold(t *testing.T) {
	_, err := Compile(config.Rules{
		PrefRegex: "(", FailRegex: []string{"(", "a <HOST>", "nobody ["}, IgnoreRegex: []string{")"},
		MaxLines: -1, LogEncoding: "klingon", DatePattern: []string{"(", "%Y", "["},
	})
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("got %v, want several errors", err)
	}
	var got []string
	for _, e := range joined.Unwrap() {
		place, _, _ := strings.Cut(e.Error(), ":")
		place, _, _ = strings.Cut(place, ",")
		got = append(got, place)
	}
	slices.Sort(got)
	want := []string{
		"datepattern 1", "datepattern 3", "failregex 1", "failregex 3", "ignoreregex 1",
		"logencoding 1", "maxlines 1", "prefregex 1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestPrefregexMayTellWhoFailed(t *testing.T) {
	_, err := Compile(config.Rules{PrefRegex: "^<HOST> <F-CONTENT>.*</F-CONTENT>$", FailRegex: []string{"bad"}})
	if err != nil {
		t.Errorf("got %v, want none", err)
	}
}

func TestPatternsInTheOrderOfTheirTrial(t *testing.T) {
	f := compiled(t, config.Rules{PrefRegex: "^x <F-CONTENT>.*$</F-CONTENT>", FailRegex: []string{"a <HOST>", "b <HOST>"}, IgnoreRegex: []string{"c"}})
	var got []string
	for _, p := range f.Patterns() {
		got = append(got, p.Key+" "+p.Text)
	}
	want := []string{"prefregex ^x <F-CONTENT>.*$</F-CONTENT>", "failregex a <HOST>", "failregex b <HOST>", "ignoreregex c"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
