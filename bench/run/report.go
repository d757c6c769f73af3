package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A fact is something that the figures are true with.
type fact struct{ what, is string }

func (b *bench) note(what, is string) { b.facts = append(b.facts, fact{what, is}) }

// report prints the figures, and writes them with what they are true with.
func (b *bench) report(ctx context.Context, all []*measurement) error {
	if err := b.stock(ctx); err != nil {
		return err
	}
	var text strings.Builder
	text.WriteString("# Results\n\nWritten by `" + b.command() + "`; [README.md](README.md) says what is measured, and how to repeat it.\n\n")
	text.WriteString("| | |\n|---|---|\n")
	for _, f := range b.facts {
		fmt.Fprintf(&text, "| %s | %s |\n", f.what, f.is)
	}
	text.WriteString("\nThe time is the median, the range is the best and the worst. The ratio is by how much edgeban with three filters on one core is\nfaster (above 1) or slower, in lines a second, on lines of the same kind.\n\n")
	text.WriteString("| | lines that fail | lines | time | lines/s | range | MB/s | peak memory | ratio |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, m := range all {
		ours := all[slices.IndexFunc(all, func(o *measurement) bool { return o.percent == m.percent })]
		mid := m.median()
		long, err := os.Stat(b.log(m.percent, b.lines))
		if err != nil {
			return err
		}
		size := float64(long.Size()) * float64(m.lines) / float64(b.lines)
		fmt.Fprintf(&text, "| %s | %d %% | %d | %.3f s | %s | %s – %s | %.1f | %.1f MB | %.3g |\n", m.what, m.percent, m.lines, mid.Seconds(), rate(m.rate(mid)),
			rate(m.rate(slices.Max(m.took))), rate(m.rate(slices.Min(m.took))), size/1e6/mid.Seconds(), float64(m.peak)*1024/1e6, ours.rate(ours.median())/m.rate(mid))
	}
	for _, p := range percents() {
		one := func(what string) *measurement {
			return all[slices.IndexFunc(all, func(m *measurement) bool { return m.percent == p && m.what == "edgeban, "+what })]
		}
		fmt.Fprintf(&text, "\nWhere %d %% fail, two whole files are read %.2f times as fast on two cores as on one, two of half their length %.2f times, and one %.2f times; two processes with a half each, which share nothing, are %.2f times as fast. These are medians of %d turns, each compared with its own.\n",
			p, one(twice).against(one(onOne)), one(inTwo).against(one(inOne)), one(shared).against(one(alone)), one(apart).against(one(inOne)), b.rounds*turns)
	}
	fmt.Print(text.String())
	return os.WriteFile(b.out, []byte(text.String()), 0o644)
}

func (b *bench) command() string {
	return fmt.Sprintf("go run ./bench/run -lines %d -few %d -rounds %d", b.lines, b.few, b.rounds)
}

// rate words lines a second.
func rate(r float64) string {
	if r >= 1e6 {
		return fmt.Sprintf("%.2f M", r/1e6)
	}
	return fmt.Sprintf("%.1f k", r/1e3)
}

var (
	allJails = regexp.MustCompile(`(?m)^all (\d+) jails: `)
	broken   = regexp.MustCompile(`(?m)^edgeban: jail bench\d+ .*`)
)

// stock notes how many filters are all, and what it costs to read three.
func (b *bench) stock(ctx context.Context) error {
	var left strings.Builder
	cmd := exec.CommandContext(ctx, b.edgeban, "replay", "--all", "--fail2ban", b.all, "/dev/null")
	cmd.Stderr = &left
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, left.String())
	}
	n, err := number(string(out), allJails.String())
	if err != nil {
		return err
	}
	b.note("all stock filters", fmt.Sprintf("%d: those that look at one line and need no parameter", n))
	for _, why := range broken.FindAllString(left.String(), -1) {
		say("left out: %s", why)
	}
	began := time.Now()
	_, err = output(exec.CommandContext(ctx, b.edgeban, "replay", "--fail2ban", b.folder, jails(), "/dev/null"))
	b.note("start of edgeban with the three, not counted below", time.Since(began).Round(time.Millisecond).String())
	return err
}

// machine notes where and of what the figures are.
func (b *bench) machine(ctx context.Context) error {
	first := func(args ...string) string {
		out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
		line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		if err != nil && line == "" {
			return "unknown"
		}
		return line
	}
	grep := func(path, pattern string) string {
		text, err := os.ReadFile(path)
		if m := regexp.MustCompile(pattern).FindSubmatch(text); err == nil && m != nil {
			return string(m[1])
		}
		return "unknown"
	}
	b.note("date", time.Now().UTC().Format("2006-01-02 15:04 UTC"))
	b.note("machine", fmt.Sprintf("%s, %d cores, %s KB; Debian %s, Linux %s", grep("/proc/cpuinfo", `(?m)^model name\s*: (.*)`), runtime.NumCPU(),
		grep("/proc/meminfo", `MemTotal:\s+(\d+)`), first("cat", "/etc/debian_version"), first("uname", "-r")))
	b.note("load before", grep("/proc/loadavg", `^(\S+)`))
	b.note("edgeban", first("git", "describe", "--always", "--dirty")+", "+runtime.Version())
	b.note("fail2ban", first("fail2ban-regex", "--version")+", "+first("python3", "--version"))
	b.note("sshguard", first("dpkg-query", "-W", "-f", "${Version}", "sshguard"))
	b.note("ripgrep", first("rg", "--version"))
	return nil
}
