package notify

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/edgeban/edgeban"
)

const (
	maxBody   = 4095             // bytes of a message: ntfy 2.13 makes an attachment of 4096
	maxTitle  = 120              // characters of a title
	maxItems  = 20               // lines on one kind of thing: nobody reads more on a phone
	maxJails  = 3                // jails named in the head of a digest
	maxPlace  = 2                // jails named with one subject
	maxCount  = 1_000_000_000    // of failures
	highPrio  = 4                // ntfy's "high"
	quietPrio = 2                // ntfy's "low": it makes no sound
	apart     = 10 * time.Minute // notices further apart say since when
)

// A message is what one notification says.
type message struct {
	title, body string
	priority    int        // 1 to 5; 0 for the server's default
	tags        []string   // ntfy's names of emoji
	about       netip.Addr // what a tap is about; the zero Addr for nothing
}

// A story is all that the notices of a message say about one thing: a subject
// with its jails, or a trouble.
type story struct {
	kind          edgeban.NoticeKind
	subject       netip.Prefix
	jails         []string
	target        string
	failures, nth int
	time, until   time.Time // zero until: for ever
	user, text    string
	zone, host    string        // of an inside subject
	look, doors   string        // what people are to look at, and what is to hold it
	after         time.Duration // until it was held
	times         int           // notices
}

// A section is what a message says about one kind of thing.
type section struct {
	title string
	head  string   // the summary; empty if the items need none
	items []string // a line each
	tag   string
}

// compose words the notices, worst first. The priority is that of outside bans.
func compose(ns []edgeban.Notice, priority int) message {
	stories := gather(ns)
	inside := only(stories, edgeban.NoticeInside)
	leaks := only(stories, edgeban.NoticeLeak)
	troubles := only(stories, edgeban.NoticeTrouble)
	bans := only(stories, edgeban.NoticeBan)
	frees := only(stories, edgeban.NoticeUnban)

	var sections []section
	add := func(of []*story, words func([]*story) section) {
		if len(of) > 0 {
			sections = append(sections, words(of))
		}
	}
	add(inside, insideSection)
	add(leaks, leakSection)
	add(troubles, troubleSection)
	add(bans, banSection)
	add(frees, freeSection)
	if len(sections) == 1 && len(stories) == 1 {
		sections[0].items = []string{alone(stories[0])}
	}

	m := message{body: layout(sections, maxBody), priority: priority}
	var titles []string
	for _, s := range sections {
		titles = append(titles, s.title)
		m.tags = append(m.tags, s.tag)
	}
	m.title = cut(strings.Join(titles, "; "), maxTitle)
	switch {
	case len(inside)+len(leaks)+len(troubles) > 0:
		m.priority = max(highPrio, priority)
	case len(bans) == 0:
		m.priority = min(quietPrio, cmp.Or(priority, quietPrio))
	}
	for _, s := range slices.Concat(inside, leaks, troubles, bans, frees) {
		if s.subject.IsValid() {
			m.about = s.subject.Addr()
			break
		}
	}
	return m
}

// gather groups notices about the same thing, worst first.
func gather(ns []edgeban.Notice) []*story {
	type key struct {
		kind               edgeban.NoticeKind
		subject            netip.Prefix
		jail, target, text string
	}
	found := make(map[key]*story)
	var stories []*story
	for _, n := range ns {
		k := key{kind: n.Kind, subject: n.Subject}
		switch n.Kind {
		case edgeban.NoticeBan, edgeban.NoticeUnban, edgeban.NoticeInside:
		case edgeban.NoticeLeak:
			k.target, k.text = n.Target, n.Text
		default: // what is unknown is trouble
			k.kind, k.jail, k.target, k.text = edgeban.NoticeTrouble, n.Jail, n.Target, n.Text
		}
		s := found[k]
		if s == nil {
			s = &story{kind: k.kind, subject: n.Subject, time: n.Time, until: n.Until, target: n.Target, text: n.Text, zone: n.Zone, host: n.Host, look: n.Look, doors: n.Doors}
			found[k] = s
			stories = append(stories, s)
		}
		s.add(n)
	}
	slices.SortStableFunc(stories, func(a, b *story) int { return b.compare(a) })
	return stories
}

// add takes one more notice about the same thing into s.
func (s *story) add(n edgeban.Notice) {
	s.times++
	if n.Jail != "" && !slices.Contains(s.jails, n.Jail) {
		s.jails = append(s.jails, n.Jail)
	}
	s.failures = min(s.failures+min(max(n.Failures, 0), maxCount), maxCount)
	s.nth = max(s.nth, min(n.Nth, maxCount))
	if n.User != "" {
		s.user = n.User
	}
	if (n.Kind == edgeban.NoticeBan || n.Kind == edgeban.NoticeInside) && n.Target != "" {
		s.target, s.after = n.Target, max(s.after, n.After)
	}
	if n.Kind == edgeban.NoticeUnban && !slices.Contains(strings.Split(s.target, ", "), n.Target) {
		s.target += ", " + n.Target
	}
	if outlasts(n.Until, s.until) {
		s.until = n.Until
	}
	if n.Time.After(s.time) {
		s.time = n.Time
	}
}

// compare orders stories of a kind by how bad they are: most failures, longest,
// most often. Troubles stay in the order in which they came.
func (s *story) compare(t *story) int {
	if s.kind != t.kind || s.kind == edgeban.NoticeTrouble {
		return cmp.Compare(s.kind, t.kind)
	}
	length := 0
	switch {
	case outlasts(s.until, t.until):
		length = 1
	case outlasts(t.until, s.until):
		length = -1
	}
	return cmp.Or(cmp.Compare(s.failures, t.failures), length, cmp.Compare(s.nth, t.nth))
}

// outlasts reports whether a ban until a ends later than one until b.
func outlasts(a, b time.Time) bool {
	return edgeban.Ban{Until: a}.Outlasts(edgeban.Ban{Until: b})
}

func only(stories []*story, kind edgeban.NoticeKind) []*story {
	var of []*story
	for _, s := range stories {
		if s.kind == kind {
			of = append(of, s)
		}
	}
	return of
}

// name returns the subject and its jails: "203.0.113.9 (dovecot, postfix)".
func (s *story) name() string { return subject(s.subject) + s.in() }

// in returns the jails in brackets, or nothing.
func (s *story) in() string {
	if len(s.jails) == 0 {
		return ""
	}
	var names []string
	for _, j := range s.jails[:min(maxPlace, len(s.jails))] {
		names = append(names, sentence(j, maxName))
	}
	if more := len(s.jails) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return " (" + strings.Join(names, ", ") + ")"
}

// alone returns the body of a message about nothing but s, whose name is its title.
func alone(s *story) string {
	switch s.kind {
	case edgeban.NoticeBan:
		return s.details()
	case edgeban.NoticeUnban:
		return "It is not banned any more" + s.at() + s.in() + "."
	case edgeban.NoticeInside:
		return s.insider()
	case edgeban.NoticeLeak:
		return s.leak()
	}
	return s.trouble(false)
}

// at returns who held it, or nothing.
func (s *story) at() string {
	if s.target == "" {
		return ""
	}
	return " at " + sentence(s.target, maxName)
}
