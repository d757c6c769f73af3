package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/filter"
	"github.com/edgeban/edgeban/internal/never"
)

func check(ctx context.Context, e *env, args []string) error {
	rest, err := e.parse("check", args, nil)
	if err != nil {
		return err
	}
	if len(rest) == 1 && e.config == "" {
		e.config = rest[0]
	} else if len(rest) > 0 {
		return usagef("check takes one configuration at most")
	}
	c, err := e.load()
	if err != nil {
		return err
	}
	if c.Path == "" {
		fmt.Fprintf(e.stdout, "no configuration (%s): what every system has is watched\n", defaultConfig)
	}
	wrong := 0
	for _, j := range c.Jails {
		if !e.checkJail(c, j) {
			wrong++
		}
	}
	for _, t := range c.Targets {
		e.checkTarget(t)
	}
	for _, n := range c.Notify {
		fmt.Fprintf(e.stdout, "notify %s\n  %s of %s tells %s\n", n.Name, n.Ntfy.Topic, n.Ntfy.URL, strings.Join(n.On, ", "))
	}
	e.warn(ctx, c)
	if wrong > 0 {
		return fmt.Errorf("%s cannot run", count(wrong, "jail"))
	}
	return nil
}

// checkJail says what a jail would do, and whether it can.
func (e *env) checkJail(c config.Config, j config.Jail) bool {
	fmt.Fprintf(e.stdout, "jail %s\n  %s in %s ban for %s%s\n", j.Name, count(j.MaxRetry, failureWord(j)), config.FormatDuration(j.FindTime),
		config.FormatDuration(j.BanTime), growth(j.Increment))
	if len(j.LogPath) == 0 {
		fmt.Fprintln(e.stdout, "  reads the bans of the other jails")
	} else {
		f, err := filter.Load(j.Filter)
		if err != nil {
			fmt.Fprintf(e.stdout, "  PROBLEM: %s\n", clean(err.Error(), 2000))
			return false
		}
		fmt.Fprintf(e.stdout, "  filter %s: %s\n", j.Filter, clean(f.Description, 200))
		for _, p := range j.LogPath {
			e.checkPath(p)
		}
	}
	targets := j.Targets
	if len(targets) == 0 {
		for _, t := range c.Targets {
			targets = append(targets, t.Name)
		}
	}
	fmt.Fprintf(e.stdout, "  bans go to %s\n", strings.Join(targets, ", "))
	return true
}

func failureWord(j config.Jail) string {
	if len(j.LogPath) == 0 {
		return "ban"
	}
	return "failure"
}

func growth(i config.Increment) string {
	if !i.Enabled {
		return ""
	}
	s := ", longer each time"
	if i.MaxTime > 0 {
		s += " up to " + config.FormatDuration(i.MaxTime)
	}
	return s
}

func (e *env) checkPath(glob string) {
	if glob == config.Stdin {
		fmt.Fprintln(e.stdout, "  log: the standard input")
		return
	}
	paths, err := filepath.Glob(glob)
	if err != nil || len(paths) == 0 {
		fmt.Fprintf(e.stdout, "  log %s: no file matches now; it is watched for\n", clean(glob, 400))
		return
	}
	slices.Sort(paths)
	for _, p := range paths {
		f, err := os.Open(p)
		if err != nil {
			fmt.Fprintf(e.stdout, "  log %s: cannot be read by uid %d: add its group (group_add in compose, --group-add in docker)\n", clean(p, 400), os.Getuid())
			continue
		}
		size := int64(0)
		if info, err := f.Stat(); err == nil {
			size = info.Size()
		}
		f.Close()
		fmt.Fprintf(e.stdout, "  log %s: %.1f MB\n", clean(p, 400), float64(size)/1e6)
	}
}

func (e *env) checkTarget(t config.Target) {
	switch {
	case t.OPNsense != nil:
		trust := "its certificate is verified"
		if t.OPNsense.Pin != "" {
			trust = "its certificate is pinned"
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
	if !list.ProtectsOutside() {
		fmt.Fprintln(e.stdout, "warning: nothing protects the address you come from when away from home: add it, or its dyndns name, to never:")
	}
	if !slices.ContainsFunc(c.Targets, func(t config.Target) bool { return t.OPNsense != nil }) {
		fmt.Fprintln(e.stdout, "warning: no firewall is named in targets: bans hold only where something pulls the list")
	}
	if len(c.Notify) == 0 {
		fmt.Fprintln(e.stdout, "note: nobody is told; add notify: for that")
	}
}
