package cli

import (
	"context"
	"flag"

	"github.com/edgeban/edgeban/internal/cli/prepare"
)

// firewall prepares a firewall for bans, with a key that may do more than the daemon's.
func firewall(ctx context.Context, e *env, args []string) error {
	p := prepare.Firewall{Stdin: e.stdin, Stdout: e.stdout, Stderr: e.stderr}
	rest, err := e.parse("setup", args, func(fs *flag.FlagSet) {
		fs.StringVar(&p.KeyFile, "apikey", "", "`FILE` of a temporary, stronger API key; - for standard input; asked for on a terminal unless said")
		fs.StringVar(&p.Pin, "pin", "", "`PIN` of the firewall's certificate, as edgeban pin prints it")
		fs.StringVar(&p.CA, "ca", "", "`FILE` of certificates to trust, in place of a pin")
		fs.StringVar(&p.Alias, "alias", "", "`NAME` of the alias; edgeban unless said")
		fs.StringVar(&p.Interfaces, "interfaces", "wan", "`NAMES` of interfaces to block at, with commas between them; all for one floating rule")
		fs.BoolVar(&p.Out, "out", false, "block what goes to banned addresses as well")
		fs.StringVar(&p.Feed, "feed", "", "`URL` of edgeban's feed, for the firewall to pull as well")
		fs.StringVar(&p.FeedToken, "feed-token", "", "`FILE` of the feed's token")
		fs.BoolVar(&p.TakeOver, "take-over", false, "make an alias of type Host(s) that is there an External one")
		fs.BoolVar(&p.Apply, "apply", false, "put in force what was saved, even if nothing is to be changed")
		fs.BoolVar(&p.Yes, "yes", false, "do what the preview says")
	})
	if err != nil {
		return err
	}
	if len(rest) == 0 || rest[0] != "opnsense" || len(rest) > 2 {
		return usagef("write edgeban setup opnsense https://FIREWALL; of that address and the certificate the configuration is asked where it names one firewall")
	}
	if c, _, err := e.read(); err == nil {
		p.Known = c.Targets
	}
	if len(rest) == 2 {
		p.URL = rest[1]
	}
	done, err := p.Run(ctx)
	if err == nil && !done {
		err = errSaid
	}
	return err
}
