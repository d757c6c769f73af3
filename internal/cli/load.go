package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/edgeban/edgeban/internal/cli/check"
	"github.com/edgeban/edgeban/internal/cli/setup"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/fail2ban"
	"github.com/edgeban/edgeban/internal/zeroconf"
)

const defaultConfig = "/etc/edgeban/edgeban.yaml"

// load reads the configuration, and fills in what it leaves to be found.
func (e *env) load() (config.Config, []fail2ban.Note, error) {
	c, notes, err := e.read()
	if err != nil {
		return c, notes, err
	}
	return e.fill(c), notes, nil
}

// read reads what was said, and what there is to say about fail2ban's files.
func (e *env) read() (config.Config, []fail2ban.Note, error) { return e.files().Read() }

func (e *env) files() setup.Files {
	return setup.Files{Config: e.config, Default: e.at(defaultConfig), Fail2ban: e.fail2ban}
}

// fill finds the logs and the state where nobody said.
func (e *env) fill(c config.Config) config.Config {
	if c.Jails == nil {
		c.Jails = zeroconf.Jails(e.root, func(path string) bool { _, err := check.Size(path); return err == nil })
	}
	if c.State == "" {
		c.State = zeroconf.State(e.root)
	}
	c.Socket = cmp.Or(c.Socket, filepath.Join(c.State, config.SocketName))
	return c
}

// at returns a path of the system.
func (e *env) at(path string) string { return filepath.Join(e.root, path) }

// findSocket returns where the daemon of the configuration listens. The daemon may
// run on while its configuration is broken, or where this user cannot read it: then
// it is looked for where one listens that nobody told otherwise.
func (e *env) findSocket() (string, error) {
	c, err := e.files().YAML() // fail2ban's files say nothing of it
	if _, broken := errors.AsType[config.Problems](err); err != nil && !broken && e.config != "" {
		return "", err
	}
	if err == nil && c.Socket != "" {
		return c.Socket, nil
	}
	socket := filepath.Join(e.at(config.DefaultState), config.SocketName)
	if _, err := os.Lstat(socket); errors.Is(err, fs.ErrNotExist) {
		socket = filepath.Join(zeroconf.OwnState(e.root), config.SocketName)
	}
	if err != nil {
		fmt.Fprintf(e.stderr, "edgeban: the configuration cannot be used (edgeban check says why), so the daemon is looked for at %s; --socket names another place\n", socket)
	}
	return socket, nil
}
