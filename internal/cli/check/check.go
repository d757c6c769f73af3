// Package check says what a configuration would run, and every problem of it. It
// starts nothing, and changes nothing.
package check

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/edgeban/edgeban/internal/cli/term"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/fail2ban"
	"github.com/edgeban/edgeban/internal/never"
)

// Options say what is checked, and how much is told.
type Options struct {
	Config   config.Config   // with all that is found where nobody said
	Notes    []fail2ban.Note // about fail2ban's files
	Patterns bool            // tell every pattern of fail2ban's filters as well
}

// Print tells people what would run. The error counts what does not.
func Print(ctx context.Context, w io.Writer, o Options) error {
	r := &report{w: w, c: o.Config}
	if o.Patterns {
		r.line("%s", legend)
	}
	r.jails(ctx, o.Patterns)
	r.broken(o.Notes)
	for _, s := range r.c.Sources {
		r.source(s)
	}
	for _, t := range r.c.Targets {
		r.target(t)
	}
	for _, n := range r.c.Notify {
		r.line("notify %s", n.Name)
		r.line("  topic %s of %s is told of: %s", n.Ntfy.Topic, n.Ntfy.URL, strings.Join(n.On, ", "))
	}
	r.notes(o.Notes)
	r.warn(ctx)
	if err := r.verdict(); err != nil {
		return err
	}
	r.line("good: %s, %s", term.Count(len(r.c.Jails), "jail"), term.Count(len(r.c.Targets), "target"))
	return nil
}

// Notes tells what there is to say about fail2ban's files, where nothing would run.
func Notes(w io.Writer, notes []fail2ban.Note) { (&report{w: w}).notes(notes) }

// A report is what is being told.
type report struct {
	w        io.Writer
	c        config.Config
	problems int
}

// line tells a line; text of the configuration in it is shown, and not obeyed.
func (r *report) line(format string, args ...any) {
	fmt.Fprintln(r.w, term.Clean(fmt.Sprintf(format, args...), 4096))
}

func (r *report) problem(format string, args ...any) {
	r.problems++
	r.line(format, args...)
}

// verdict counts what does not run, and what stops the rest.
func (r *report) verdict() error {
	var wrong []string
	switch n := len(r.c.Broken); {
	case n == 1:
		wrong = append(wrong, "1 jail does not run")
	case n > 1:
		wrong = append(wrong, fmt.Sprintf("%d jails do not run", n))
	}
	if r.problems > 0 {
		wrong = append(wrong, term.Count(r.problems, "PROBLEM")+" above")
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("%s", strings.Join(wrong, ", "))
}

// jails tells of each jail. A problem that several have is told once, with their names.
func (r *report) jails(ctx context.Context, patterns bool) {
	var sections []section
	whose, shared := map[string][]string{}, []string{}
	for _, j := range r.c.Jails {
		s := r.section(ctx, j, patterns)
		sections = append(sections, s)
		for _, text := range s.problems {
			if whose[text] = append(whose[text], j.Name); len(whose[text]) == 2 {
				shared = append(shared, text)
			}
		}
	}
	for _, s := range sections {
		for _, l := range s.lines {
			r.line("%s", l)
		}
		for _, text := range s.problems {
			if len(whose[text]) == 1 {
				r.problem("  PROBLEM: %s", text)
			}
		}
	}
	for _, text := range shared {
		r.problem("PROBLEM: jail %s: %s", strings.Join(whose[text], ", "), text)
	}
}

// broken tells of the jails that are enabled and cannot run. Those that cannot for
// the same reasons are told together.
func (r *report) broken(notes []fail2ban.Note) {
	jails := map[string][]string{}
	for _, b := range r.c.Broken {
		jails[b.Why] = append(jails[b.Why], b.Jail)
	}
	for _, b := range r.c.Broken {
		if names := jails[b.Why]; names[0] == b.Jail {
			r.line("jail %s", strings.Join(names, ", "))
			for _, why := range reasons(b, notes) {
				r.line("  DOES NOT RUN: %s", why)
			}
		}
	}
}

// reasons returns why a jail cannot run, each by itself where the notes tell them apart.
func reasons(b config.Broken, notes []fail2ban.Note) (all []string) {
	for _, n := range notes {
		if n.Level == fail2ban.Broken && slices.Contains(strings.Split(n.Jail, ", "), b.Jail) {
			n.Jail = ""
			all = append(all, n.String())
		}
	}
	if len(all) == 0 {
		return []string{b.Why}
	}
	return all
}

// notes says everything about fail2ban's files that is not said of a jail.
func (r *report) notes(notes []fail2ban.Note) {
	for _, n := range notes {
		switch n.Level {
		case fail2ban.Broken: // told by broken
		case fail2ban.Problem:
			r.problem("PROBLEM: %s", n)
		case fail2ban.Warning:
			r.line("warning: %s", n)
		default:
			r.line("note: %s", n)
		}
	}
}

func (r *report) target(t config.Target) {
	r.line("target %s", t.Name)
	switch {
	case t.OPNsense != nil:
		trust := "its certificate is verified"
		switch {
		case t.OPNsense.Pin != "":
			trust = "its certificate is pinned"
		case t.OPNsense.Insecure:
			trust = "whoever answers there is trusted"
		}
		r.line("  alias %s of %s, %s", t.OPNsense.Alias, t.OPNsense.URL, trust)
	case t.Feed != nil:
		r.line("  a list at http://%s/bans.txt", t.Feed.Listen)
	case t.Traefik != nil:
		at := t.Traefik.File
		if at == "" {
			at = "served at " + t.Traefik.Listen
		}
		r.line("  routers of Traefik, %s", at)
	case t.Dovecot != nil:
		r.line("  Dovecot asks at %s", t.Dovecot.Listen)
	case t.Postfix != nil:
		r.line("  Postfix asks at %s", t.Postfix.Listen)
	}
}

// warn says what is allowed, and may hurt.
func (r *report) warn(ctx context.Context) {
	f := &never.Finder{Never: r.c.Never, Hosts: r.c.Hosts()}
	list := f.Find(ctx)
	for _, p := range f.Problems() {
		r.line("warning: %s", p)
	}
	owner, wall, phone := "never:", "in targets:", "notify:"
	if r.c.Fail2ban != "" {
		owner, wall, phone = "ignoreip, or to never: of edgeban.yaml", "by banaction = opnsense[...] or by targets: of edgeban.yaml", "ntfy[...] to action, or notify: to edgeban.yaml"
	}
	exposed := func(j config.Jail) bool { return !never.NewIgnore(j.IgnoreIP, nil).Find(ctx).ProtectsOutside() }
	if !list.ProtectsOutside() && slices.ContainsFunc(r.c.Jails, exposed) {
		r.line("warning: the address you come from when away from home can be banned; add it, or its dyndns name, to %s", owner)
	}
	if !slices.ContainsFunc(r.c.Targets, func(t config.Target) bool { return t.Feed == nil }) {
		r.line("warning: no firewall is named %s: bans hold only where something pulls the list", wall)
	}
	if len(r.c.Notify) == 0 {
		r.line("warning: nobody is told of bans and troubles; add %s for that", phone)
	}
}
