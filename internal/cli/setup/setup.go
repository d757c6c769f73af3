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
	"strings"

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
	c.Path, c.Broken = cmp.Or(c.Path, c.Fail2ban), broken(notes)
	c.Broken = slices.DeleteFunc(c.Broken, func(b config.Broken) bool {
		return slices.ContainsFunc(c.Jails, func(j config.Jail) bool { return j.Name == b.Jail })
	})
	switch {
	case len(c.Jails) > 0:
		return c, notes, nil
	case len(c.Broken) > 0:
		return c, notes, fmt.Errorf("%s: %w", c.Fail2ban, ErrAllBroken)
	}
	return c, notes, fmt.Errorf("%s enables no jail; write enabled = true below a jail's name in its jail.local", c.Fail2ban)
}

// ErrAllBroken says that jails are enabled, and none of them can run.
var ErrAllBroken = errors.New("none of the jails that are enabled there can run; edgeban check says why")

// Disabled returns where a folder of fail2ban's has a jail that is not enabled, as
// FILE:LINE, or "".
func Disabled(dir, jail string) string {
	tree, err := fail2ban.Read(dir, os.Getuid())
	if err != nil {
		return ""
	}
	for _, d := range tree.Disabled {
		if d.Jail == jail {
			return fmt.Sprintf("%s:%d", d.File, d.Line)
		}
	}
	return ""
}

// broken returns the jails that the notes say are left out, with all reasons of each.
func broken(notes []fail2ban.Note) (all []config.Broken) {
	for _, n := range notes {
		if n.Level != fail2ban.Broken {
			continue
		}
		names := n.Jail
		n.Jail = "" // it is the reader's word for whom it is about
		for _, name := range strings.Split(names, ", ") {
			i := slices.IndexFunc(all, func(b config.Broken) bool { return b.Jail == name })
			if i < 0 {
				all = append(all, config.Broken{Jail: name, Why: n.String()})
			} else {
				all[i].Why += "; " + n.String()
			}
		}
	}
	return all
}

// YAML returns what was said in edgeban.yaml alone.
func (f Files) YAML() (config.Config, error) {
	c, err := config.Load(cmp.Or(f.Config, f.Default))
	if f.Config == "" && errors.Is(err, fs.ErrNotExist) {
		return config.Default(), nil
	}
	return c, err
}
