package cli

import (
	"fmt"
	"log/slog"

	"github.com/edgeban/edgeban/internal/cli/term"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/fail2ban"
)

// complainOf says which jails do not run, what may hurt in fail2ban's files, and
// how much more there is to know.
func (e *env) complainOf(c config.Config, notes []fail2ban.Note) {
	for _, b := range c.Broken {
		fmt.Fprintln(e.stderr, term.Clean("jail "+b.Jail+" DOES NOT RUN: "+b.Why, 4096))
	}
	more := 0
	for _, n := range notes {
		switch n.Level {
		case fail2ban.Broken: // told already
		case fail2ban.Info:
			more++
		case fail2ban.Problem:
			fmt.Fprintln(e.stderr, term.Clean("PROBLEM: "+n.String(), 4096))
		default:
			fmt.Fprintln(e.stderr, term.Clean(n.String(), 4096))
		}
	}
	if more > 0 {
		fmt.Fprintf(e.stderr, "edgeban: %s more about fail2ban's files; edgeban check tells all\n", term.Count(more, "note"))
	}
}

// logNotes is complainOf for a reload.
func logNotes(log *slog.Logger, c config.Config, notes []fail2ban.Note) {
	for _, b := range c.Broken {
		log.Error("jail does not run", "jail", b.Jail, "why", b.Why)
	}
	for _, n := range notes {
		switch n.Level {
		case fail2ban.Problem:
			log.Error("fail2ban's files", "note", n.String())
		case fail2ban.Warning:
			log.Warn("fail2ban's files", "note", n.String())
		}
	}
}
