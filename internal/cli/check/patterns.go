package check

import (
	"fmt"
	"strings"

	"github.com/edgeban/edgeban/internal/cli/term"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/filter"
	"github.com/edgeban/edgeban/internal/filter/compat"
	"github.com/edgeban/edgeban/internal/filter/pyre"
	"github.com/edgeban/edgeban/internal/filter/scan"
)

// legend says what the words behind each pattern mean.
const legend = "patterns: a linear one takes time in proportion to the line; a bounded one is given up where it takes too long; only lines that hold what it needs are looked at; one that is tried on every line is slow, for its own jail"

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
	if n := open(all); n > 0 {
		text += fmt.Sprintf(", %d tried on every line%s", n, advice(*j.Rules))
	}
	s.line("  filter of fail2ban's: %s", text)
	if patterns {
		for _, p := range all {
			s.pattern(p)
		}
	}
	return nil
}

// open counts the failregexes that are tried on every line.
func open(all []compat.Pattern) (n int) {
	for _, p := range all {
		if p.Open {
			n++
		}
	}
	return n
}

// advice says what makes the patterns of a jail see every line.
func advice(r config.Rules) string {
	switch {
	case r.MaxLines > 1:
		return ", which maxlines asks for"
	case r.LogEncoding != "" && !strings.EqualFold(r.LogEncoding, "auto") && !strings.HasPrefix(strings.ToLower(r.LogEncoding), "utf"):
		return ", which is read in " + r.LogEncoding
	}
	return fmt.Sprintf(": add %d letters or more that such a line always has", scan.Least)
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
	if p.Open {
		needs += "; tried on every line"
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
