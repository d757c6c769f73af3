package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"

	"github.com/edgeban/edgeban/internal/cli/setup"
	"github.com/edgeban/edgeban/internal/cli/term"
	"github.com/edgeban/edgeban/internal/config/write"
	"github.com/edgeban/edgeban/internal/fail2ban"
)

func importFolder(_ context.Context, e *env, args []string) error {
	rest, err := e.parse("import", args, nil)
	if err != nil {
		return err
	}
	if len(rest) == 1 {
		e.fail2ban = rest[0]
	}
	if len(rest) > 1 || e.fail2ban == "" {
		return usagef("write edgeban import DIR, as in edgeban import /etc/fail2ban > edgeban.yaml")
	}
	r, err := fail2ban.Read(e.fail2ban, os.Getuid())
	if err != nil {
		return err
	}
	secrets := setup.HoldsSecrets(r.Config)
	var text bytes.Buffer
	r.Config.Fail2ban = "" // what it says stands in the file now
	err = write.YAML(&text, r.Config, write.Options{
		Comment: setup.Comments(e.fail2ban, r.Notes, secrets),
		Secret:  write.Reveal,
	})
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	if _, err := text.WriteTo(e.stdout); err != nil {
		return err
	}
	for _, n := range r.Notes {
		if n.Level == fail2ban.Broken {
			fmt.Fprintln(e.stderr, term.Clean("left out: "+n.String(), 4096))
		}
	}
	if secrets {
		fmt.Fprintln(e.stderr, "edgeban: what was printed holds secrets: chmod 600 the file, or move each into a file of its own and write file:PATH in its place")
	}
	return nil
}
