// Package diagnosis prints what the doctor found: for people, or as JSON.
package diagnosis

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/cli/term"
	"github.com/edgeban/edgeban/internal/doctor"
)

// An Exit ends a command that has said everything, with a code of its own: 1 where a
// link will hurt one day, 2 where one is broken.
type Exit int

func (e Exit) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// Unreadable is what there is to say where the configuration cannot be read: of the
// rest nothing is known.
func Unreadable(err error) (found []edgeban.Finding) {
	for line := range strings.Lines(err.Error()) {
		place, advice, ok := strings.Cut(strings.TrimSpace(line), "; ")
		if !ok {
			advice = "mend it; edgeban check reads it again"
		}
		found = append(found, edgeban.Finding{Part: "host", Link: "configuration", Grade: edgeban.Broken, Evidence: place, Fix: advice})
	}
	return append(found, edgeban.Finding{Part: "host", Link: "everything else", Grade: edgeban.Untried, Evidence: "the configuration does not say what there is"})
}

// Print tells what was found. Its error is an Exit unless all is well.
func Print(w io.Writer, found []edgeban.Finding, asJSON bool) error {
	worst := doctor.Worst(found)
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		err := enc.Encode(struct {
			Verdict  edgeban.Grade     `json:"verdict"`
			Findings []edgeban.Finding `json:"findings"`
		}{worst, found})
		if err != nil {
			return err
		}
	} else {
		people(w, found)
	}
	switch worst {
	case edgeban.Warning:
		return Exit(1)
	case edgeban.Broken:
		return Exit(2)
	}
	return nil
}

// people prints a block for each part, a line for each link, and below it what to do.
func people(w io.Writer, found []edgeban.Finding) {
	width := 0
	for _, f := range found {
		width = max(width, len(f.Link))
	}
	part, counts := "", map[edgeban.Grade]int{}
	for _, f := range found {
		if f.Part != part {
			part = f.Part
			fmt.Fprintln(w, term.Clean(part, 200))
		}
		counts[f.Grade]++
		word := f.Grade.String()
		if f.Grade > edgeban.Untried {
			word = strings.ToUpper(word)
		}
		hang(w, fmt.Sprintf("  %-9s  %-*s  ", word, width, term.Clean(f.Link, 40)), f.Evidence)
		if f.Fix != "" {
			hang(w, fmt.Sprintf("  %-9s  %*s  ", "", width, "to do:"), f.Fix)
		}
	}
	fmt.Fprintf(w, "\n%d good, %d not tried, %s, %d broken\n", counts[edgeban.Good], counts[edgeban.Untried], term.Count(counts[edgeban.Warning], "warning"), counts[edgeban.Broken])
}

// hang prints text behind a head, broken between words.
func hang(w io.Writer, head, text string) {
	const screen, least = 110, 40
	for _, line := range term.Wrap(term.Clean(text, 2000), max(least, screen-len(head))) {
		fmt.Fprintln(w, strings.TrimRight(head+line, " "))
		head = strings.Repeat(" ", len(head))
	}
}
