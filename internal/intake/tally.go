package intake

import (
	"bytes"
	"cmp"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/edgeban/edgeban"
)

// An Ignored is somebody whose matches did not count, and why.
type Ignored struct {
	Addr netip.Addr
	Why  string
}

// maxIgnored bounds how many a trial remembers.
const maxIgnored = 1000

func (t *Trial) ignore(m edgeban.Match) {
	k := Ignored{m.Addr, m.Ignored}
	if _, known := t.ignored[k]; known || len(t.ignored) < maxIgnored {
		t.ignored[k] += int64(m.Count)
	}
}

// Ignored returns whose matches did not count, and how many each has, most first.
func (t *Trial) Ignored() (who []Ignored, n []int64) {
	for k := range t.ignored {
		who = append(who, k)
	}
	slices.SortFunc(who, func(a, b Ignored) int {
		return cmp.Or(cmp.Compare(t.ignored[b], t.ignored[a]), a.Addr.Compare(b.Addr), strings.Compare(a.Why, b.Why))
	})
	for _, k := range who {
		n = append(n, t.ignored[k])
	}
	return who, n
}

// forms counts the lines that are written in a form of which fail2ban's filters
// know nothing, among the first of each log.
type forms struct{ lines, json, syslog int }

// maxForms is how many lines of a log are looked at.
const maxForms = 10_000

var rfc5424 = regexp.MustCompile(`^<\d{1,3}>1 `)

func (f *forms) look(text []byte) {
	for line := range bytes.Lines(text) {
		if f.lines == maxForms {
			return
		}
		f.lines++
		switch {
		case line[0] == '{':
			f.json++
		case line[0] == '<' && rfc5424.Match(line):
			f.syslog++
		}
	}
}

func (f *forms) add(g forms) {
	*f = forms{f.lines + g.lines, f.json + g.json, f.syslog + g.syslog}
}

// say says which form most lines have, or returns "".
func (f *forms) say() string {
	switch {
	case 2*f.json > f.lines:
		return "no line matched; these lines are JSON: fail2ban's filters do not read that; the built-in filters do (edgeban filter)"
	case 2*f.syslog > f.lines:
		return "no line matched; these lines are syslog in the form of RFC 5424: fail2ban's filters do not read that; the built-in filters do (edgeban filter)"
	}
	return ""
}
