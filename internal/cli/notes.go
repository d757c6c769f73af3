package cli

import (
	"fmt"
	"log/slog"

	"github.com/edgeban/edgeban/internal/fail2ban"
)

// complainOf says what may hurt in fail2ban's files, and how much more there is to know.
func (e *env) complainOf(notes []fail2ban.Note) {
	more := 0
	for _, n := range notes {
		if n.Level == fail2ban.Info {
			more++
			continue
		}
		fmt.Fprintln(e.stderr, clean(n.String(), 4096))
	}
	if more > 0 {
		fmt.Fprintf(e.stderr, "edgeban: %s more about fail2ban's files; edgeban check tells all\n", count(more, "note"))
	}
}

// logNotes is complainOf for a reload.
func logNotes(log *slog.Logger, notes []fail2ban.Note) {
	for _, n := range notes {
		switch n.Level {
		case fail2ban.Broken:
			log.Error("fail2ban's files", "note", n.String())
		case fail2ban.Warning:
			log.Warn("fail2ban's files", "note", n.String())
		}
	}
}

// checkNotes says everything about fail2ban's files, and returns how many things
// stop a jail.
func (e *env) checkNotes(notes []fail2ban.Note) (problems int) {
	for _, n := range notes {
		word := "note"
		switch n.Level {
		case fail2ban.Broken:
			word = "PROBLEM"
			problems++
		case fail2ban.Warning:
			word = "warning"
		}
		fmt.Fprintf(e.stdout, "%s: %s\n", word, clean(n.String(), 4096))
	}
	return problems
}
