package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// peers finds those whom edgeban is compared with, and installs what is missing.
func (b *bench) peers(ctx context.Context) error {
	if b.found() == nil {
		return nil
	}
	say("installing fail2ban, sshguard and ripgrep")
	if err := install(ctx); err != nil {
		return err
	}
	return b.found()
}

// found looks for all of them.
func (b *bench) found() error {
	for _, name := range []string{"fail2ban-regex", "rg"} {
		if _, err := exec.LookPath(name); err != nil {
			return err
		}
	}
	for _, path := range []string{"/usr/libexec/sshguard/sshg-parser", "/usr/lib/sshguard/sshg-parser", "/usr/libexec/sshg-parser"} {
		if _, err := os.Stat(path); err == nil {
			b.parser = path
			return nil
		}
	}
	return errors.New("sshguard's sshg-parser is nowhere")
}

// install does it with Debian's packages, and lets no service of them start: they
// are here to be called.
func install(ctx context.Context) error {
	const policy = "/usr/sbin/policy-rc.d"
	if _, err := os.Stat(policy); errors.Is(err, os.ErrNotExist) {
		if err := os.WriteFile(policy, []byte("#!/bin/sh\nexit 101\n"), 0o755); err != nil {
			return fmt.Errorf("%w: the packages fail2ban, sshguard and ripgrep must be installed, which needs root", err)
		}
		defer os.Remove(policy)
	}
	for _, args := range []string{"update -qq", "install -qq --yes --no-install-recommends fail2ban sshguard ripgrep"} {
		cmd := exec.CommandContext(ctx, "apt-get", strings.Fields(args)...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if _, err := output(cmd); err != nil {
			return err
		}
	}
	return nil
}
