package cli

import (
	"fmt"
	"strings"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/filter"
	"github.com/edgeban/edgeban/internal/filter/compat"
	"github.com/edgeban/edgeban/internal/filter/pyre"
)

// checkFilter says what a jail looks for in its logs, with every pattern if asked to.
func (e *env) checkFilter(j config.Jail, every bool) error {
	if j.Rules == nil {
		f, err := filter.Load(j.Filter)
		if err != nil {
			return err
		}
		fmt.Fprintf(e.stdout, "  filter %s: %s\n", j.Filter, clean(f.Description, 200))
		if every {
			fmt.Fprintln(e.stdout, "  every pattern of it is linear; edgeban filter NAME prints those of a built-in filter")
		}
		return nil
	}
	f, err := compat.Compile(*j.Rules)
	if err != nil {
		return err
	}
	all := f.Patterns()
	text := count(len(all), "pattern")
	if n := unguarded(all); n > 0 {
		text += fmt.Sprintf(", %d tried on every line: slower", n)
	}
	fmt.Fprintf(e.stdout, "  filter of fail2ban's: %s\n", text)
	if every {
		for _, p := range all {
			e.pattern(p)
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
func (e *env) pattern(p compat.Pattern) {
	bound := "linear"
	if !p.Linear {
		bound = "bounded: a search that takes too long is given up"
	}
	needs := "needs no literal"
	if len(p.Required) > 0 {
		needs = "needs " + literals(p.Required[0])
	}
	fmt.Fprintf(e.stdout, "  %s %d: %s; %s\n    %s\n", p.Key, p.Index+1, bound, needs, clean(p.Text, 4096))
}

// literals lists texts of which a line must hold one.
func literals(set []pyre.Literal) string {
	var texts []string
	for _, l := range set {
		text := fmt.Sprintf("%q", clean(l.Text, 60))
		if l.Fold {
			text += " in any case"
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, " or ")
}
