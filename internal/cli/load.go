package cli

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/edgeban/edgeban/internal/config"
)

const defaultConfig = "/etc/edgeban/edgeban.yaml"

// load reads the configuration: the one that is named, else the default one, else
// none at all: then the logs that every system has are watched, and a feed on
// loopback serves what was found.
func (e *env) load() (config.Config, error) {
	path := cmp.Or(e.config, defaultConfig)
	c, err := config.Load(path)
	if err != nil && e.config == "" && errors.Is(err, fs.ErrNotExist) {
		return withState(wellKnown(config.Default())), nil
	}
	if err != nil {
		return c, err
	}
	return withState(c), nil
}

// withState puts the state into the user's own folder where nothing says where
// it belongs and the system's folder is not ours to write.
func withState(c config.Config) config.Config {
	if c.State != "" && (c.State != config.DefaultState || writable(c.State)) {
		return c
	}
	if writable(config.DefaultState) {
		c.State = config.DefaultState
	} else if dir, err := os.UserHomeDir(); err == nil {
		c.State = filepath.Join(cmp.Or(os.Getenv("XDG_STATE_HOME"), filepath.Join(dir, ".local", "state")), "edgeban")
	}
	if c.Socket == "" || filepath.Dir(c.Socket) == config.DefaultState {
		c.Socket = filepath.Join(c.State, "edgeban.sock")
	}
	return c
}

func writable(dir string) bool {
	f, err := os.CreateTemp(dir, ".edgeban-*")
	if err != nil {
		return false
	}
	f.Close()
	return os.Remove(f.Name()) == nil
}

// wellKnown adds a jail for each built-in filter whose usual log is readable here.
func wellKnown(c config.Config) config.Config {
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
			if f, err := os.Open(p); err == nil {
				f.Close()
				j.LogPath = append(j.LogPath, p)
			}
		}
		if len(j.LogPath) > 0 {
			c.Jails = append(c.Jails, j)
		}
	}
	return c
}
