// Package story tells on a terminal what happened to an address: the lines, the
// bans, who holds them, and whether that works. It asks nothing.
package story

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/edgeban/edgeban/internal/cli/term"
	"github.com/edgeban/edgeban/internal/web"
)

// A moment is one line of a story.
type moment struct {
	at   time.Time
	text string
	more string // on a line of its own
}

// Tell tells what happened to an address in the order in which it happened, with
// the time between, and ends with the proof.
func Tell(out io.Writer, w web.Why, now time.Time) {
	fmt.Fprintf(out, "%s: %s\n", term.Subject(w.Prefix), verdict(w, now))
	var last moment
	for _, m := range moments(w, now.Location()) {
		m.at = m.at.In(now.Location())
		gap := ""
		if last.at.IsZero() || m.at.Format(time.DateOnly) != last.at.Format(time.DateOnly) {
			fmt.Fprintf(out, "\n%s\n", m.at.Format("Mon Jan _2 2006"))
		}
		if !last.at.IsZero() && m.at.Sub(last.at) >= time.Millisecond {
			gap = strings.Replace("+"+between(last.at, m.at), "+<", "<", 1)
		}
		fmt.Fprintf(out, "  %s %8s  %s\n", m.at.Format("15:04:05.000"), gap, m.text)
		if m.more != "" {
			fmt.Fprintf(out, "      %s\n", m.more)
		}
		last = m
	}
	for i, text := range proofs(w) {
		if i == 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "proof: %s\n", text)
	}
	for _, k := range w.Leaks {
		fmt.Fprintf(out, "leaking: %s\n", leaking(k, now))
	}
}

// leaking says that a ban does not work, and why that is likely.
func leaking(k web.Leak, now time.Time) string {
	text := fmt.Sprintf("%s since it is held by %s, the last %s ago", term.Count(k.Lines, "line"),
		term.Clean(strings.Join(k.Targets, ", "), 80), term.Span(max(0, now.Sub(k.Last).Truncate(time.Second))))
	if k.Why == "" {
		return text + ". Why is being looked for."
	}
	return text + ". " + term.Clean(k.Why, 1000)
}

// between shows the time from a to b. Most stamps in logs have no fraction of a
// second: what is less is not known then.
func between(a, b time.Time) string {
	d := b.Sub(a)
	if a.Nanosecond() == 0 && d > 0 && d < time.Second {
		return "<1s"
	}
	return term.Span(d)
}

// moments is what happened, in its order.
func moments(w web.Why, zone *time.Location) (ms []moment) {
	for _, l := range w.Lines {
		ms = append(ms, lineMoment(w, l))
	}
	for _, b := range w.Bans {
		ms = append(ms, banMoment(w, b, zone))
	}
	for _, s := range w.Steps {
		text := fmt.Sprintf("%s is to hold it as well, because it leaks at %s", term.Clean(s.To, 64), term.Clean(s.From, 80))
		ms = append(ms, moment{s.At, text, term.Clean(s.Why, 1000)})
	}
	for _, l := range w.Lifts {
		ms = append(ms, moment{l.At, fmt.Sprintf("LIFTED in %s by %s", term.Clean(l.Jail, 40), term.Clean(l.By, 80)), ""})
	}
	for _, h := range w.Holds {
		ms = append(ms, holdMoments(w, h)...)
	}
	slices.SortStableFunc(ms, func(a, b moment) int { return a.at.Compare(b.at) })
	return slices.Compact(ms)
}

func lineMoment(w web.Why, l web.Line) moment {
	text := fmt.Sprintf("%s in %s", term.Clean(l.Kind, 20), term.Clean(l.Jail, 40))
	if l.Addr != w.Prefix.Addr() {
		text += " from " + l.Addr.String()
	}
	if l.User != "" {
		text += ", user " + term.Clean(l.User, 64)
	}
	if l.Count > 1 {
		text += fmt.Sprintf(", %d times", l.Count)
	}
	if l.Ignored != "" {
		text += ", not counted: " + term.Clean(l.Ignored, 120)
	}
	return moment{l.Time, text, term.Clean(l.Text, 240)}
}

func banMoment(w web.Why, b web.Ban, zone *time.Location) moment {
	text := "BANNED"
	if b.Prolongs {
		text = "prolonged"
	}
	if b.Subject != w.Prefix {
		text += " as " + term.Subject(b.Subject)
	}
	until := "for ever"
	switch {
	case b.Until.IsZero():
	case b.Prolongs:
		until = "to " + term.Clock(b.Until, b.Since.In(zone))
	default:
		until = "for " + term.Span(b.Until.Sub(b.Since))
	}
	text += fmt.Sprintf(" in %s %s: %s", term.Clean(b.Jail, 40), until, term.Clean(b.Reason, 200))
	if b.Nth > 1 && !b.Prolongs {
		text += fmt.Sprintf(", offence %d", b.Nth)
	}
	return moment{b.Since, text, ""}
}

func holdMoments(w web.Why, h web.Hold) (ms []moment) {
	target := term.Clean(h.Target, 40)
	if h.Subject != w.Prefix && h.Subject.IsValid() {
		target += " as " + term.Subject(h.Subject)
	}
	held, released := "HELD by "+target, "released by "+target
	switch {
	case h.Foreign:
		held = "seen in " + target + ", where somebody else put it"
	case h.Served:
		held = "served by " + target
	}
	if lost(w, h) {
		released = "LOST by " + target + ": it does not list it any more"
	}
	for _, m := range []moment{{h.Sent, "sent to " + target, ""}, {h.Held, held, ""}, {h.Released, released, ""}} {
		if !m.at.IsZero() {
			ms = append(ms, m)
		}
	}
	return ms
}

// lost reports whether an entry was gone from its target while a ban wanted it.
func lost(w web.Why, h web.Hold) bool {
	return !h.Released.IsZero() && slices.ContainsFunc(w.Bans, func(b web.Ban) bool {
		return !b.Since.After(h.Released) && (b.Until.IsZero() || b.Until.After(h.Released)) && b.Subject.Overlaps(h.Subject) && !lifted(w, b)
	})
}

// verdict says what is true of an address now.
func verdict(w web.Why, now time.Time) string {
	standing, earlier := []string{}, 0
	for _, b := range whole(w.Bans) {
		if !b.Until.IsZero() && !now.Before(b.Until) || lifted(w, b) {
			earlier++
			continue
		}
		text := "in " + term.Clean(b.Jail, 40)
		if b.Subject != w.Prefix {
			text += " as " + term.Subject(b.Subject)
		}
		if b.Until.IsZero() {
			text += " for ever"
		} else {
			text += " for " + term.Left(b.Until, now) + " more"
		}
		standing = append(standing, text)
	}
	switch {
	case len(standing) > 3:
		return fmt.Sprintf("%d bans stand", len(standing)) + heldBy(w)
	case len(standing) > 0:
		return "banned " + strings.Join(standing, ", ") + heldBy(w)
	case w.Protected != "":
		return "never banned: " + term.Clean(w.Protected, 200)
	case earlier > 0:
		return "not banned now, " + term.Count(earlier, "ban") + " before"
	case len(w.Lines) > 0 || len(w.Holds) > 0:
		return "not banned"
	}
	return "nothing is known"
}

// whole returns the bans, each with what has prolonged it.
func whole(bans []web.Ban) (all []web.Ban) {
	for _, b := range bans {
		i := len(all) - 1
		for i >= 0 && (all[i].Jail != b.Jail || all[i].Subject != b.Subject) {
			i--
		}
		if b.Prolongs && i >= 0 {
			all[i].Until = b.Until
		} else {
			all = append(all, b)
		}
	}
	return all
}

func heldBy(w web.Why) string {
	var by []string
	for _, h := range w.Holds {
		if !h.Held.IsZero() && h.Released.IsZero() {
			by = append(by, Holder(h))
		}
	}
	if len(by) == 0 {
		return ", held by none"
	}
	slices.Sort(by)
	return ", held by " + strings.Join(slices.Compact(by), ", ")
}

func lifted(w web.Why, b web.Ban) bool {
	return slices.ContainsFunc(w.Lifts, func(l web.Lifted) bool { return l.Jail == b.Jail && !l.At.Before(b.Since) })
}

// proofs is the chain of the last ban to each target, from the first line to the
// firewall, with the time that each link took.
func proofs(w web.Why) (lines []string) {
	bans := whole(w.Bans)
	if len(bans) == 0 {
		return nil
	}
	b := bans[len(bans)-1]
	start := "banned"
	if first := firstFailure(w, b); !first.IsZero() {
		start = "first failure -> " + term.Span(b.Since.Sub(first)) + " -> banned"
	}
	for _, h := range w.Holds {
		switch target := term.Clean(h.Target, 40); {
		case h.Foreign:
			lines = append(lines, target+" has it anyway: somebody else put it there")
		case h.Sent.Before(b.Since) && h.Released.IsZero() && !h.Held.IsZero():
			lines = append(lines, target+" held it already when it was banned"+map[bool]string{true: ", " + term.Packets(h.Packets) + " dropped"}[h.Packets > 0])
		case !h.Sent.Before(b.Since):
			lines = append(lines, start+" -> "+between(b.Since, h.Sent)+" -> sent to "+target+outcome(w, h))
		}
	}
	switch {
	case len(lines) > 0:
		return lines
	case b.Refused != "":
		return []string{"none, it is not sent: " + term.Clean(b.Refused, 200)}
	}
	return []string{start + " -> not sent yet"}
}

func outcome(w web.Why, h web.Hold) (s string) {
	last := h.Sent
	if !h.Held.IsZero() {
		s += " -> " + term.Span(h.Held.Sub(last)) + map[bool]string{true: " -> served", false: " -> held"}[h.Served]
		last = h.Held
	}
	if h.Packets > 0 {
		s += " -> " + term.Packets(h.Packets) + " dropped"
	}
	if !h.Released.IsZero() {
		s += " -> " + term.Span(h.Released.Sub(last)) + map[bool]string{true: " -> lost", false: " -> released"}[lost(w, h)]
	}
	if s == "" {
		return " -> not held yet"
	}
	return s
}

// firstFailure returns when the failures began that led to a ban, if their lines
// are still known.
func firstFailure(w web.Why, b web.Ban) time.Time {
	n := 0
	for _, l := range slices.Backward(w.Lines) {
		if l.Jail == b.Jail && l.Kind == "failure" && l.Ignored == "" && !l.Time.After(b.Since) {
			if n += l.Count; n >= b.Failures {
				return l.Time
			}
		}
	}
	return time.Time{}
}

// Holder names who holds an entry. A list holds only where somebody pulls it.
func Holder(h web.Hold) string {
	if h.Served {
		return term.Clean(h.Target, 20) + " (list)"
	}
	return term.Clean(h.Target, 20)
}
