package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/edgeban/edgeban/internal/web"
)

// parse reads a command's flags and returns the arguments left. Flags may stand
// before and after the arguments.
func (e *env) parse(name string, args []string, more func(*flag.FlagSet)) ([]string, error) {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&e.config, "config", os.Getenv("EDGEBAN_CONFIG"), "`FILE` in place of "+defaultConfig+" (EDGEBAN_CONFIG)")
	fs.StringVar(&e.fail2ban, "fail2ban", os.Getenv("EDGEBAN_FAIL2BAN"), "`DIR` like /etc/fail2ban, to run as well (EDGEBAN_FAIL2BAN)")
	if more != nil {
		more(fs)
	}
	var rest []string
	for {
		if err := fs.Parse(args); errors.Is(err, flag.ErrHelp) {
			e.help(fs)
			return nil, errHelp
		} else if err != nil {
			return nil, usagef("%w; edgeban help %s lists the flags", err, name)
		}
		if fs.NArg() == 0 {
			return rest, nil
		}
		rest, args = append(rest, fs.Arg(0)), fs.Args()[1:]
	}
}

// errHelp ends a command whose flags were asked for.
var errHelp = errors.New("help was asked for")

func (e *env) help(fs *flag.FlagSet) {
	i := slices.IndexFunc(commands(), func(c command) bool { return c.name == fs.Name() })
	c := commands()[i]
	fmt.Fprintf(e.stdout, "%s\n\nusage: %s\n\n", c.does, strings.TrimSpace("edgeban "+c.name+" [FLAGS] "+c.args))
	fs.VisitAll(func(f *flag.Flag) {
		value, text := flag.UnquoteUsage(f)
		fmt.Fprintf(e.stdout, "  %-18s %s\n", strings.TrimSpace("--"+f.Name+" "+value), text)
	})
}

// client reads the flags of a command that talks to the daemon.
func (e *env) client(name string, args []string, more func(*flag.FlagSet)) (*web.Client, []string, error) {
	rest, err := e.parse(name, args, func(fs *flag.FlagSet) {
		fs.StringVar(&e.socket, "socket", os.Getenv("EDGEBAN_SOCKET"), "`FILE` of the daemon's socket (EDGEBAN_SOCKET)")
		fs.BoolVar(&e.json, "json", false, "print JSON")
		if more != nil {
			more(fs)
		}
	})
	if err != nil {
		return nil, nil, err
	}
	if e.socket == "" {
		if e.socket, err = e.findSocket(); err != nil {
			return nil, nil, err
		}
	}
	return web.NewClient(e.socket), rest, nil
}
