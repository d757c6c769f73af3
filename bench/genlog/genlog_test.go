package main

import (
	"bytes"
	"io"
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/intake"
)

func generate(t *testing.T, o options) (text []byte, fails map[string]int) {
	t.Helper()
	var b bytes.Buffer
	fails, err := write(&b, o)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), fails
}

// Figures of different days, and the checks on a shorter log, are of the same lines.
func TestSameFlagsGiveTheSameLog(t *testing.T) {
	long, _ := generate(t, options{4000, 10, 1})
	again, _ := generate(t, options{4000, 10, 1})
	short, _ := generate(t, options{1000, 10, 1})
	other, _ := generate(t, options{4000, 10, 2})
	if !bytes.Equal(long, again) {
		t.Error("the same flags give two logs")
	}
	if !bytes.HasPrefix(long, short) {
		t.Error("a shorter log is not the beginning of a longer one")
	}
	if bytes.Equal(long, other) {
		t.Error("two seeds give the same log")
	}
}

func TestAsManyLinesFailAsAskedFor(t *testing.T) {
	const lines = 40_000
	addr := regexp.MustCompile(`198\.1[89]\.\d+\.\d+|2001:db8:[1-9a-f][0-9a-f]{2,3}:\S+?[\],\s]`)
	for _, percent := range []float64{10, 1, 0} {
		text, fails := generate(t, options{lines, percent, 1})
		want := lines * percent / 100
		for service, share := range map[string]float64{"sshd": 0.6, "postfix": 0.2, "dovecot": 0.2} {
			if got, want := float64(fails[service]), share*want; got < 0.98*want || got > want+3 {
				t.Errorf("%v %%: %v lines of %s fail, want %v", percent, got, service, want)
			}
		}
		well := (lines - want) / 12
		for word, want := range map[string]float64{" Accepted ": well / 3, " Logged out ": well} {
			if got := float64(bytes.Count(text, []byte(word))); got < 0.98*want || got > want+3 {
				t.Errorf("%v %%: %v lines have %q, want %v", percent, got, word, want)
			}
		}
		if got := bytes.Count(text, []byte("\n")); got != lines {
			t.Errorf("%v %%: %d lines, want %d", percent, got, lines)
		}
		if got := len(text) / lines; got < 120 || got > 135 {
			t.Errorf("%v %%: %d bytes a line, want about 128", percent, got)
		}
		who := map[string]bool{}
		for _, a := range addr.FindAll(text, -1) {
			who[string(a)] = true
		}
		if got := len(who); percent == 10 && (got < 1000 || got > attackers) || percent == 0 && got > 0 {
			t.Errorf("%v %%: %d attackers", percent, got)
		}
	}
}

// The whole path, from the text to the count: what was written to fail is what fails.
func TestBuiltInFiltersFindWhatFailsAndNothingElse(t *testing.T) {
	const lines = 20_000
	text, fails := generate(t, options{lines, 10, 1})
	r := &intake.Replay{Forget: 24 * time.Hour, Now: time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)}
	for _, s := range services() {
		c := config.NewJail(s)
		c.LogPath, c.LogTimezone = []string{config.Stdin}, time.UTC
		r.Trials = append(r.Trials, &intake.Trial{Jail: c})
	}
	if err := r.Open(); err != nil {
		t.Fatal(err)
	}
	log := intake.Log{Name: "log", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }}
	bans := 0
	for _, err := range r.Files(t.Context(), []intake.Log{log}) {
		if err != nil {
			t.Fatal(err)
		}
		bans++
	}
	found := map[string]int{}
	for _, one := range r.Trials {
		s := one.Stats()
		if found[one.Jail.Name] = int(s.Failures); s.Lines != lines || s.Ignored+s.Undated+s.Spent > 0 {
			t.Errorf("%s has seen %+v, want %d lines and none left out", one.Jail.Name, s, lines)
		}
	}
	if !maps.Equal(found, fails) {
		t.Errorf("the filters find %v, want %v", found, fails)
	}
	if bans == 0 {
		t.Error("nobody is banned, want some who come again and again")
	}
}

func TestWhatIsWrittenIsSaid(t *testing.T) {
	var out, say strings.Builder
	if err := run([]string{"-lines", "1000", "-percent", "10"}, &out, &say); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(out.String(), "\n"); got != 1000 {
		t.Errorf("%d lines, want 1000", got)
	}
	if want := "sshd 5"; !strings.HasPrefix(say.String(), want) {
		t.Errorf("it says %q, want the services and how many lines of each fail", say.String())
	}
}
