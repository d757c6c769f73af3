package check

import (
	"fmt"
	"strings"

	"github.com/edgeban/edgeban/internal/cli/term"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/filter"
	"github.com/edgeban/edgeban/internal/filter/compat"
	"github.com/edgeban/edgeban/internal/filter/pyre"
)

// legend says what the words behind each pattern mean.
const legend = "patterns: a linear one takes time in proportion to the line; a bounded one is given up where it takes too long; only lines that hold what it needs are searched"

// filter says what a jail looks for in its logs, with every pattern if asked to.
func (s *section) filter(j config.Jail, patterns bool) error {
	if j.Rules == nil {
		f, err := filter.Load(j.Filter)
		if err != nil {
			return err
		}
		s.line("  filter %s: %s", j.Filter, f.Description)
		if patterns {
			s.line("  every pattern of it is linear; edgeban filter NAME prints those of a built-in filter")
		}
		return nil
	}
	f, err := compat.Compile(*j.Rules)
	if err != nil {
		return err
	}
	all := f.Patterns()
	text := term.Count(len(all), "pattern")
	if n := unguarded(all); n > 0 && patterns {
		text += fmt.Sprintf(", %d tried on every line: slower", n)
	}
	s.line("  filter of fail2ban's: %s", text)
	if patterns {
		for _, p := range all {
			s.pattern(p)
		}
	}
	return nil
}

// unguarded counts the patterns that every line is searched for.
func unguarded(all []compat.Pattern) (n int) {
	for _, p := range all {
		switch {
		case p.Key == "prefregex" && len(p.Required) > 0:
			return 0 // no other is tried on a line that it does not match
		case p.Key == "prefregex":
			return 1
		case p.Key == "failregex" && len(p.Required) == 0:
			n++
		}
	}
	return n
}

// pattern says how a pattern is searched, and in which lines.
func (s *section) pattern(p compat.Pattern) {
	bound := "linear"
	if !p.Linear {
		bound = "bounded"
	}
	needs := "needs no literal"
	if len(p.Required) > 0 {
		needs = "needs " + literals(p.Required[0])
	}
	s.line("  %s %d: %s; %s", p.Key, p.Index+1, bound, needs)
	s.line("    %s", p.Text)
}

// literals lists texts of which a line must hold one.
func literals(set []pyre.Literal) string {
	var texts []string
	for _, l := range set {
		text := fmt.Sprintf("%q", term.Clean(l.Text, 60))
		if l.Fold {
			text += " in any case"
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, " or ")
}
