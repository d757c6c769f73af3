// Package cli is the commands, a file each. What a person reads goes to stdout;
// errors go to stderr: one line that names the thing, the place and the way out.
// Text from logs is escaped before it reaches a terminal.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/web"
)

// A command is one thing that edgeban does.
type command struct {
	name string
	args string // as the usage shows them
	does string // one line
	run  func(ctx context.Context, e *env, args []string) error
}

// commands is the order of the usage: what one needs first comes first.
func commands() []command {
	return []command{
		{"run", "", "watch the logs, ban, keep the targets, tell people", run},
		{"check", "", "say what would run, and every problem of the configuration", check},
		{"demo", "", "show the whole chain with nothing installed", demo},
		{"status", "", "the daemon at a glance", status},
		{"bans", "", "who is banned, and where it is held", bans},
		{"why", "ADDRESS", "the story of an address, from the first line to the firewall", why},
		{"ban", "ADDRESS [DURATION]", "ban an address or network by hand", ban},
		{"unban", "ADDRESS", "lift whatever contains or lies in it", unban},
		{"adopt", "", "take over what the targets hold and no ledger knows", adopt},
		{"pin", "URL", "print the pin of a server's certificate", pin},
		{"test", "[FILTER...]", "run the samples of filters", test},
		{"replay", "JAIL FILE...", "what a jail would have done with a log", replay},
		{"version", "", "print the version", version},
	}
}

// env is what a command works with.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	config, socket string
	json           bool
}

// Main runs a command line and returns the exit code: 0, 1 for a failure, 2 for a
// wrong call.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	e := &env{stdin: stdin, stdout: stdout, stderr: stderr}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal kills, which is safe
	err := e.main(ctx, args)
	if err == nil {
		return 0
	}
	if problems, ok := errors.AsType[config.Problems](err); ok {
		for _, p := range problems {
			fmt.Fprintln(stderr, p.Error())
		}
		return 1
	}
	if errors.Is(err, errUsage) {
		return 2
	}
	fmt.Fprintln(stderr, "edgeban:", clean(err.Error(), 4096))
	if _, ok := errors.AsType[usageError](err); ok {
		return 2
	}
	return 1
}

var errUsage = errors.New("usage was printed")

// usageError is a wrong call.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func (e *env) main(ctx context.Context, args []string) error {
	if len(args) == 0 || slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
		e.usage()
		if len(args) == 0 {
			return errUsage
		}
		return nil
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return c.run(ctx, e, args[1:])
		}
	}
	return usagef("there is no command %s; edgeban help lists them", clean(args[0], 40))
}

func (e *env) usage() {
	fmt.Fprint(e.stdout, "edgeban detects attackers in logs, bans them at the edge firewall, and proves it.\n\nusage: edgeban COMMAND [FLAGS] [ARGUMENTS]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(e.stdout, "  %-28s %s\n", strings.TrimSpace(c.name+" "+c.args), c.does)
	}
	fmt.Fprint(e.stdout, "\nedgeban COMMAND -h shows the flags of a command.\n")
}

// parse reads a command's flags and returns the arguments left. Flags may stand
// before and after the arguments.
func (e *env) parse(name string, args []string, more func(*flag.FlagSet)) ([]string, error) {
	fs := flag.NewFlagSet("edgeban "+name, flag.ContinueOnError)
	fs.SetOutput(e.stderr)
	fs.StringVar(&e.config, "config", os.Getenv("EDGEBAN_CONFIG"), "the configuration; "+defaultConfig+" if it is there")
	if more != nil {
		more(fs)
	}
	var rest []string
	for {
		if err := fs.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, errHelp
			}
			return nil, errUsage
		}
		if fs.NArg() == 0 {
			return rest, nil
		}
		rest, args = append(rest, fs.Arg(0)), fs.Args()[1:]
	}
}

// errHelp ends a command whose flags were asked for. It prints nothing more.
var errHelp = fmt.Errorf("help: %w", errUsage)

// client reads the flags of a command that talks to the daemon.
func (e *env) client(name string, args []string, more func(*flag.FlagSet)) (*web.Client, []string, error) {
	rest, err := e.parse(name, args, func(fs *flag.FlagSet) {
		fs.StringVar(&e.socket, "socket", os.Getenv("EDGEBAN_SOCKET"), "the daemon's socket")
		fs.BoolVar(&e.json, "json", false, "print JSON")
		if more != nil {
			more(fs)
		}
	})
	if err != nil {
		return nil, nil, err
	}
	if e.socket == "" {
		e.socket = e.findSocket()
	}
	return web.NewClient(e.socket), rest, nil
}

// findSocket returns where the daemon of the configuration listens. The commands
// may run where the secrets of the configuration cannot be read.
func (e *env) findSocket() string {
	c, err := e.load()
	if err != nil {
		c = config.Default()
		c.Socket = withState(c).Socket
	}
	return c.Socket
}

// line writes v as JSON on one line.
func (e *env) line(v any) error {
	enc := json.NewEncoder(e.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// print writes v as JSON.
func (e *env) print(v any) error {
	enc := json.NewEncoder(e.stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
