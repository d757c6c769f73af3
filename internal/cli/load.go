package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/zeroconf"
)

const defaultConfig = "/etc/edgeban/edgeban.yaml"

// load reads the configuration, and fills in what it leaves to be found.
func (e *env) load() (config.Config, error) {
	c, err := e.read()
	if err != nil {
		return c, err
	}
	return e.fill(c), nil
}

// read reads the configuration: the one that is named, else the default one, else
// none at all.
func (e *env) read() (config.Config, error) {
	c, err := config.Load(cmp.Or(e.config, e.at(defaultConfig)))
	if e.config == "" && errors.Is(err, fs.ErrNotExist) {
		return config.Default(), nil
	}
	return c, err
}

// fill finds the logs and the state where nobody said.
func (e *env) fill(c config.Config) config.Config {
	if c.Jails == nil {
		c.Jails = zeroconf.Jails(e.root, func(path string) bool { _, err := size(path); return err == nil })
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
	c, err := e.read()
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
