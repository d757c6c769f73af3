package filter

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMistakesOfAFileHaveAPlaceAndAWayOut(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", "test.yaml:1:1: the file is empty; write at least a list of failures"},
		{"description: x\n", "test.yaml:1:1: a filter without failures finds nothing; write failures: and a list of patterns"},
		{"failure: []\n", `test.yaml:1:1: a filter has no "failure"; write one of description,`},
		{"- x\n", "test.yaml:1:1: a filter is a mapping; write description: and what belongs to it"},
		{"failures: x\n", `test.yaml:1:11: a list is wanted here; write each item on a line of its own after "- "`},
		{"failures:\n  - 'no address'\n", "test.yaml:2:5: the pattern does not say who; write <HOST> where the address stands"},
		{"failures:\n  - 'from <HOST> (x'\n", `test.yaml:2:18: this ( has no ) behind it; write \( for the character (byte 12 of the pattern)`},
		{"failures:\n  - '''a'' <F-USR>x</F-USR> <HOST>'\n", "test.yaml:2:12: <F-USR> is not a tag; the tags are <HOST>,"},
		{"failures:\n  - ''\n", "test.yaml:2:5: an empty pattern matches every line; write what the line says"},
		{"failures:\n  - program: x\n", "test.yaml:2:5: a pattern without match; write match: '...'"},
		{"failures:\n  - match: 'x <HOST>'\n    counts: all\n", `test.yaml:3:13: counts: "all" is not a way to count; write each, total or once`},
		{"failures:\n  - match: 'x <HOST>'\n    counts: total\n", "test.yaml:2:12: counts total or once is about a session; write <F-SESSION>...</F-SESSION> around what names it"},
		{"ignore: ['<F-SESSION/>']\nfailures: ['<HOST>']\n", "test.yaml:1:10: a session belongs to an address; write <HOST> where it stands"},
		{"failures: ['<HOST>']\ndatepattern: [iso, nginx]\n", `test.yaml:2:14: datepattern: "nginx" is not a form of date; write none, or some of syslog, iso, clf, epoch, json`},
		{"failures: ['<HOST>']\nbare: maybe\n", `test.yaml:2:7: "maybe" is neither true nor false; write one of them`},
		{"failures: ['<HOST>']\nfailures: ['<HOST>']\n", `test.yaml:2:1: "failures" stands here twice; join the two`},
		{"failures: ['<HOST>']\nzone: Mars\n", `test.yaml:2:7: "Mars" is not a zone; write one such as UTC or Europe/Berlin`},
		{"failures: ['<HOST>']\nnow: today\n", `test.yaml:2:6: "today" is not a time; write one such as 2026-11-22T11:29:49Z`},
		{"failures: ['<HOST>']\nsamples:\n  - line: x\n", "test.yaml:3:5: a sample needs line, and one of failure, success or nothing: true"},
		{"failures: ['<HOST>']\nsamples:\n  - line: x\n    failure: me\n", `test.yaml:4:14: "me" is not an address; write one such as 203.0.113.9`},
		{"failures: ['<HOST>']\nsamples:\n  - {line: x, nothing: true, count: 0}\n", `test.yaml:3:37: "0" is not a count; write a number from 1 on`},
		{"bare: true\nfailures: x: y\n", "test.yaml:2:1: this is not YAML: mapping values are not allowed"},
	} {
		_, err := Parse("test.yaml", []byte(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %s", tt.text, err, tt.want)
		}
	}
}

func TestEveryMistakeIsTold(t *testing.T) {
	_, err := Parse("test.yaml", []byte("bare: maybe\nfailures: ['x', '<HOST> (']\n"))
	if err == nil || strings.Count(err.Error(), "test.yaml:") != 3 {
		t.Errorf("got %v, want three mistakes", err)
	}
}

func TestFilterOfOnesOwnIsLoaded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "app.yaml")
	text := "failures: ['login failed .* from <HOST>$']\ndatepattern: clf\nsamples:\n" +
		"  - line: 'app [22/Nov/2026:11:29:49 +0000] login failed x from 203.0.113.9'\n" +
		"    failure: 203.0.113.9\n    time: 2026-11-22T11:29:49Z\n" +
		"  - line: 'app login failed x from 203.0.113.9'\n    success: 203.0.113.9\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	results := f.Test()
	if f.Name != "app" || len(results) != 2 || results[0].Err != nil || results[1].Err == nil {
		t.Errorf("filter %q: got %+v, want the first sample to pass and the second to fail", f.Name, results)
	}
}

func TestUnknownFilterIsAnswered(t *testing.T) {
	_, err := Load("dovcot")
	if err == nil || !strings.Contains(err.Error(), "write one of dovecot, postfix, postfix-probe, sshd, traefik") {
		t.Errorf("got %v, want the names to choose from", err)
	}
	if _, err := Load("/nowhere/x.yaml"); err == nil || !strings.Contains(err.Error(), "/nowhere/x.yaml") {
		t.Errorf("got %v, want the path", err)
	}
}

func FuzzFilterParse(f *testing.F) {
	f.Add([]byte("description: x\nprograms: [sshd]\nbare: true\ndatepattern: [iso, clf]\nignore: ['a']\n" +
		"failures:\n  - 'from <HOST> (?:x)'\n  - match: '''<F-USER>.*</F-USER>'' <HOST> <F-SESSION/>'\n    counts: once\n" +
		"now: 2026-11-22T12:00:00Z\nzone: UTC\nsamples:\n  - line: 'from 203.0.113.9'\n    failure: 203.0.113.9\n    user: ''\n"))
	f.Add([]byte("failures: &a [*a]\n"))
	f.Add([]byte("failures:\n  - match: '<HOST>'\n    counts: once\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		flt, err := Parse("f.yaml", data)
		if err == nil {
			flt.Test()
			return
		}
		for line := range strings.Lines(err.Error()) {
			if !strings.HasPrefix(line, "f.yaml:") {
				t.Fatalf("%q has no place", line)
			}
		}
	})
}
