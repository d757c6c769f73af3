package cli

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/web"
)

func ban(ctx context.Context, e *env, args []string) error {
	var reason string
	c, rest, err := e.client("ban", args, func(fs *flag.FlagSet) {
		fs.StringVar(&reason, "reason", "", "words for those who ask why")
	})
	if err != nil {
		return err
	}
	if len(rest) < 1 || len(rest) > 2 {
		return usagef("write edgeban ban ADDRESS [DURATION], as in edgeban ban 203.0.113.9 1d")
	}
	r := web.BanRequest{For: time.Hour, Reason: reason}
	if r.Subject, err = web.ParsePrefix(rest[0]); err != nil {
		return usageError{err}
	}
	if len(rest) == 2 {
		if r.For, err = config.ParseDuration(rest[1]); err != nil {
			return usageError{err}
		}
	}
	res, err := c.Ban(ctx, r)
	if err != nil {
		return err
	}
	if e.json {
		return e.print(res)
	}
	fmt.Fprintf(e.stdout, "banned %s for %s\n", subject(res.Ban.Subject), left(res.Ban.Until, res.Ban.Since))
	if res.Ban.Refused != "" {
		fmt.Fprintf(e.stdout, "but no target gets it: %s\n", clean(res.Ban.Refused, 300))
	}
	return nil
}

func unban(ctx context.Context, e *env, args []string) error {
	c, rest, err := e.client("unban", args, nil)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usagef("write edgeban unban ADDRESS, as in edgeban unban 203.0.113.9")
	}
	p, err := web.ParsePrefix(rest[0])
	if err != nil {
		return usageError{err}
	}
	res, err := c.Unban(ctx, p)
	if err != nil {
		return err
	}
	if e.json {
		return e.print(res)
	}
	if len(res.Lifted) == 0 {
		return fmt.Errorf("%s is not banned; edgeban bans lists who is, and an entry that somebody else made in the firewall must be removed there", subject(p))
	}
	for _, b := range res.Lifted {
		fmt.Fprintf(e.stdout, "lifted %s in %s\n", subject(b.Subject), clean(b.Jail, 40))
	}
	return nil
}

func adopt(ctx context.Context, e *env, args []string) error {
	c, rest, err := e.client("adopt", args, nil)
	if err != nil {
		return err
	}
	if len(rest) != 0 {
		return usagef("adopt takes no arguments")
	}
	res, err := c.Adopt(ctx)
	if err != nil {
		return err
	}
	if e.json {
		return e.print(res)
	}
	for _, t := range slices.Sorted(maps.Keys(res.Adopted)) {
		fmt.Fprintf(e.stdout, "%s: %d entries are ours now\n", clean(t, 40), res.Adopted[t])
	}
	if res.Found {
		fmt.Fprintln(e.stdout, "the ledger no longer counts as lost: bans that end are removed again")
	}
	return nil
}

func bans(ctx context.Context, e *env, args []string) error {
	c, rest, err := e.client("bans", args, nil)
	if err != nil {
		return err
	}
	if len(rest) != 0 {
		return usagef("bans takes no arguments; edgeban why ADDRESS tells about one")
	}
	bans, err := c.Bans(ctx)
	if err != nil {
		return err
	}
	if e.json {
		return e.print(bans)
	}
	if len(bans) == 0 {
		fmt.Fprintln(e.stdout, "nobody is banned")
		return nil
	}
	e.table(bans, time.Now())
	return nil
}

// table shows bans on 80 columns.
func (e *env) table(bans []web.Ban, now time.Time) {
	row := func(cols ...any) {
		line := fmt.Sprintf("%-26s %-11s %-12s %-9s %5s  %s", cols...)
		fmt.Fprintln(e.stdout, strings.TrimRight(line, " "))
	}
	row("SUBJECT", "JAIL", "SINCE", "LEFT", "FAILS", "HELD")
	for _, b := range bans {
		row(subject(b.Subject), clean(b.Jail, 10), clock(b.Since, now), left(b.Until, now), fmt.Sprint(b.Failures), clean(proof(b), 60))
	}
	held := 0
	for _, b := range bans {
		if strings.HasPrefix(proof(b), "yes") {
			held++
		}
	}
	fmt.Fprintf(e.stdout, "%s, %d held\n", count(len(bans), "ban"), held)
}

// proof says whether a ban is held, in the fewest words that are true.
func proof(b web.Ban) string {
	var yes, sent []string
	for _, h := range b.Held {
		switch {
		case !h.Released.IsZero():
		case !h.Held.IsZero():
			yes = append(yes, h.Target)
		case !h.Sent.IsZero():
			sent = append(sent, h.Target)
		}
	}
	switch {
	case len(yes) > 0 && len(sent) > 0:
		return "part: not " + strings.Join(sent, ",")
	case len(yes) > 0:
		return "yes: " + strings.Join(yes, ",")
	case len(sent) > 0:
		return "sent: " + strings.Join(sent, ",")
	case b.Refused != "":
		return "no: " + b.Refused
	}
	return "not yet"
}
