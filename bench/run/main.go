// Command run measures edgeban beside fail2ban, sshguard and ripgrep on the same
// generated logs, after it has checked that edgeban and fail2ban find the same.
//
//	go run ./bench/run
//
// It is called in the root of the repository, on a machine with Debian's packages:
// as root it installs what is missing. Logs and copies lie in a temporary folder.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

// A bench is one measurement, and where its things lie.
type bench struct {
	lines, few int // of a log for edgeban, and for those who are slow
	rounds     int
	out        string

	dir              string // temporary
	edgeban, genlog  string
	folder           string // fail2ban's
	all, three       string // copies of it, with jails for one log
	literals, parser string // a file of them; sshguard's parser
	facts            []fact
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	b := &bench{folder: "/etc/fail2ban"}
	flag.IntVar(&b.lines, "lines", 1_000_000, "of a log")
	flag.IntVar(&b.few, "few", 200_000, "of these, for the check, fail2ban-regex and sshguard")
	flag.IntVar(&b.rounds, "rounds", 5, "of all measurements in turn, each of which has several turns in one unless it is slow; the median counts")
	flag.StringVar(&b.out, "out", "bench/RESULTS.md", "where the figures are written")
	flag.Parse()
	var err error
	if b.dir, err = os.MkdirTemp("", "edgeban-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	for _, step := range []func(context.Context) error{b.peers, b.machine, b.build, b.generate, b.folders, b.check} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	ms := b.measurements()
	if err := b.measure(ctx, ms); err != nil {
		return err
	}
	return b.report(ctx, ms)
}

func (b *bench) build(ctx context.Context) error {
	b.edgeban, b.genlog = filepath.Join(b.dir, "edgeban"), filepath.Join(b.dir, "genlog")
	for out, pkg := range map[string]string{b.edgeban: "./cmd/edgeban", b.genlog: "./bench/genlog"} {
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if _, err := output(cmd); err != nil {
			return err
		}
	}
	return nil
}

// output returns what a command prints, and in an error also why it failed.
func output(cmd *exec.Cmd) (string, error) {
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, stderr.String())
	}
	return string(out), nil
}

// say tells what is being done.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format(time.TimeOnly)+"  "+format+"\n", args...)
}
