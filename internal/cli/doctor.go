package cli

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"os"
	"time"

	"github.com/edgeban/edgeban/internal/cli/diagnosis"
	"github.com/edgeban/edgeban/internal/cli/prepare"
	"github.com/edgeban/edgeban/internal/cli/setup"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/doctor"
	"github.com/edgeban/edgeban/internal/doctor/mail"
	"github.com/edgeban/edgeban/internal/web"
)

// examine looks at every link of the chain, whether or not the daemon runs.
func examine(ctx context.Context, e *env, args []string) error {
	var notify bool
	var apikey, host string
	rest, err := e.parse("doctor", args, func(fs *flag.FlagSet) {
		fs.StringVar(&e.socket, "socket", os.Getenv("EDGEBAN_SOCKET"), "`FILE` of the daemon's socket (EDGEBAN_SOCKET)")
		fs.BoolVar(&e.json, "json", false, "print JSON")
		fs.BoolVar(&notify, "notify", false, "send a test message by each notifier")
		fs.StringVar(&host, "mail", "", "`HOST` of a mail server: fail to log in there, and see whether the log shows who we are")
		fs.StringVar(&apikey, "apikey", "", "`FILE` of the key of edgeban setup: it may read the firewall's rules; - for standard input")
	})
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usagef("doctor takes no arguments; --config names the configuration")
	}
	var key, secret config.Secret
	if apikey != "" {
		if key, secret, err = prepare.ReadKey(apikey, e.stdin); err != nil {
			return err
		}
	}
	c, _, err := e.read()
	if err != nil && !errors.Is(err, setup.ErrAllBroken) {
		return diagnosis.Print(e.stdout, diagnosis.Unreadable(err), e.json)
	}
	c = e.fill(c)
	daemon := web.NewClient(cmp.Or(e.socket, c.Socket))
	found := doctor.Examine(ctx, doctor.Options{Config: c, Parts: doctor.Parts(c, key, secret), Notify: notify, Daemon: daemon.Status, Now: time.Now()})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if host != "" {
		found = append(found, mail.Check(ctx, mail.Options{Host: host, Jails: c.Jails, Wait: 5 * time.Second})...)
	}
	return diagnosis.Print(e.stdout, found, e.json)
}
