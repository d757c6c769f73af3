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

// maxRecent is how many lines are kept of those that were added last.
const maxRecent = 100_000

// recent is the last lines of all subjects, the evidence of bans that may come, by
// their numbers. Each knows the one of its subject before it.
type recent struct {
	ring []line
	last uint64
}

type line struct {
	n, before uint64
	text      string
}

// next returns the number of the next match.
func (r *recent) next() uint64 {
	r.last++
	return r.last
}

func (r *recent) at(n uint64) *line { return &r.ring[n%maxRecent] }

// add keeps the line of the last match. Of a subject that fails slowly the last few
// are kept, too: they move up before they would go.
func (r *recent) add(before uint64, text string, few int) {
	if r.ring == nil {
		r.ring = make([]line, maxRecent)
	}
	n := r.last
	if before != 0 && n-before > maxRecent/2 {
		all := r.lines(before, few-1)
		before = 0
		for _, old := range all {
			up := r.next()
			*r.at(up) = line{up, before, old}
			before = up
		}
	}
	*r.at(n) = line{n, before, text}
}

// lines returns the last few lines of a subject, up to that of n.
func (r *recent) lines(n uint64, few int) (all []string) {
	for len(all) < few && n != 0 && r.at(n).n == n {
		all = append(all, r.at(n).text)
		n = r.at(n).before
	}
	slices.Reverse(all)
	return all
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
