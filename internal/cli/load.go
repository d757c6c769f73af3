package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/edgeban/edgeban/internal/config"
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
		c.Jails = e.wellKnown()
	}
	if c.State == "" {
		if c.State = e.at(config.DefaultState); !writable(c.State) {
			c.State = e.ownState()
		}
	}
	c.Socket = cmp.Or(c.Socket, filepath.Join(c.State, config.SocketName))
	return c
}

// at returns a path of the system.
func (e *env) at(path string) string { return filepath.Join(e.root, path) }

// ownState is where the state of a user belongs who may not write to the system's
// folder.
func (e *env) ownState() string {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "edgeban")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return e.at(config.DefaultState)
	}
	return filepath.Join(home, ".local", "state", "edgeban")
}

func writable(dir string) bool {
	f, err := os.CreateTemp(dir, ".edgeban-*")
	if err != nil {
		return false
	}
	f.Close()
	return os.Remove(f.Name()) == nil
}

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
		socket = filepath.Join(e.ownState(), config.SocketName)
	}
	if err != nil {
		fmt.Fprintf(e.stderr, "edgeban: the configuration cannot be used (edgeban check says why), so the daemon is looked for at %s; --socket names another place\n", socket)
	}
	return socket, nil
}

// wellKnown returns a jail for each built-in filter whose usual log is readable here.
func (e *env) wellKnown() []config.Jail {
	jails := []config.Jail{}
	for _, k := range []struct {
		jail  string
		paths []string
	}{
		{"sshd", []string{"/var/log/auth.log", "/var/log/secure"}},
		{"dovecot", []string{"/var/log/mail.log", "/var/log/maillog", "/var/log/dovecot.log"}},
		{"postfix", []string{"/var/log/mail.log", "/var/log/maillog"}},
		{"traefik", []string{"/var/log/traefik/access.log"}},
	} {
		j := config.NewJail(k.jail)
		for _, p := range k.paths {
			if _, err := size(e.at(p)); err == nil {
				j.LogPath = append(j.LogPath, e.at(p))
			}
		}
		if len(j.LogPath) > 0 {
			jails = append(jails, j)
		}
	}
	return jails
}
