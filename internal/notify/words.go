package notify

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// subject returns the name of p for people: a single address without its length.
func subject(p netip.Prefix) string {
	switch {
	case !p.IsValid():
		return "an unknown address"
	case p.IsSingleIP():
		return p.Addr().String()
	}
	return p.String()
}

// details returns what is known of a ban, like
// "5 failures, last user alice@example.com, 3rd time, until Nov 22 14:30 (2h), held
// at edge after 0.8 s".
func (s *story) details() string {
	parts := []string{s.evidence()}
	if s.nth > 1 {
		parts = append(parts, ordinal(s.nth)+" time")
	}
	parts = append(parts, s.end())
	if s.target != "" {
		parts = append(parts, "held at "+sentence(s.target, maxHolder)+s.proof())
	}
	return strings.Join(parts, ", ")
}

// proof returns how long it took until it was held, or nothing.
func (s *story) proof() string {
	switch {
	case s.after <= 0:
		return ""
	case s.after < 10*time.Second:
		return fmt.Sprintf(" after %.1f s", max(0.1, s.after.Seconds()))
	}
	return " after " + span(s.after)
}

// evidence returns what led to it.
func (s *story) evidence() string {
	if s.failures == 0 {
		return "by hand"
	}
	words := plural(s.failures, "failure")
	if s.user != "" {
		words += ", last user " + user(s.user)
	}
	return words
}

// end returns until when. The length in brackets tells it to whoever does not
// live in the daemon's time zone.
func (s *story) end() string {
	if s.until.IsZero() {
		return "until lifted"
	}
	layout := "Jan 2 15:04"
	length := s.until.Sub(s.time)
	if length > 300*24*time.Hour {
		layout = "Jan 2 2006"
	}
	words := "until " + s.until.Local().Format(layout)
	if length <= 0 {
		return words
	}
	return words + " (" + span(length) + ")"
}

// span returns d in at most two units: 2h, 1h30m, 1w, 2d12h.
func span(d time.Duration) string {
	if d < time.Minute {
		return d.Round(time.Second).String()
	}
	d = d.Round(time.Minute)
	type unit struct {
		name string
		size time.Duration
	}
	units := []unit{{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}}
	i := slices.IndexFunc(units, func(u unit) bool { return d >= u.size })
	words := strconv.FormatInt(int64(d/units[i].size), 10) + units[i].name
	if i+1 < len(units) {
		if rest := d % units[i].size / units[i+1].size; rest > 0 {
			words += strconv.FormatInt(int64(rest), 10) + units[i+1].name
		}
	}
	return words
}

func ordinal(n int) string {
	end := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			end = "st"
		case 2:
			end = "nd"
		case 3:
			end = "rd"
		}
	}
	return strconv.Itoa(n) + end
}

func plural(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "s"):
		return fmt.Sprintf("%d %ses", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// list joins names as people do: "a, b and c".
func list(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
