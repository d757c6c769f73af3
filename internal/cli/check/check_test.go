package check

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/fail2ban"
)

// printed returns what is told of a configuration, and the error in the end.
func printed(t *testing.T, o Options) (string, string) {
	t.Helper()
	var b bytes.Buffer
	if err := Print(t.Context(), &b, o); err != nil {
		return b.String(), err.Error()
	}
	return b.String(), ""
}

func TestOneMistakeOfManyJailsIsOneProblem(t *testing.T) {
	gone := filepath.Join(t.TempDir(), "gone")
	c := config.Default()
	for _, name := range []string{"dovecot", "postfix", "sshd"} {
		j := config.NewJail(name)
		j.LogPath = []string{filepath.Join(gone, "mail.log")}
		c.Jails = append(c.Jails, j)
	}
	c.Jails[2].LogPath = []string{filepath.Join(gone, "auth.log"), filepath.Join(gone, "auth.log")}
	out, err := printed(t, Options{Config: c})
	for _, want := range []string{
		"PROBLEM: jail dovecot, postfix: log " + gone + "/mail.log: there is no folder",
		"  PROBLEM: log " + gone + "/auth.log: there is no folder",
	} {
		if strings.Count(out, want) != 1 {
			t.Errorf("got\n%s\nwant once: %s", out, want)
		}
	}
	if n := strings.Count(out, "PROBLEM"); n != 2 || err != "2 PROBLEMs above" {
		t.Errorf("%d PROBLEMs and %q, want 2 and that they are counted", n, err)
	}
}

func TestEveryEnabledJailIsInTheList(t *testing.T) {
	c := config.Default()
	c.Jails = []config.Jail{config.NewJail("recidive")}
	c.Broken = []config.Broken{
		{Jail: "sshd", Why: "/f/jail.local:7: no filter; /f/jail.local:9: no log"},
		{Jail: "web", Why: "/f/jail.local:3: no time"},
		{Jail: "mail", Why: "/f/jail.local:3: no time"},
	}
	notes := []fail2ban.Note{
		{File: "/f/jail.local", Line: 3, Jail: "web, mail", Level: fail2ban.Broken, Text: "no time"},
		{File: "/f/jail.local", Line: 7, Jail: "sshd", Level: fail2ban.Broken, Text: "no filter"},
		{File: "/f/jail.local", Line: 8, Jail: "recidive", Level: fail2ban.Problem, Text: "no such firewall"},
		{File: "/f/jail.local", Line: 9, Jail: "sshd", Level: fail2ban.Broken, Text: "no log"},
	}
	out, err := printed(t, Options{Config: c, Notes: notes})
	for _, want := range []string{
		"\njail sshd\n  DOES NOT RUN: /f/jail.local:7: no filter\n  DOES NOT RUN: /f/jail.local:9: no log\n",
		"\njail web, mail\n  DOES NOT RUN: /f/jail.local:3: no time\n",
		"\nPROBLEM: /f/jail.local:8: jail recidive: no such firewall\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("got\n%s\nwant in it%s", out, want)
		}
	}
	if want := "3 jails do not run, 1 PROBLEM above"; err != want {
		t.Errorf("got the error %q, want %q", err, want)
	}
	if strings.Contains(out, "good") || strings.Contains(err, "edgeban check") {
		t.Errorf("got\n%s%s\nwant neither that it is good nor the advice to run what runs", out, err)
	}
}

// A pattern that sees every line is named with the way out; what the others cost
// matters to whoever asks for patterns.
func TestPatternsThatSeeEveryLineAreNamed(t *testing.T) {
	c := config.Default()
	door := config.Jail{Name: "door", LogPath: []string{config.Stdin}, Rules: &config.Rules{FailRegex: []string{`^refused <HOST>$`, `^<HOST>$`}}}
	c.Jails = []config.Jail{door}
	plain, _ := printed(t, Options{Config: c})
	if !strings.Contains(plain, "2 patterns, 1 tried on every line: add 3 letters or more that such a line always has") || strings.Contains(plain, "linear") {
		t.Errorf("got\n%s\nwant the one that is slow and what to do, and nothing else of costs", plain)
	}
	every, _ := printed(t, Options{Config: c, Patterns: true})
	if !strings.HasPrefix(every, legend+"\n") || !strings.Contains(every, "failregex 1: linear; needs \"refused \"\n") || !strings.Contains(every, "failregex 2: linear; needs no literal; tried on every line\n") {
		t.Errorf("got\n%s\nwant the legend, and what each costs", every)
	}
	for want, r := range map[string]config.Rules{
		"1 tried on every line, which maxlines asks for":      {MaxLines: 2, FailRegex: []string{`^refused <HOST>$`}},
		"1 tried on every line, which is read in iso-8859-15": {LogEncoding: "iso-8859-15", FailRegex: []string{`^refused <HOST>$`}},
	} {
		door.Rules = &r
		c.Jails = []config.Jail{door}
		if got, _ := printed(t, Options{Config: c}); !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwant %s", got, want)
		}
	}
}
