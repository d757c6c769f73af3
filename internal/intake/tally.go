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

// maxIgnored bounds how many a replay remembers.
const maxIgnored = 1000

func (r *Replay) ignore(m edgeban.Match) {
	k := Ignored{m.Addr, m.Ignored}
	if _, known := r.ignored[k]; known || len(r.ignored) < maxIgnored {
		r.ignored[k] += int64(m.Count)
	}
}

// Ignored returns whose matches did not count, and how many each has, most first.
func (r *Replay) Ignored() (who []Ignored, n []int64) {
	for k := range r.ignored {
		who = append(who, k)
	}
	slices.SortFunc(who, func(a, b Ignored) int {
		return cmp.Or(cmp.Compare(r.ignored[b], r.ignored[a]), a.Addr.Compare(b.Addr), strings.Compare(a.Why, b.Why))
	})
	for _, k := range who {
		n = append(n, r.ignored[k])
	}
	return who, n
}

// forms counts the lines that are written in a form of which fail2ban's filters
// know nothing.
type forms struct{ lines, json, syslog int }

var rfc5424 = regexp.MustCompile(`^<\d{1,3}>1 `)

func (f *forms) look(text []byte) {
	for line := range bytes.Lines(text) {
		f.lines++
		switch {
		case line[0] == '{':
			f.json++
		case line[0] == '<' && rfc5424.Match(line):
			f.syslog++
		}
	}
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
