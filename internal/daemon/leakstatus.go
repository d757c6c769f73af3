package daemon

import (
	"fmt"
	"time"

	"github.com/edgeban/edgeban/internal/leak"
	"github.com/edgeban/edgeban/internal/web"
)

// leaking returns the leaks that go on.
func (l *leaks) leaking(now time.Time) []leak.Leak {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.detector.Leaking(now)
}

func (g *generation) describeLeak(k leak.Leak) web.Leak {
	return web.Leak{
		Subject: k.Entry, Targets: g.named(k.At), Since: k.Since, Lines: k.Count(), Last: k.Last,
		Cause: string(k.Cause), Why: k.Why,
	}
}

// leakTroubles says of each cause in one sentence who leaks for it.
func leakTroubles(all []web.Leak) (texts []string) {
	type cause struct{ name, targets string }
	others := map[cause]int{}
	var first []web.Leak
	for _, k := range all { // the last line first
		c := cause{k.Cause, list(k.Targets)}
		if others[c]++; others[c] == 1 {
			first = append(first, k)
		}
	}
	for _, k := range first {
		targets := list(k.Targets)
		text := "leaking: " + subject(k.Subject)
		if n := others[cause{k.Cause, targets}] - 1; n > 0 {
			text += fmt.Sprintf(" and %d more", n)
		}
		text += fmt.Sprintf(": %d lines since it is held by %s", k.Lines, targets)
		if k.Why != "" {
			text += ". " + k.Why
		}
		texts = append(texts, text)
	}
	return texts
}
