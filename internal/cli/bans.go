package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/edgeban/edgeban/internal/cli/story"
	"github.com/edgeban/edgeban/internal/cli/term"
	"github.com/edgeban/edgeban/internal/web"
)

func bans(ctx context.Context, e *env, args []string) error {
	c, rest, err := e.client("bans", args, nil)
	if err != nil {
		return err
	}
	if len(rest) > 1 {
		return usagef("bans takes one jail at most; edgeban why ADDRESS tells about an address")
	}
	if len(rest) == 1 {
		if _, err := web.ParsePrefix(rest[0]); err == nil {
			return usagef("bans takes a jail; edgeban why %s tells about an address", term.Clean(rest[0], 60))
		}
	}
	bans, err := c.Bans(ctx)
	if err != nil {
		return err
	}
	if len(rest) == 1 {
		bans = slices.DeleteFunc(bans, func(b web.Ban) bool { return b.Jail != rest[0] })
	}
	if e.json {
		return e.print(bans)
	}
	e.bans(bans, time.Now())
	return nil
}

// bans shows bans on 80 columns.
func (e *env) bans(bans []web.Ban, now time.Time) {
	if len(bans) == 0 {
		fmt.Fprintln(e.stdout, "nobody is banned")
		return
	}
	rows, held := [][]string{{"SUBJECT", "JAIL", "AGE", "LEFT", "HELD BY"}}, 0
	leaking, dropped := 0, uint64(0)
	for _, b := range bans {
		by, all := holders(b)
		if all {
			held++
		}
		if b.Leaking > 0 {
			by += ", leaking"
			leaking++
		}
		n := packets(b)
		if dropped += n; n > 0 {
			by += fmt.Sprintf(", %s dropped", term.Thousands(n))
		}
		rows = append(rows, []string{
			term.Subject(b.Subject), term.Clean(b.Jail, 15), term.Span(max(0, now.Sub(b.Since).Truncate(time.Second))), term.Left(b.Until, now), by,
		})
	}
	term.Columns(e.stdout, "lllll", rows)
	fmt.Fprintf(e.stdout, "%s, %d held", term.Count(len(bans), "ban"), held)
	if dropped > 0 {
		fmt.Fprintf(e.stdout, ", %s dropped", term.Packets(dropped))
	}
	if leaking > 0 {
		fmt.Fprintf(e.stdout, ", %d leaking: edgeban why ADDRESS says why", leaking)
	}
	fmt.Fprintln(e.stdout)
}

// packets is how many packets of a ban's subject were dropped, as far as is counted.
func packets(b web.Ban) (n uint64) {
	for _, h := range b.Held {
		n += h.Packets
	}
	return n
}

// holders says who holds a ban, in the fewest words that are true, and whether all
// do that it was sent to.
func holders(b web.Ban) (text string, all bool) {
	var yes, sent []string
	for _, h := range b.Held {
		switch {
		case !h.Released.IsZero():
		case !h.Held.IsZero():
			yes = append(yes, story.Holder(h))
		case !h.Sent.IsZero():
			sent = append(sent, term.Clean(h.Target, 20))
		}
	}
	switch {
	case len(yes) > 0 && len(sent) > 0:
		return fmt.Sprintf("%d of %d: %s", len(yes), len(yes)+len(sent), strings.Join(yes, ",")), false
	case len(yes) > 0:
		return strings.Join(yes, ","), true
	case len(sent) > 0:
		return "sent to " + strings.Join(sent, ","), false
	case b.Refused != "":
		return "none: " + term.Clean(b.Refused, 200), false
	}
	return "not yet", false
}
