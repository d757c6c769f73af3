package setup

import (
	"slices"
	"strings"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/fail2ban"
)

// Comments returns what stands above the keys of the edgeban.yaml that a folder of
// fail2ban's became. What is noted of one jail stands above it, all else at the
// head.
func Comments(dir string, notes []fail2ban.Note, secrets bool) func(path string) []string {
	above := map[string][]string{"": {"edgeban import wrote this from " + dir + "; the folder is not needed any more."}}
	if secrets {
		above[""] = append(above[""], "This file holds secrets: chmod 600 it, or move each into a file of its own and write file:PATH in its place.")
	}
	for _, n := range notes {
		path := ""
		if n.Jail != "" && n.Level != fail2ban.Broken && !strings.Contains(n.Jail, ", ") {
			path = "jails." + n.Jail
		}
		above[path] = append(above[path], n.String())
	}
	return func(path string) []string { return above[path] }
}

// HoldsSecrets reports whether whoever reads c can use a firewall or a topic.
func HoldsSecrets(c config.Config) bool {
	return slices.ContainsFunc(c.Targets, func(t config.Target) bool {
		return t.OPNsense != nil && !(t.OPNsense.Key.Empty() && t.OPNsense.Secret.Empty()) || t.Feed != nil && !t.Feed.Token.Empty() ||
			t.Traefik != nil && !(t.Traefik.Token.Empty() && t.Traefik.Password.Empty()) || t.Dovecot != nil
	}) || slices.ContainsFunc(c.Notify, func(n config.Notifier) bool {
		return n.Ntfy != nil && !(n.Ntfy.Token.Empty() && n.Ntfy.Password.Empty())
	})
}
