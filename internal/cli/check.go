package cli

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/never"
)

func check(ctx context.Context, e *env, args []string) error {
	var every bool
	rest, err := e.parse("check", args, func(fs *flag.FlagSet) {
		fs.BoolVar(&every, "patterns", false, "show every pattern of fail2ban's filters, and what a search for it costs")
	})
	if err != nil {
		return err
	}
	switch len(rest) {
	case 0:
	case 1:
		e.config = rest[0]
	default:
		return usagef("check takes one configuration at most")
	}
	said, notes, err := e.read()
	if err != nil {
		e.checkNotes(notes)
		return err
	}
	c := e.fill(said)
	if len(c.Jails) == 0 {
		return e.nothing(said)
	}
	if c.Path == "" {
		fmt.Fprintf(e.stdout, "no configuration (%s): the well-known logs are watched\n", defaultConfig)
	}
	problems := 0
	for _, j := range c.Jails {
		problems += e.checkJail(ctx, c, j, every)
	}
	for _, t := range c.Targets {
		e.checkTarget(t)
	}
	for _, n := range c.Notify {
		fmt.Fprintf(e.stdout, "notify %s\n  topic %s of %s is told of: %s\n", n.Name, n.Ntfy.Topic, n.Ntfy.URL, strings.Join(n.On, ", "))
	}
	problems += e.checkNotes(notes)
	e.warn(ctx, c)
	if problems > 0 {
		return fmt.Errorf("%s above", count(problems, "PROBLEM"))
	}
	fmt.Fprintf(e.stdout, "good: %s, %s\n", count(len(c.Jails), "jail"), count(len(c.Targets), "target"))
	return nil
}

// checkJail says what a jail would do, and returns how many things stop it.
func (e *env) checkJail(ctx context.Context, c config.Config, j config.Jail, every bool) (problems int) {
	noun := "failure"
	if len(j.LogPath) == 0 {
		noun = "ban"
	}
	span := "for " + config.FormatDuration(j.BanTime)
	if j.BanTime == config.Forever {
		span = "for ever"
	}
	fmt.Fprintf(e.stdout, "jail %s\n  %s in %s: banned %s%s\n", j.Name, count(j.MaxRetry, noun), config.FormatDuration(j.FindTime), span, growth(j))
	problem := func(text string) {
		problems++
		fmt.Fprintf(e.stdout, "  PROBLEM: %s\n", clean(text, 2000))
	}
	if len(j.LogPath) == 0 {
		fmt.Fprintln(e.stdout, "  reads the bans of the other jails")
	} else if err := e.checkFilter(j, every); err != nil {
		for _, line := range strings.Split(err.Error(), "\n") {
			problem(line)
		}
	}
	for _, glob := range j.LogPath {
		e.checkLog(glob, problem)
	}
	ignore := never.NewIgnore(j.IgnoreIP, nil)
	ignore.Find(ctx)
	for _, p := range ignore.Problems() {
		problem(p)
	}
	targets := j.Targets
	if len(targets) == 0 {
		for _, t := range c.Targets {
			targets = append(targets, t.Name)
		}
	}
	fmt.Fprintf(e.stdout, "  bans go to %s\n", strings.Join(targets, ", "))
	return problems
}

func growth(j config.Jail) string {
	most := j.Increment.MaxTime
	switch {
	case !j.Increment.Enabled, j.BanTime == config.Forever, most > 0 && most <= j.BanTime:
		return ""
	case most > 0:
		return ", longer each time up to " + config.FormatDuration(most)
	}
	return ", longer each time"
}

// checkLog says which files a logpath names now.
func (e *env) checkLog(glob string, problem func(string)) {
	if glob == config.Stdin {
		fmt.Fprintln(e.stdout, "  log: the standard input")
		return
	}
	paths, err := filepath.Glob(glob)
	if err != nil || len(paths) == 0 {
		if err := reachable(glob); err != nil {
			problem(fmt.Sprintf("log %s: %v", glob, err))
			return
		}
		fmt.Fprintf(e.stdout, "  log %s: no file matches yet; it is read as soon as there is one\n", clean(glob, 400))
		return
	}
	slices.Sort(paths)
	for _, p := range paths {
		n, err := size(p)
		if err != nil {
			problem(fmt.Sprintf("log %s: %v", p, err))
			continue
		}
		fmt.Fprintf(e.stdout, "  log %s: %s\n", clean(p, 400), volume(n))
	}
}

func (e *env) checkTarget(t config.Target) {
	switch {
	case t.OPNsense != nil:
		trust := "its certificate is verified"
		switch {
		case t.OPNsense.Pin != "":
			trust = "its certificate is pinned"
		case t.OPNsense.Insecure:
			trust = "whoever answers there is trusted"
		}
		fmt.Fprintf(e.stdout, "target %s\n  alias %s of %s, %s\n", t.Name, t.OPNsense.Alias, t.OPNsense.URL, trust)
	case t.Feed != nil:
		fmt.Fprintf(e.stdout, "target %s\n  a list at http://%s/bans.txt\n", t.Name, t.Feed.Listen)
	}
}

// warn says what is allowed, and may hurt.
func (e *env) warn(ctx context.Context, c config.Config) {
	f := &never.Finder{Never: c.Never, Hosts: c.Hosts()}
	list := f.Find(ctx)
	for _, p := range f.Problems() {
		fmt.Fprintf(e.stdout, "warning: %s\n", clean(p, 400))
	}
	owner, wall, phone := "never:", "in targets:", "notify:"
	if c.Fail2ban != "" {
		owner, wall, phone = "ignoreip, or to never: of edgeban.yaml", "by banaction = opnsense[...] or by targets: of edgeban.yaml", "ntfy[...] to action, or notify: to edgeban.yaml"
	}
	exposed := func(j config.Jail) bool { return !never.NewIgnore(j.IgnoreIP, nil).Find(ctx).ProtectsOutside() }
	if !list.ProtectsOutside() && slices.ContainsFunc(c.Jails, exposed) {
		fmt.Fprintf(e.stdout, "warning: the address you come from when away from home can be banned; add it, or its dyndns name, to %s\n", owner)
	}
	if !slices.ContainsFunc(c.Targets, func(t config.Target) bool { return t.OPNsense != nil }) {
		fmt.Fprintf(e.stdout, "warning: no firewall is named %s: bans hold only where something pulls the list\n", wall)
	}
	if len(c.Notify) == 0 {
		fmt.Fprintf(e.stdout, "warning: nobody is told of bans and troubles; add %s for that\n", phone)
	}
}
