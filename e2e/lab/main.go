// Command lab attacks a mail server in a small internet of network namespaces, and
// holds edgeban to what it promises:
//
//	attackers ── edge (nftables, a fake OPNsense) ── LAN ── mail host ── Traefik, Postfix, Dovecot, edgeban, a fake ntfy
//
// Everything but the firewall's API and the ntfy server is the real program, with
// the very files that deploy/mail mounts. It needs root, Debian's packages and a
// built Traefik and Pebble (.ci/e2e sees to all of that), prints a table, and fails if a verdict
// does.
//
// It runs in namespaces of its own, processes included: whatever happens, nothing of
// it stays.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/edgeban/edgeban/e2e/lab/netns"
	"github.com/edgeban/edgeban/e2e/lab/stage"
)

// settings are the flags.
type settings struct {
	stage.Settings
	only  *regexp.Regexp
	limit time.Duration
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == netns.InitWord {
		fatal(netns.Become())
	}
	s, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fatal(err)
	}
	if os.Getpid() != 1 {
		os.Exit(apart(s.Out))
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.limit)
	defer cancel()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s); err != nil {
		fatal(err)
	}
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "lab:", err)
	os.Exit(1)
}

func parse(args []string) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("lab", flag.ContinueOnError)
	flags.StringVar(&s.Edgeban, "edgeban", "../../edgeban", "the built edgeban")
	flags.StringVar(&s.Traefik, "traefik", "traefik", "the built Traefik")
	flags.StringVar(&s.Pebble, "pebble", "pebble", "the built Pebble")
	flags.StringVar(&s.Deploy, "deploy", "../../deploy/mail", "the folder whose configuration is used")
	flags.StringVar(&s.Out, "out", filepath.Join(os.TempDir(), "edgeban-lab"), "the folder for logs")
	flags.BoolVar(&s.Latency, "latency", false, "the firewall answers as slowly as real ones were recorded to")
	flags.DurationVar(&s.limit, "limit", 30*time.Minute, "how long it may take")
	flags.StringVar(&s.Docker, "docker", "", "run the project with Docker, whose engine's data, images included, is in this `folder`")
	flags.StringVar(&s.Compose, "compose", "docker-compose", "the Compose to use with Docker")
	only := flags.String("run", "", "the scenarios whose name matches this regular expression")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	var err error
	if s.only, err = regexp.Compile(*only); err != nil {
		return s, err
	}
	for _, path := range []*string{&s.Edgeban, &s.Traefik, &s.Pebble, &s.Deploy, &s.Out} {
		if *path, err = filepath.Abs(*path); err != nil {
			return s, err
		}
	}
	return s, errors.Join(executable(s.Edgeban), executable(s.Traefik), executable(s.Pebble), tools(s.Docker != ""))
}

func executable(path string) error {
	_, err := exec.LookPath(path)
	return err
}

// tools names what is missing: nothing is skipped.
func tools(docker bool) error {
	names := []string{"ip", "nft", "openssl", "postfix", "dovecot", "setpriv", "nsenter"}
	if docker {
		names = []string{"ip", "nft", "openssl", "dockerd", "docker", "docker-compose"}
	}
	var errs []error
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// apart runs this command again as the first process of namespaces of its own: when
// it ends, the kernel ends whatever it started.
func apart(out string) int {
	if err := errors.Join(os.RemoveAll(out), os.MkdirAll(out, 0o755)); err != nil {
		fatal(err)
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	stops := make(chan os.Signal, 1)
	signal.Notify(stops, os.Interrupt, syscall.SIGTERM)
	if err := cmd.Start(); err != nil {
		fatal(err)
	}
	go func() {
		for sig := range stops {
			_ = cmd.Process.Signal(sig) // it may have ended
		}
	}()
	_ = cmd.Wait() // the exit code says it
	return cmd.ProcessState.ExitCode()
}

func run(ctx context.Context, s settings) error {
	began := time.Now()
	on, err := stage.Build(ctx, s.Settings)
	if err != nil {
		return err
	}
	fmt.Printf("the lab is up after %.1f s; logs are in %s\n\n", time.Since(began).Seconds(), s.Out)
	results := (&Lab{on}).playAll(ctx, s.only)
	if err := on.KeepMessages(); err != nil {
		return err
	}
	return report(os.Stdout, results, time.Since(began))
}
