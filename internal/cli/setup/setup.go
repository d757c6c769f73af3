// Package setup makes one Config of what was said: in edgeban.yaml, and in the
// files of fail2ban if they are named. It prints nothing and finds nothing by
// itself.
package setup

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/fail2ban"
)

// Files are where things are said.
type Files struct {
	Config   string // edgeban.yaml; empty for Default
	Default  string // an edgeban.yaml that may be missing
	Fail2ban string // a folder like /etc/fail2ban; empty for what edgeban.yaml says
}

// Read returns what was said, and what there is to say about fail2ban's files:
// with an error as well, where they leave nothing to run.
func (f Files) Read() (config.Config, []fail2ban.Note, error) {
	c, err := f.YAML()
	if err != nil {
		return c, nil, err
	}
	if c.Fail2ban = cmp.Or(f.Fail2ban, c.Fail2ban); c.Fail2ban == "" {
		return c, nil, nil
	}
	tree, err := fail2ban.Read(c.Fail2ban, os.Getuid())
	if err != nil {
		return c, nil, err
	}
	c, notes := Merge(c, tree)
	c.Path = cmp.Or(c.Path, c.Fail2ban)
	if len(c.Jails) == 0 {
		return c, notes, idle(c.Fail2ban, notes)
	}
	return c, notes, nil
}

// idle says why no jail of a folder runs.
func idle(dir string, notes []fail2ban.Note) error {
	if slices.ContainsFunc(notes, func(n fail2ban.Note) bool { return n.Level == fail2ban.Broken }) {
		return fmt.Errorf("%s: none of the jails that are enabled there can run; edgeban check says why", dir)
	}
	return fmt.Errorf("%s enables no jail; write enabled = true below a jail's name in its jail.local", dir)
}

// YAML returns what was said in edgeban.yaml alone.
func (f Files) YAML() (config.Config, error) {
	c, err := config.Load(cmp.Or(f.Config, f.Default))
	if f.Config == "" && errors.Is(err, fs.ErrNotExist) {
		return config.Default(), nil
	}
	return c, err
}
