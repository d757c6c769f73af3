package check

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/edgeban/edgeban/internal/cli/term"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/never"
)

// A section is what there is to say of a jail.
type section struct {
	lines    []string
	problems []string // what stops it, each once
}

func (s *section) line(format string, args ...any) {
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

func (s *section) problem(text string) {
	if !slices.Contains(s.problems, text) {
		s.problems = append(s.problems, text)
	}
}

// section says what a jail would do, and what stops it.
func (r *report) section(ctx context.Context, j config.Jail, patterns bool) (s section) {
	noun := "failure"
	if j.OverBans() {
		noun = "ban"
	}
	span := "for " + config.FormatDuration(j.BanTime)
	if j.BanTime == config.Forever {
		span = "for ever"
	}
	s.line("jail %s", j.Name)
	s.line("  %s in %s: banned %s%s", term.Count(j.MaxRetry, noun), config.FormatDuration(j.FindTime), span, growth(j))
	if j.OverBans() {
		s.line("  reads the bans of the other jails")
	} else if err := s.filter(j, patterns); err != nil {
		for _, text := range strings.Split(err.Error(), "\n") {
			s.problem(text)
		}
	}
	for _, source := range j.Source {
		s.line("  reads %s", source)
	}
	for _, glob := range j.LogPath {
		s.log(glob)
	}
	for _, from := range j.Source {
		s.line("  source: %s", from)
	}
	ignore := never.NewIgnore(j.IgnoreIP, nil)
	ignore.Find(ctx)
	for _, text := range ignore.Problems() {
		s.problem(text)
	}
	targets := j.Targets
	if len(targets) == 0 {
		for _, t := range r.c.Targets {
			targets = append(targets, t.Name)
		}
	}
	s.line("  bans go to %s", strings.Join(targets, ", "))
	return s
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

// log says which files a logpath names now.
func (s *section) log(glob string) {
	if glob == config.Stdin {
		s.line("  log: the standard input")
		return
	}
	paths, err := filepath.Glob(glob)
	if err != nil || len(paths) == 0 {
		if err := reachable(glob); err != nil {
			s.problem(fmt.Sprintf("log %s: %v", glob, err))
			return
		}
		s.line("  log %s: no file matches yet; it is read as soon as there is one", glob)
		return
	}
	slices.Sort(paths)
	for _, p := range paths {
		n, err := Size(p)
		if err != nil {
			s.problem(fmt.Sprintf("log %s: %v", p, err))
			continue
		}
		s.line("  log %s: %s", p, term.Volume(n))
	}
}
