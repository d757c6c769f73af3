// Package cli is the commands, a file each. What a person reads goes to stdout;
// errors go to stderr: one line that names the thing, the place and the way out.
// Text from logs is escaped before it reaches a terminal.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/edgeban/edgeban/internal/cli/diagnosis"
	"github.com/edgeban/edgeban/internal/cli/term"
	"github.com/edgeban/edgeban/internal/config"
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
		{"check", "[FILE|DIR]", "say what would run, and every problem", checkConfig},
		{"setup", "opnsense [URL]", "prepare a firewall: an alias, and rules that block it", firewall},
		{"doctor", "", "look at every link from log line to firewall and phone", examine},
		{"demo", "", "show the whole chain with nothing installed", show},
		{"status", "", "the daemon at a glance; exit 1 if it is not healthy", status},
		{"bans", "[JAIL]", "who is banned, by all jails or one, and where held", bans},
		{"why", "ADDRESS", "the story of an address, from line to firewall", why},
		{"ban", "ADDRESS [DURATION]", "ban by hand, for 1h or DURATION (3d, forever)", ban},
		{"unban", "ADDRESS|NETWORK", "lift what contains or lies in it; 0.0.0.0/0: all IPv4", unban},
		{"adopt", "", "take over what targets hold and no ledger knows", adopt},
		{"pin", "URL", "print the pin of a server's certificate", pin},
		{"certs", "export|watch", "hand Traefik's certificates to Postfix and Dovecot", exportCerts},
		{"test", "[FILTER...]", "run the samples of filters; all built-in ones", test},
		{"replay", "JAILS FILE...", "what jails (A,B or --all) would have done with logs", replay},
		{"import", "DIR", "print a folder of fail2ban's as edgeban.yaml", importFolder},
		{"filter", "[NAME]", "print a built-in filter, to read or to copy", printFilter},
		{"version", "", "print the version", version},
	}
}

// env is what a command works with.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	root           string // stands before the system's paths; empty but in tests
	config, socket string
	fail2ban       string // a folder like /etc/fail2ban; empty for what the configuration says
	json           bool
}

// Main runs a command line and returns the exit code: 0, 1 for a failure, 2 for a
// wrong call.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	e := &env{stdin: stdin, stdout: stdout, stderr: stderr}
	return e.main(args)
}

func (e *env) main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal kills, which is safe
	err := e.command(ctx, args)
	switch {
	case err == nil, errors.Is(err, errHelp):
		return 0
	case errors.Is(err, errSaid):
		return 1
	}
	if code, ok := errors.AsType[diagnosis.Exit](err); ok {
		return int(code)
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	e.complain(err)
	if _, ok := errors.AsType[usageError](err); ok {
		return 2
	}
	return 1
}

// complain prints an error. Those of a file are a line each, which begins with
// its place, so that an editor can go there.
func (e *env) complain(err error) {
	lines := strings.Split(err.Error(), "\n")
	_, problems := errors.AsType[config.Problems](err)
	if !problems && len(lines) == 1 {
		lines[0] = "edgeban: " + lines[0]
	}
	for _, l := range lines {
		fmt.Fprintln(e.stderr, term.Clean(l, 4096))
	}
}

// errSaid ends a command that has said on stdout what is wrong.
var errSaid = errors.New("it has been said")

// usageError is a wrong call.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func (e *env) command(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return usagef("write edgeban COMMAND; edgeban help lists them")
	}
	name, rest := args[0], args[1:]
	switch name {
	case "help", "-h", "-help", "--help":
		if len(rest) == 0 {
			e.usage()
			return nil
		}
		name, rest = rest[0], []string{"-h"}
	case "-version", "--version":
		name = "version"
	}
	i := slices.IndexFunc(commands(), func(c command) bool { return c.name == name })
	if i < 0 {
		return usagef("there is no command %s; edgeban help lists them", term.Clean(name, 40))
	}
	return commands()[i].run(ctx, e, rest)
}

func (e *env) usage() {
	fmt.Fprint(e.stdout, "edgeban finds attackers in logs, bans them at the edge firewall, and proves it.\n\nusage: edgeban COMMAND [FLAGS] [ARGUMENTS]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(e.stdout, "  %-22s  %s\n", strings.TrimSpace(c.name+" "+c.args), c.does)
	}
	fmt.Fprint(e.stdout, "\nedgeban help COMMAND shows the flags of a command.\n")
}

// encode writes v as JSON on one line.
func encode(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
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
