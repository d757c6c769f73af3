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

// maxRecent is how many lines and subjects are kept of those that were added last. As many are
// kept of those before.
const maxRecent = 50_000

// Evidence is the lines of a subject in a trial.
type evidence struct {
	addr [16]byte
	of   uint64 // the place of the trial, and the length of the prefix
}

func (t *Trial) lines(p netip.Prefix) evidence {
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96 // as of the address in IPv6, which nothing else is in
	}
	return evidence{p.Addr().As16(), uint64(t.n)<<8 | uint64(bits)}
}

// recent is the last lines of each subject: the evidence of a ban that may come.
// Where there are too many, those go first whose subject has had none for long.
type recent struct {
	young, old map[evidence]*[]string
	n          int // lines and subjects in young
}

// add keeps a line, and of the subject's lines the last few.
func (r *recent) add(k evidence, line string, few int) {
	lines, ok := r.young[k]
	if !ok {
		if lines, ok = r.old[k]; ok {
			delete(r.old, k)
		} else {
			lines = new(make([]string, 0, few))
		}
		if r.young == nil {
			r.young = map[evidence]*[]string{}
		}
		r.young[k] = lines
		r.n += 1 + len(*lines)
	}
	if l := *lines; len(l) == few {
		copy(l, l[1:])
		l[few-1] = line
	} else {
		*lines = append(l, line)
		r.n++
	}
	if r.n > maxRecent {
		*r = recent{old: r.young}
	}
}

// take returns the lines of a subject, and forgets them. Its place stays, for the next
// ones are likely.
func (r *recent) take(k evidence) []string {
	lines, ok := r.young[k]
	if ok {
		r.n -= len(*lines)
	} else if lines, ok = r.old[k]; !ok {
		return nil
	}
	all := slices.Clone(*lines)
	clear(*lines)
	*lines = (*lines)[:0]
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
