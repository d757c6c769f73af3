package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// filters are the three that are measured beside the others.
func filters() []string { return []string{"sshd", "postfix[mode=auth]", "dovecot"} }

// folders makes two copies of fail2ban's folder, with jails that read one log: of
// the three filters, and of all that are stock.
func (b *bench) folders(ctx context.Context) error {
	stock, err := singleLine(b.folder)
	if err != nil {
		return err
	}
	b.three, b.all = filepath.Join(b.dir, "three"), filepath.Join(b.dir, "all")
	if err := b.folderOf(b.three, filters()); err != nil {
		return err
	}
	if err := b.folderOf(b.all, stock); err != nil {
		return err
	}
	say("%d stock filters of one line", len(stock))
	return b.needs(ctx)
}

var (
	hasFailregex = regexp.MustCompile(`(?m)^failregex\s*=`)
	hasMaxlines  = regexp.MustCompile(`(?m)^maxlines\s*=\s*([2-9]|1\d)`)
)

// singleLine returns the filters of a folder that find something, each in one line.
// Whether one needs a parameter only shows when it is read.
func singleLine(folder string) (names []string, err error) {
	paths, err := filepath.Glob(filepath.Join(folder, "filter.d", "*.conf"))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if hasFailregex.Match(text) && !hasMaxlines.Match(text) {
			names = append(names, strings.TrimSuffix(filepath.Base(path), ".conf"))
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("%s has no filters", folder)
	}
	return names, nil
}

// folderOf makes a copy of the folder with these jails alone. Their names are new:
// they get nothing from the jails that the folder has.
func (b *bench) folderOf(dir string, filters []string) error {
	if err := os.CopyFS(dir, os.DirFS(b.folder)); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(dir, "jail.d")); err != nil {
		return err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "[DEFAULT]\nbackend = auto\nlogpath = %s\n", b.log(10, b.lines))
	for i, f := range filters {
		fmt.Fprintf(&text, "[bench%d]\nenabled = true\nfilter = %s\n", i, f)
	}
	return os.WriteFile(filepath.Join(dir, "jail.local"), []byte(text.String()), 0o644)
}

var (
	needLine = regexp.MustCompile(`(?m)^  failregex \d+: .*; needs (.*)$`)
	quoted   = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
)

// needs writes the literals that the three filters need into a file, for ripgrep:
// whoever is to find their lines has to look for these at least.
func (b *bench) needs(ctx context.Context) error {
	out, err := output(exec.CommandContext(ctx, b.edgeban, "check", "--patterns", "--fail2ban", b.three))
	if err != nil {
		return err
	}
	var lits []string
	for _, m := range needLine.FindAllStringSubmatch(out, -1) {
		for _, q := range quoted.FindAllString(m[1], -1) {
			lit, err := strconv.Unquote(q)
			if err != nil {
				return fmt.Errorf("%s: %w", q, err)
			}
			lits = append(lits, strings.TrimSuffix(lit, "…"))
		}
	}
	slices.Sort(lits)
	lits = slices.Compact(lits)
	if len(lits) == 0 {
		return errors.New("edgeban check --patterns names no literals")
	}
	b.literals = filepath.Join(b.dir, "literals")
	b.note("literals for ripgrep", strconv.Itoa(len(lits)))
	return os.WriteFile(b.literals, []byte(strings.Join(lits, "\n")+"\n"), 0o644)
}
