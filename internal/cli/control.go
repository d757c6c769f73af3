package cli

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/edgeban/edgeban/internal/cli/term"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/web"
)

func ban(ctx context.Context, e *env, args []string) error {
	var reason string
	args = slices.Clone(args)
	for i, a := range args {
		if a == "-1" { // a duration, as in the configuration, and not a flag
			args[i] = "forever"
		}
	}
	c, rest, err := e.client("ban", args, func(fs *flag.FlagSet) {
		fs.StringVar(&reason, "reason", "", "`WORDS` for those who ask why")
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
		if r.For == 0 {
			return usagef("%s is no time at all; write 1h, or forever", term.Clean(rest[1], 40))
		}
	}
	res, err := c.Ban(ctx, r)
	if err != nil {
		return err
	}
	if e.json {
		return e.print(res)
	}
	fmt.Fprintf(e.stdout, "banned %s %s\n", term.Subject(res.Ban.Subject), lasting(r.For))
	if res.Ban.Refused != "" {
		fmt.Fprintf(e.stdout, "no target gets it: %s\n", term.Clean(res.Ban.Refused, 300))
		return nil
	}
	return e.await(ctx, c, res.Ban)
}

func lasting(d time.Duration) string {
	if d == config.Forever {
		return "for ever"
	}
	return "for " + config.FormatDuration(d)
}

// await waits a moment for the proof of a ban: a command that says no more than
// that it has asked leaves its user to ask again.
func (e *env) await(ctx context.Context, c *web.Client, b web.Ban) error {
	const patience = 3 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for wait := 50 * time.Millisecond; ; wait *= 2 {
		select {
		case <-ctx.Done():
			fmt.Fprintf(e.stdout, "not held yet; edgeban why %s tells when it is, and edgeban status what is in the way\n", term.Subject(b.Subject))
			return nil
		case <-time.After(wait):
		}
		bans, err := c.Bans(ctx)
		if err != nil {
			continue // the ban stands; ctx ends this
		}
		i := slices.IndexFunc(bans, func(x web.Ban) bool { return x.Subject == b.Subject && x.Jail == b.Jail })
		if i < 0 {
			return fmt.Errorf("%s was lifted at once by somebody else", term.Subject(b.Subject))
		}
		if by, all := holders(bans[i]); all {
			fmt.Fprintf(e.stdout, "held by %s\n", by)
			return nil
		}
	}
}

func unban(ctx context.Context, e *env, args []string) error {
	c, rest, err := e.client("unban", args, nil)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usagef("write edgeban unban ADDRESS or NETWORK, as in edgeban unban 203.0.113.9, or 0.0.0.0/0 for all of IPv4")
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
		err = e.print(res)
	} else {
		for _, b := range res.Lifted {
			fmt.Fprintf(e.stdout, "lifted %s in %s\n", term.Subject(b.Subject), term.Clean(b.Jail, 40))
		}
	}
	if err == nil && len(res.Lifted) == 0 {
		return fmt.Errorf("%s is not banned; edgeban bans lists who is, and what somebody else put into the firewall is removed there", term.Subject(p))
	}
	return err
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
		what := "nothing to take over"
		if n := res.Adopted[t]; n > 0 {
			what = term.Count(n, "ban") + " taken over"
		}
		fmt.Fprintf(e.stdout, "%s: %s\n", term.Clean(t, 40), what)
	}
	if res.Found {
		fmt.Fprintln(e.stdout, "the ledger no longer counts as lost: bans that end are removed again")
	}
	return nil
}
