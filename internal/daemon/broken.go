package daemon

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/edgeban/edgeban/internal/config"
)

// lost says which jails run now and could not with c, and why, or returns "". Who
// writes a mistake into a jail does not mean to stop it.
func (g *generation) lost(c config.Config) string {
	var texts []string
	for _, b := range c.Broken {
		if slices.ContainsFunc(g.c.Jails, func(j config.Jail) bool { return j.Name == b.Jail }) {
			texts = append(texts, "jail "+b.Jail+" would stop: "+b.Why)
		}
	}
	switch len(texts) {
	case 0, 1:
		return strings.Join(texts, "")
	}
	return fmt.Sprintf("%s (and %d jails more: edgeban check tells all)", texts[0], len(texts)-1)
}

// aboutBroken is what the trouble with a jail that cannot run is about.
func aboutBroken(b config.Broken) string { return "broken " + b.Jail }

func brokenText(b config.Broken) string { return "jail " + b.Jail + " does not run: " + b.Why }

// tellBroken tells of the jails that are enabled and cannot run. That lasts as long
// as the generation does.
func (g *generation) tellBroken(ctx context.Context) {
	for _, b := range g.c.Broken {
		g.trouble(ctx, aboutBroken(b), brokenText(b))
	}
}

// knowBroken takes over which of these jails people were told of before.
func (g *generation) knowBroken(earlier *generation) {
	for _, b := range g.c.Broken {
		earlier.mu.Lock()
		_, told := earlier.troubles[aboutBroken(b)]
		earlier.mu.Unlock()
		if told {
			g.mu.Lock()
			g.troubles[aboutBroken(b)] = brokenText(b)
			g.mu.Unlock()
		}
	}
}
