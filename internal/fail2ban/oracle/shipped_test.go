package oracle

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/fail2ban"
	"github.com/edgeban/edgeban/internal/filter/compat"
)

func TestEveryShippedFilterIsReadAndCompilesInEveryMode(t *testing.T) {
	t.Parallel()
	var all []struct {
		Base, Filter string
		Options      map[string]string
		Rules        jailRead
		Bad          string
	}
	oracle(t).ask(t, map[string]any{"do": "shipped", "scratch": t.TempDir()}, &all)
	found := map[string]string{}
	for _, f := range all {
		place := fmt.Sprintf("%s %v", f.Filter, f.Options)
		rules, err := fail2ban.ReadFilter(f.Base, f.Filter, f.Options)
		if err != nil {
			found[place] = err.Error()
			continue
		}
		if why := differ(rules, f.Rules); why != "" {
			found[place] = why
		}
		if _, err := compat.Compile(rules); (err != nil) != (f.Bad != "") {
			found[place] += fmt.Sprintf("compiles with %v, fail2ban's with %q", err, f.Bad)
		}
	}
	t.Logf("%d of %d filters with options have the rules of fail2ban, and compile", len(all)-len(found), len(all))
	if len(all) < 500 {
		t.Errorf("only %d filters with options", len(all))
	}
	tolerated(nil).check(t, found)
}

// differ compares the rules of both readers, and says where they differ.
func differ(got config.Rules, want jailRead) string {
	set := func(k string) string {
		if v := want.Set[k]; v != nil {
			return fmt.Sprint(v)
		}
		return ""
	}
	lines, err := strconv.Atoi(set("maxlines"))
	if err != nil {
		lines = 1
	}
	usedns := strings.ToLower(set("usedns"))
	if want.Set["usedns"] == nil {
		usedns = "warn"
	} else if !slices.Contains([]string{"yes", "warn", "no", "raw"}, usedns) {
		usedns = "no"
	}
	var dates []string
	for _, d := range strings.Split(set("datepattern"), "\n") {
		if d = strings.TrimSpace(d); d != "" {
			dates = append(dates, d)
		}
	}
	var journal []string
	for _, m := range want.JournalMatch {
		journal = append(journal, strings.Join(m, " "))
	}
	var gotJournal []string
	for _, m := range got.JournalMatch {
		gotJournal = append(gotJournal, strings.Join(shellWords(m), " "))
	}
	for _, c := range []struct {
		name      string
		got, want any
	}{
		{"prefregex", got.PrefRegex, set("prefregex")},
		{"failregex", got.FailRegex, want.FailRegex},
		{"ignoreregex", got.IgnoreRegex, want.IgnoreRegex},
		{"datepattern", got.DatePattern, dates},
		{"maxlines", max(got.MaxLines, 1), lines},
		{"usedns", got.UseDNS, usedns},
		{"journalmatch", gotJournal, journal},
	} {
		if g, w := fmt.Sprintf("%q", c.got), fmt.Sprintf("%q", c.want); g != w {
			return fmt.Sprintf("%s\n got  %s\n want %s", c.name, g, w)
		}
	}
	return ""
}

// shellWords splits a line into words as a shell does.
func shellWords(s string) []string {
	var all []string
	var word []rune
	var quote rune
	in, escaped := false, false
	for _, r := range s {
		switch {
		case escaped:
			if quote == '"' && r != '"' && r != '\\' {
				word = append(word, '\\')
			}
			word, escaped = append(word, r), false
		case r == '\\' && quote != '\'':
			in, escaped = true, true
		case r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			in, quote = true, r
		case quote == 0 && strings.ContainsRune(" \t\r\n", r):
			if in {
				all, word, in = append(all, string(word)), nil, false
			}
		default:
			in, word = true, append(word, r)
		}
	}
	if in {
		all = append(all, string(word))
	}
	return all
}
