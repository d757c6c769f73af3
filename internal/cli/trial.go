package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/edgeban/edgeban/internal/cli/setup"
	"github.com/edgeban/edgeban/internal/cli/term"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/fail2ban"
	"github.com/edgeban/edgeban/internal/filter"
	"github.com/edgeban/edgeban/internal/intake"
	"github.com/edgeban/edgeban/internal/never"
)

// trials is what is replayed.
type trials struct {
	*intake.Replay
	by map[string]string // which filter each jail has
}

// prepare finds the jails in the configuration, or makes them of filters. Without
// names it takes all that read logs.
func (e *env) prepare(ctx context.Context, names []string) (trials, error) {
	c, _, err := e.load()
	t := trials{&intake.Replay{Forget: c.Forget, Now: time.Now()}, map[string]string{}}
	if names == nil {
		if err != nil {
			return t, err
		}
		if names = e.running(c); names == nil {
			return t, errors.New("no jail reads a log; write its name, as in edgeban replay sshd /var/log/auth.log")
		}
	}
	for _, name := range names {
		if _, twice := t.by[name]; twice {
			return t, usagef("jail %s is named twice", term.Clean(name, 80))
		}
		j, by, err := e.jail(c, name, err)
		if err != nil {
			return t, err
		}
		t.by[name] = by
		t.Trials = append(t.Trials, &intake.Trial{Jail: j, Ignore: never.NewIgnore(j.IgnoreIP, nil).Find(ctx)})
	}
	t.Never = (&never.Finder{Never: c.Never, Hosts: c.Hosts()}).Find(ctx)
	return t, nil
}

// running returns the jails that the configuration runs and that read logs, and
// says which of them are broken.
func (e *env) running(c config.Config) (names []string) {
	for _, b := range c.Broken {
		e.complain(errors.New(idle(c, b.Jail)))
	}
	for _, j := range c.Jails {
		if !j.OverBans() {
			names = append(names, j.Name)
		}
	}
	return names
}

// split parts names at their commas, but not at those of parameters.
func split(names string) (all []string) {
	depth := 0
	return strings.FieldsFunc(names, func(r rune) bool {
		switch r {
		case '[':
			depth++
		case ']':
			depth--
		}
		return r == ',' && depth == 0
	})
}

// jail finds a jail in the configuration, or makes one of a filter: never one for
// a jail that the configuration has and that does not run. What is wrong with the
// configuration matters only to those that need it.
func (e *env) jail(c config.Config, name string, wrong error) (j config.Jail, by string, err error) {
	if c.Fail2ban != "" && strings.HasSuffix(name, "]") {
		return tryFilter(c, name)
	}
	if why := idle(c, name); why != "" {
		return j, "", errors.New(why)
	}
	if wrong != nil {
		return j, "", wrong
	}
	i := slices.IndexFunc(c.Jails, func(j config.Jail) bool { return j.Name == name })
	switch {
	case i >= 0:
		j = c.Jails[i]
	case slices.Contains(filter.Builtin(), name), strings.HasSuffix(name, ".yaml"), strings.HasSuffix(name, ".yml"), strings.Contains(name, "/"):
		j = config.NewJail(name)
		j.LogPath = []string{config.Stdin}
	default:
		return j, "", usagef("there is neither a jail nor a built-in filter called %s; built in are %s", term.Clean(name, 40), strings.Join(filter.Builtin(), ", "))
	}
	if j.OverBans() {
		return j, "", usagef("jail %s reads no log but the bans of the others", term.Clean(name, 40))
	}
	return j, source(c, j), nil
}

// tryFilter makes a jail of a filter of fail2ban's folder that no jail has to use,
// such as sshd[mode=aggressive]. It counts as one of which nothing else is said.
func tryFilter(c config.Config, name string) (j config.Jail, by string, err error) {
	rules, err := fail2ban.NamedFilter(c.Fail2ban, name)
	if err != nil {
		return j, "", fmt.Errorf("filter %s of %s: %w", term.Clean(name, 80), c.Fail2ban, err)
	}
	j = config.NewJail(name)
	j.Filter, j.Rules, j.LogPath, j.Count, j.IPv6Prefix = "", &rules, []string{config.Stdin}, config.Rate, 128
	j.Increment.Enabled = false
	return j, fmt.Sprintf("fail2ban's %s, as %s has it, %s", term.Clean(name, 80), c.Fail2ban, patterns(rules)), nil
}

// idle says why a jail that the configuration has does not run, or returns "".
func idle(c config.Config, name string) string {
	if slices.ContainsFunc(c.Jails, func(j config.Jail) bool { return j.Name == name }) {
		return ""
	}
	for _, b := range c.Broken {
		if b.Jail == name {
			return fmt.Sprintf("jail %s of %s is broken: %s", name, c.Fail2ban, b.Why)
		}
	}
	if c.Fail2ban == "" {
		return ""
	}
	if place := setup.Disabled(c.Fail2ban, name); place != "" {
		return fmt.Sprintf("jail %s of %s is not enabled (%s)", name, c.Fail2ban, place)
	}
	return ""
}

// source says which filter a jail is replayed with.
func source(c config.Config, j config.Jail) string {
	switch {
	case j.Rules != nil && c.Fail2ban != "":
		return fmt.Sprintf("fail2ban's, as %s has it for jail %s, %s", c.Fail2ban, j.Name, patterns(*j.Rules))
	case j.Rules != nil:
		return fmt.Sprintf("the failregex of jail %s, %s", j.Name, patterns(*j.Rules))
	case slices.Contains(filter.Builtin(), j.Filter):
		return j.Filter + ", built in"
	}
	return j.Filter
}

// patterns says how many there are.
func patterns(r config.Rules) string {
	n := len(r.FailRegex) + len(r.IgnoreRegex)
	if r.PrefRegex != "" {
		n++
	}
	return term.Count(n, "pattern")
}
