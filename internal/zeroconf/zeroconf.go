// Package zeroconf finds what nobody has configured: the logs that every system
// has, and where the state belongs. It reads nothing and leaves nothing behind.
package zeroconf

import (
	"os"
	"path/filepath"

	"github.com/edgeban/edgeban/internal/config"
)

// Jails returns a jail for each built-in filter whose usual log is readable. Root
// stands before the system's paths; it is empty but in tests.
func Jails(root string, readable func(path string) bool) []config.Jail {
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
			if path := filepath.Join(root, p); readable(path) {
				j.LogPath = append(j.LogPath, path)
			}
		}
		if len(j.LogPath) > 0 {
			jails = append(jails, j)
		}
	}
	return jails
}

// State is where the state belongs: in the system's folder if this user may write
// there.
func State(root string) string {
	dir := filepath.Join(root, config.DefaultState)
	f, err := os.CreateTemp(dir, ".edgeban-*")
	if err != nil {
		return OwnState(root)
	}
	_ = f.Close()
	_ = os.Remove(f.Name())
	return dir
}

// OwnState is where the state of a user belongs who may not write to the system's
// folder.
func OwnState(root string) string {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "edgeban")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return filepath.Join(root, config.DefaultState)
	}
	return filepath.Join(home, ".local", "state", "edgeban")
}
