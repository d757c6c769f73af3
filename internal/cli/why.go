package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/edgeban/edgeban/internal/web"
)

func why(ctx context.Context, e *env, args []string) error {
	c, rest, err := e.client("why", args, nil)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usagef("write edgeban why ADDRESS, as in edgeban why 203.0.113.9")
	}
	p, err := web.ParsePrefix(rest[0])
	if err != nil {
		return usageError{err}
	}
	w, err := c.Why(ctx, p)
	if err != nil {
		return err
	}
	if e.json {
		return e.print(w)
	}
	e.story(w)
	return nil
}

// A moment is one line of a story.
type moment struct {
	at   time.Time
	text string
	more string // on a line of its own
}

// story tells what happened to an address in the order in which it happened.
func (e *env) story(w web.Why) {
	var ms []moment
	for _, l := range w.Lines {
		ms = append(ms, lineMoment(l))
	}
	for _, b := range w.Bans {
		text := fmt.Sprintf("BANNED in %s: %s", clean(b.Jail, 40), clean(b.Reason, 200))
		if b.Nth > 1 {
			text += fmt.Sprintf(", offence %d", b.Nth)
		}
		until := "for ever"
		if !b.Until.IsZero() {
			until = "until " + b.Until.Local().Format("Jan _2 15:04:05")
		}
		ms = append(ms, moment{b.Since, fmt.Sprintf("%s %s, %s", text, subject(b.Subject), until), ""})
	}
	for _, l := range w.Lifts {
		ms = append(ms, moment{l.At, fmt.Sprintf("LIFTED in %s by %s", clean(l.Jail, 40), clean(l.By, 80)), ""})
	}
	for _, h := range w.Holds {
		ms = append(ms, holdMoments(h)...)
	}
	slices.SortStableFunc(ms, func(a, b moment) int { return a.at.Compare(b.at) })
	fmt.Fprintf(e.stdout, "%s: %s\n", subject(w.Prefix), verdict(w, len(ms)))
	for _, m := range ms {
		fmt.Fprintf(e.stdout, "  %s  %s\n", m.at.Local().Format("Jan _2 15:04:05.000"), m.text)
		if m.more != "" {
			fmt.Fprintf(e.stdout, "      %s\n", m.more)
		}
	}
}

func verdict(w web.Why, moments int) string {
	switch {
	case w.Protected != "" && moments == 0:
		return "never banned: " + clean(w.Protected, 200)
	case w.Protected != "":
		return "protected: " + clean(w.Protected, 200)
	case moments == 0:
		return "nothing is known"
	case len(w.Bans) == 0:
		return "not banned"
	}
	return count(len(w.Bans), "ban")
}

func lineMoment(l web.Line) moment {
	text := fmt.Sprintf("%s in %s", clean(l.Kind, 20), clean(l.Jail, 40))
	if l.User != "" {
		text += ", user " + clean(l.User, 64)
	}
	if l.Count > 1 {
		text += fmt.Sprintf(", %d times", l.Count)
	}
	if l.Ignored != "" {
		text += ", not counted: " + clean(l.Ignored, 120)
	}
	return moment{l.Time, text, clean(l.Text, 240)}
}

func holdMoments(h web.Hold) []moment {
	var ms []moment
	add := func(at time.Time, text string) {
		if !at.IsZero() {
			ms = append(ms, moment{at, text + " " + clean(h.Target, 40), ""})
		}
	}
	add(h.Sent, "sent to")
	if h.Foreign {
		add(h.Held, "seen in (not made by us)")
	} else {
		add(h.Held, "HELD by")
	}
	add(h.Released, "released by")
	return ms
}
