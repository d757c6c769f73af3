package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/edgeban/edgeban/internal/cli/check"
	"github.com/edgeban/edgeban/internal/cli/setup"
)

func checkConfig(ctx context.Context, e *env, args []string) error {
	var every bool
	rest, err := e.parse("check", args, func(fs *flag.FlagSet) {
		fs.BoolVar(&every, "patterns", false, "show every pattern of fail2ban's filters, and what a search for it costs")
	})
	if err != nil {
		return err
	}
	switch len(rest) {
	case 0:
	case 1:
		if err := e.name(rest[0]); err != nil {
			return err
		}
	default:
		return usagef("check takes one configuration at most")
	}
	said, notes, err := e.read()
	if err != nil && !errors.Is(err, setup.ErrAllBroken) { // of which all is told below
		check.Notes(e.stdout, notes)
		return err
	}
	c := e.fill(said)
	if len(c.Jails)+len(c.Broken) == 0 {
		return e.nothing(said)
	}
	if c.Path == "" {
		fmt.Fprintf(e.stdout, "no configuration (%s): the well-known logs are watched\n", defaultConfig)
	}
	return check.Print(ctx, e.stdout, check.Options{Config: c, Notes: notes, Patterns: every})
}

// name takes what is to be checked: an edgeban.yaml, or a folder of fail2ban's.
func (e *env) name(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		e.fail2ban = path
		return nil
	}
	if ext := filepath.Ext(path); ext == ".local" || ext == ".conf" {
		dir := filepath.Dir(path)
		if strings.HasSuffix(filepath.Base(dir), ".d") {
			dir = filepath.Dir(dir)
		}
		return usagef("%s is no edgeban.yaml; for a folder of fail2ban's write --fail2ban %s", path, dir)
	}
	e.config = path
	return nil
}
