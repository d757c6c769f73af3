package cli

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/daemon"
)

func run(ctx context.Context, e *env, args []string) error {
	var level slog.Level
	var format string
	rest, err := e.parse("run", args, func(fs *flag.FlagSet) {
		fs.TextVar(&level, "log-level", slog.LevelInfo, "debug, info, warn or error")
		fs.StringVar(&format, "log-format", "text", "text or json")
	})
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usagef("run takes no arguments, got %s", clean(rest[0], 40))
	}
	log, err := e.logger(format, level)
	if err != nil {
		return err
	}
	c, err := e.load()
	if err != nil {
		return err
	}
	if c.Path == "" {
		e.introduce(c)
	}
	if len(c.Jails) == 0 {
		return fmt.Errorf("there is nothing to watch: no configuration at %s and no well-known log that uid %d may read; name a log in a jail (edgeban help)", defaultConfig, os.Getuid())
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	return daemon.Run(ctx, daemon.Options{
		Config: c, Log: log, Version: versionText(), Stdin: e.stdin, Reload: hup, Load: e.load,
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
	return nil, usagef("there is no log format %s; write text or json", clean(format, 40))
}

// introduce says what is done where nothing was configured.
func (e *env) introduce(c config.Config) {
	fmt.Fprintf(e.stderr, "edgeban: no configuration (%s), so:\n", defaultConfig)
	for _, j := range c.Jails {
		fmt.Fprintf(e.stderr, "  watching %v for %s\n", j.LogPath, j.Name)
	}
	for _, t := range c.Targets {
		if t.Feed != nil {
			fmt.Fprintf(e.stderr, "  serving the bans at http://%s/bans.txt\n", t.Feed.Listen)
		}
	}
	fmt.Fprintln(e.stderr, "  nothing is enforced yet: name a firewall in targets:, or let one pull the list")
}

func version(_ context.Context, e *env, _ []string) error {
	_, err := fmt.Fprintln(e.stdout, "edgeban", versionText())
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
