package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/edgeban/edgeban/internal/certs"
	"github.com/edgeban/edgeban/internal/cli/certflag"
	"github.com/edgeban/edgeban/internal/cli/term"
)

func exportCerts(ctx context.Context, e *env, args []string) error {
	var flags certflag.Flags
	var format string
	rest, err := e.parse("certs", args, func(fs *flag.FlagSet) {
		flags.Add(fs)
		fs.StringVar(&format, "log-format", "text", "`FORMAT`: text or json")
	})
	if err != nil {
		return err
	}
	if len(rest) != 1 || rest[0] != "export" && rest[0] != "watch" {
		return usagef("write edgeban certs export (once) or edgeban certs watch (for ever), with --acme FILE and --to DIR")
	}
	log, err := e.logger(format, slog.LevelInfo)
	if err != nil {
		return err
	}
	o, err := flags.Options(log)
	if err != nil {
		return usageError{err}
	}
	if flags.Notify && rest[0] == "export" {
		return usagef("--notify is for edgeban certs watch, which tells once a day")
	}
	if flags.Notify {
		c, err := e.files().YAML()
		if err != nil {
			return err
		}
		if o.Tell = certflag.Teller(c.Notify); o.Tell == nil {
			return errors.New("--notify: the configuration has no notifier that tells troubles; write notify: [{ntfy: {topic: …}}]")
		}
	}
	if rest[0] == "watch" {
		return certs.Watch(ctx, o)
	}
	results, err := certs.Export(ctx, o)
	for _, r := range results {
		done := "unchanged"
		if r.Changed {
			done = "written"
		}
		fmt.Fprintf(e.stdout, "%s: %s, of resolver %s, for %s, until %s\n", term.Clean(r.Name, 200), done, term.Clean(r.Resolver, 40),
			term.Clean(strings.Join(r.Domains, " "), 400), r.Expires.UTC().Format(time.DateOnly))
	}
	return err
}
