package notify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

func insideSection(of []*story) section {
	sec := section{title: "Inside: " + of[0].name() + andMore(len(of)-1), tag: "rotating_light"}
	for _, s := range of {
		sec.items = append(sec.items, s.insider())
	}
	return sec
}

// insider returns the sentence on an attacker in the own network. A ban stops its
// guessing and not what makes it guess, so it is people who must look.
func (s *story) insider() string {
	words := "A device in your network, " + subject(s.subject)
	if s.zone != "" {
		words = "A device in your network " + clip(s.zone, maxHost) + ", " + subject(s.subject)
	}
	if s.host != "" {
		words += " (" + clip(s.host, maxHost) + ")"
	}
	words += ", is guessing passwords" + s.in()
	if s.failures > 0 {
		words += ": " + s.evidence()
	}
	switch {
	case s.target != "":
		words += ". Held at " + clip(s.target, maxHost) + s.proof() + ", " + s.end() + ". "
	case s.doors != "":
		words += ". Banned " + s.end() + ", and not seen to be held yet: it is to be at " + clip(s.doors, maxHost) + ". "
	default:
		return words + ". It is not banned: " + cmp.Or(clip(s.look, maxLook), "look at the device.")
	}
	return words + cmp.Or(clip(s.look, maxLook), "Look at the device: an old password in one of its programs, or a program that is not yours.")
}

func leakSection(of []*story) section {
	sec := section{title: "Leak: " + of[0].name() + " still gets in" + andMore(len(of)-1), tag: "hole"}
	for _, s := range of {
		sec.items = append(sec.items, s.leak())
	}
	return sec
}

// leak returns the sentence on a ban that does not work, and why that is likely.
func (s *story) leak() string {
	words := s.name() + " is held" + s.at()
	if s.failures > 0 {
		words += ", and " + plural(s.failures, "line") + " came since"
	}
	return words + ". " + cmp.Or(s.said("why "+subject(s.subject)), "See edgeban why "+subject(s.subject)+".")
}

// said returns the text of s, and where all of it is if it had to be cut.
func (s *story) said(command string) string {
	words := sentence(s.text, maxText)
	if strings.HasSuffix(words, "…") {
		words += " All of it: edgeban " + command + "."
	}
	return words
}

func troubleSection(of []*story) section {
	sec := section{title: "Trouble" + of[0].with() + andMore(len(of)-1), tag: "warning"}
	for _, s := range of {
		sec.items = append(sec.items, s.trouble(len(of) > 1))
	}
	return sec
}

// with returns whom a trouble is with, or nothing.
func (s *story) with() string {
	switch {
	case s.target != "":
		return " with " + sentence(s.target, maxName)
	case len(s.jails) > 0:
		return " in " + sentence(s.jails[0], maxName)
	}
	return ""
}

// trouble returns the sentence of a trouble, with its place if it is one of many.
func (s *story) trouble(named bool) string {
	words := cmp.Or(s.said("status"), "See the log of edgeban.")
	if named {
		words = "Trouble" + s.with() + ": " + words
	}
	if s.times > 1 {
		words += fmt.Sprintf(" (%d times)", s.times)
	}
	return words
}

func banSection(of []*story) section {
	worst := of[0]
	sec := section{title: "Banned " + worst.name(), tag: "no_entry"}
	if len(of) == 1 {
		sec.items = []string{worst.name() + ": " + worst.details()}
		return sec
	}
	sec.title = plural(len(of), "address") + " banned"
	sec.head = sec.title + perJail(of) + since(of) + "; worst: " + subject(worst.subject) + ", " + worst.details()
	for _, s := range of[1:] {
		sec.items = append(sec.items, s.name()+": "+s.details())
	}
	return sec
}

// perJail counts the subjects of each jail: " in dovecot (30) and postfix (9)".
func perJail(of []*story) string {
	counts := make(map[string]int)
	var jails []string
	for _, s := range of {
		for _, j := range s.jails {
			if counts[j]++; counts[j] == 1 {
				jails = append(jails, j)
			}
		}
	}
	slices.SortFunc(jails, func(a, b string) int { return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b)) })
	switch len(jails) {
	case 0:
		return ""
	case 1:
		return " in " + sentence(jails[0], maxName)
	}
	var names []string
	for _, j := range jails[:min(maxJails, len(jails))] {
		names = append(names, fmt.Sprintf("%s (%d)", sentence(j, maxName), counts[j]))
	}
	if more := len(jails) - len(names); more > 0 {
		names = append(names, plural(more, "more jail"))
	}
	return " in " + list(names)
}

// since returns when the first of them was, if that is not just now.
func since(of []*story) string {
	first, last := of[0].time, of[0].time
	for _, s := range of {
		if s.time.Before(first) {
			first = s.time
		}
		if s.time.After(last) {
			last = s.time
		}
	}
	if last.Sub(first) < apart {
		return ""
	}
	return " since " + first.Local().Format("Jan 2 15:04")
}

func freeSection(of []*story) section {
	sec := section{title: subject(of[0].subject) + " is free again", tag: "unlock"}
	if len(of) > 1 {
		sec.title = plural(len(of), "address") + " are free again"
		sec.head = sec.title
	}
	for _, s := range of {
		words := s.name() + s.at()
		if len(of) == 1 {
			words += " is free again"
		}
		sec.items = append(sec.items, words)
	}
	return sec
}

func andMore(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}

// layout puts the sections under each other in at most limit bytes. Room for the
// head, the first item and the count of what is left out is set aside for each
// section: together they are shorter than a message, because every word is cut.
// What does not fit is counted.
func layout(sections []section, limit int) string {
	size := func(line string) int { return len(line) + len("\n") }
	room := limit + len("\n") // the last line has none
	for _, s := range sections {
		if s.head != "" {
			room -= size(s.head)
		}
		room -= size(s.items[0]) + size(leftOut(len(s.items)))
	}
	var lines []string
	for _, s := range sections {
		if s.head != "" {
			lines = append(lines, s.head)
		}
		n := 1
		for n < min(len(s.items), maxItems) && size(s.items[n]) <= room {
			room -= size(s.items[n])
			n++
		}
		lines = append(lines, s.items[:n]...)
		if more := len(s.items) - n; more > 0 {
			lines = append(lines, leftOut(more))
		}
	}
	return strings.Join(lines, "\n")
}

func leftOut(n int) string { return fmt.Sprintf("… and %d more", n) }
