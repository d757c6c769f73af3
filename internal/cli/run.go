package cli

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"reflect"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"syscall"
	"time"

	"github.com/edgeban/edgeban/internal/cli/term"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/daemon"
)

func run(ctx context.Context, e *env, args []string) error {
	var level slog.Level
	var format string
	rest, err := e.parse("run", args, func(fs *flag.FlagSet) {
		fs.TextVar(&level, "log-level", slog.LevelInfo, "`LEVEL`: debug, info, warn or error")
		fs.StringVar(&format, "log-format", "text", "`FORMAT`: text or json")
	})
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usagef("run takes no arguments, got %s; --config names the configuration", term.Clean(rest[0], 40))
	}
	log, err := e.logger(format, level)
	if err != nil {
		return err
	}
	said, notes, err := e.read()
	e.complainOf(said, notes)
	if err != nil {
		return err
	}
	c := e.fill(said)
	if len(c.Jails) == 0 {
		return e.nothing(said)
	}
	e.introduce(said, c)
	ctx, end := context.WithCancel(ctx)
	defer end()
	collect(percent) // the start has much to throw away
	go frugal(ctx)
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	return daemon.Run(ctx, daemon.Options{
		Config: c, Log: log, Version: versionText(), Stdin: e.stdin, Reload: hup,
		Load: func() (config.Config, error) {
			c, notes, err := e.load()
			logNotes(log, c, notes)
			return c, err
		},
	})
}

func (e *env) logger(format string, level slog.Level) (*slog.Logger, error) {
	o := &slog.HandlerOptions{Level: level}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(e.stderr, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(e.stderr, o)), nil
	}
	return nil, usagef("there is no log format %s; write text or json", term.Clean(format, 40))
}

// nothing says why there is nothing to watch, and what to write.
func (e *env) nothing(said config.Config) error {
	const example = "jails: {sshd: {logpath: /var/log/auth.log}}"
	switch {
	case said.Jails != nil:
		return fmt.Errorf("%s has no jail; write one, such as %s", said.Path, example)
	case said.Path != "":
		return fmt.Errorf("%s names no jail, and uid %d may read no well-known log; write %s", said.Path, os.Getuid(), example)
	}
	return fmt.Errorf("no configuration (%s), and uid %d may read no well-known log; write one with %s", defaultConfig, os.Getuid(), example)
}

// introduce says what is done that nobody said.
func (e *env) introduce(said, c config.Config) {
	if said.Fail2ban != "" {
		if reflect.DeepEqual(c.Targets, config.Default().Targets) {
			fmt.Fprintf(e.stderr, "edgeban: no action of %s names a firewall that edgeban knows: nothing is enforced yet, the bans are served at http://%s/bans.txt\n", said.Fail2ban, config.DefaultFeed)
		}
		return
	}
	if said.Path == "" {
		fmt.Fprintf(e.stderr, "edgeban: no configuration (%s), so:\n", defaultConfig)
	} else if said.Jails == nil {
		fmt.Fprintf(e.stderr, "edgeban: %s names no jails, so:\n", said.Path)
	}
	if said.Jails == nil {
		for _, j := range c.Jails {
			fmt.Fprintf(e.stderr, "  watching %s for %s\n", strings.Join(j.LogPath, " and "), j.Name)
		}
	}
	if said.Path == "" {
		fmt.Fprintf(e.stderr, "  serving the bans at http://%s/bans.txt\n", config.DefaultFeed)
		fmt.Fprintln(e.stderr, "  nothing is enforced yet: name a firewall in targets:, or let one pull the list")
	}
}

func version(_ context.Context, e *env, args []string) error {
	rest, err := e.parse("version", args, nil)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usagef("version takes no arguments")
	}
	_, err = fmt.Fprintln(e.stdout, "edgeban", versionText())
	return err
}

// release is set by the linker.
var release string

func versionText() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				return "devel " + s.Value[:12]
			}
		}
	}
	return "devel"
}

// With more than much bytes in use memory comes before cycles, and may grow by percent:
// most of what is remembered then has no pointers, and is not scanned.
const (
	much    = 32 << 20
	percent = 30
)

// frugal lets memory double, until ctx is done, as long as little is in use: to collect
// it every few milliseconds would keep whoever asks waiting.
func frugal(ctx context.Context) {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	for last := percent; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		metrics.Read(live)
		now := 100
		if live[0].Value.Uint64() > much {
			now = percent
		}
		if now != last { // for it stops everything
			collect(now)
			last = now
		}
	}
}

// collect sets by how many percent memory may grow before it is collected, unless the
// user has.
func collect(growth int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(growth)
	}
}
