package compat

import (
	"fmt"
	"slices"
	"testing"

	"github.com/edgeban/edgeban/internal/config"
)

// explained says in a word what each failregex makes of a line.
func explained(fs []Finding) []string {
	var all []string
	for _, f := range fs {
		word := "failure"
		switch {
		case f.Ignored:
			word = "ignored"
		case f.NoFail:
			word = "nofail"
		case f.Pending:
			word = "pending"
		}
		all = append(all, fmt.Sprintf("%d %s %s/%d", f.Index, word, f.ID, f.Lines))
	}
	return all
}

func TestExplainTriesEveryFailregex(t *testing.T) {
	s := scanner(t, config.Rules{
		FailRegex:   []string{`^ a by <HOST>`, `never <HOST>`, `<F-USER>\w+</F-USER> for <HOST>$`, `^ c (?P<fid>\w+)`},
		IgnoreRegex: []string{"^ c", "^x", "^y"},
	})
	got := s.Explain([]byte(stamp+" a by 192.0.2.1 for bad.example\r"), now)
	if want := []string{"0 failure 192.0.2.1/1", "2 failure bad.example/1"}; !slices.Equal(explained(got), want) {
		t.Fatalf("got %q, want %q", explained(got), want)
	}
	if f := got[1]; f.Groups["dns"] != "bad.example" || f.Addr.IsValid() || got[0].Addr.String() != "192.0.2.1" || !f.Time.Equal(now.Add(-10e9)) {
		t.Errorf("got %+v", got)
	}
	if got := explained(s.Explain([]byte("x c me"), now)); got != nil {
		t.Errorf("got %q, want none", got)
	}
	if got, want := explained(s.Explain([]byte(" c me"), now)), []string{"3 ignored me/1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestExplainFollowsSessions(t *testing.T) {
	s := scanner(t, talk)
	for _, tt := range []struct{ line, want string }{
		{"s1 pam a", "7 nofail /0"},
		{"s1 bad a", "1 pending /2"},
		{"s1 enough", "3 pending /3"},
		{"s1 bye 192.0.2.1", "4 failure 192.0.2.1/4"},
		{"s2 wrong a by 192.0.2.1", "2 failure 192.0.2.1/1"},
		{"s2 wrong b by 192.0.2.1", "2 failure 192.0.2.1/1"},
	} {
		if got := explained(s.Explain([]byte(tt.line), now)); !slices.Equal(got, []string{tt.want}) {
			t.Errorf("%q: got %q, want %q", tt.line, got, tt.want)
		}
	}
	fs := s.Explain([]byte("s2 wrong c by 192.0.2.1"), now)
	if len(fs) != 1 || !slices.Equal(fs[0].Users, []string{"a", "b", "c"}) || fs[0].Groups["mlfid"] != "s2" {
		t.Errorf("got %+v, want the users of the session", fs)
	}
}
