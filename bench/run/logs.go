package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// percents is how many lines of 100 fail in the logs.
func percents() []int { return []int{10, 1} }

func (b *bench) log(percent, lines int) string {
	return filepath.Join(b.dir, fmt.Sprintf("%d-%d.log", percent, lines))
}

// half is one of two logs that are together as long as one.
func (b *bench) half(percent, nth int) string {
	return filepath.Join(b.dir, fmt.Sprintf("%d-half%d.log", percent, nth))
}

// second is another log as long as the long one.
func (b *bench) second(percent int) string {
	return filepath.Join(b.dir, fmt.Sprintf("%d-second.log", percent))
}

// generate writes the logs. The short ones are the beginning of the long ones.
func (b *bench) generate(ctx context.Context) error {
	for _, p := range percents() {
		say("writing logs in which %d %% of the lines fail", p)
		for _, l := range []struct {
			path        string
			lines, seed int
		}{
			{b.log(p, b.lines), b.lines, 1},
			{b.log(p, b.few), b.few, 1},
			{b.half(p, 1), b.lines / 2, 2},
			{b.half(p, 2), b.lines - b.lines/2, 3},
			{b.second(p), b.lines, 4},
		} {
			if err := b.write(ctx, l.path, p, l.lines, l.seed); err != nil {
				return err
			}
		}
	}
	return nil
}

// write writes a log, and beside it which services' lines fail how often.
func (b *bench) write(ctx context.Context, path string, percent, lines, seed int) error {
	text, err := os.Create(path)
	if err != nil {
		return err
	}
	defer text.Close()
	truth, err := os.Create(path + ".truth")
	if err != nil {
		return err
	}
	defer truth.Close()
	cmd := exec.CommandContext(ctx, b.genlog, "-lines", strconv.Itoa(lines), "-percent", strconv.Itoa(percent), "-seed", strconv.Itoa(seed))
	cmd.Stdout, cmd.Stderr = text, truth
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("genlog: %w", err)
	}
	return errors.Join(text.Close(), truth.Close())
}

// check compares how many lines fail for each of the three filters: as they were
// written, as edgeban counts them and as fail2ban does. There is no difference that
// is known and allowed. (Where a process ID comes again soon, fail2ban takes two
// connections to sshd for one, and a login for a failure; genlog's come late.)
func (b *bench) check(ctx context.Context) error {
	for _, p := range percents() {
		path := b.log(p, b.few)
		say("comparing what is found in %d lines, of which %d %% fail", b.few, p)
		want, err := written(path + ".truth")
		if err != nil {
			return err
		}
		ours, err := b.ours(ctx, path)
		if err != nil {
			return err
		}
		theirs := map[string]int{}
		for _, f := range filters() {
			out, err := output(exec.CommandContext(ctx, "fail2ban-regex", "-c", b.folder, path, f))
			if err != nil {
				return err
			}
			if theirs[f], err = number(out, `(?m)^Lines: .*, (\d+) matched`); err != nil {
				return fmt.Errorf("fail2ban-regex %s: %w", f, err)
			}
		}
		if !maps.Equal(ours, want) || !maps.Equal(theirs, want) {
			return fmt.Errorf("of %d lines %v were written to fail, edgeban finds %v, fail2ban %v", b.few, want, ours, theirs)
		}
		b.note(fmt.Sprintf("failing lines found by edgeban and by fail2ban, %d %%", p),
			fmt.Sprintf("the same %d of %d (sshd %d, postfix %d, dovecot %d)", sum(want), b.few, want[filters()[0]], want[filters()[1]], want[filters()[2]]))
	}
	return nil
}

func sum(of map[string]int) (n int) {
	for _, v := range of {
		n += v
	}
	return n
}

// written returns how many lines were written to fail, by filter.
func written(path string) (map[string]int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	all := map[string]int{}
	for _, f := range filters() {
		service, _, _ := strings.Cut(f, "[")
		if all[f], err = number(string(text), `(?m)^`+service+` (\d+)$`); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return all, nil
}

// ours returns how many failures edgeban counts, by filter.
func (b *bench) ours(ctx context.Context, path string) (map[string]int, error) {
	out, err := output(exec.CommandContext(ctx, b.edgeban, "replay", "--fail2ban", b.folder, jails(), path))
	if err != nil {
		return nil, err
	}
	all := map[string]int{}
	for i, f := range filters() {
		name := strings.Split(jails(), ",")[i]
		if all[f], err = number(out, `(?m)^`+regexp.QuoteMeta(name)+`: .*\n +\d+ lines?, (\d+) failure`); err != nil {
			return nil, fmt.Errorf("edgeban replay %s: %w", name, err)
		}
	}
	return all, nil
}

// jails names the three filters for edgeban: with brackets, also empty ones, the
// filter of the folder is meant, whatever jails there are.
func jails() string {
	var names []string
	for _, f := range filters() {
		if !strings.HasSuffix(f, "]") {
			f += "[]"
		}
		names = append(names, f)
	}
	return strings.Join(names, ",")
}

// number returns the one that a pattern finds.
func number(text, pattern string) (int, error) {
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("nothing matches %s in %q", pattern, text[:min(len(text), 400)])
	}
	return strconv.Atoi(m[1])
}
