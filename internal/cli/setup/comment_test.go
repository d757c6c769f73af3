package setup

import (
	"slices"
	"strings"
	"testing"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/fail2ban"
)

// A note that stands above a jail that is not there is not read by anybody.
func TestEveryNoteStandsSomewhere(t *testing.T) {
	notes := []fail2ban.Note{
		{File: "jail.conf", Line: 1, Jail: "sshd", Text: "of one"},
		{File: "jail.conf", Line: 2, Jail: "sshd, web", Text: "of two"},
		{File: "jail.conf", Line: 3, Jail: "attic", Text: "left out", Level: fail2ban.Broken},
		{File: "jail.conf", Text: "of the folder", Level: fail2ban.Warning},
	}
	comment := Comments("/etc/fail2ban", notes, true)
	head := strings.Join(comment(""), "\n")
	for _, want := range []string{"edgeban import wrote this from /etc/fail2ban", "chmod 600", "jail.conf:2: jail sshd, web: of two", "jail.conf:3: jail attic: left out", "jail.conf: of the folder"} {
		if !strings.Contains(head, want) {
			t.Errorf("the head is\n%s\nwant %s in it", head, want)
		}
	}
	if got, want := comment("jails.sshd"), []string{"jail.conf:1: jail sshd: of one"}; !slices.Equal(got, want) {
		t.Errorf("above sshd stands %q, want %q", got, want)
	}
	if got := comment("jails.attic"); got != nil {
		t.Errorf("above a jail that is left out stands %q", got)
	}
}

func TestNoSecretGoesUnnoticed(t *testing.T) {
	s := config.NewSecret("x")
	for name, c := range map[string]struct {
		config config.Config
		want   bool
	}{
		"none":           {config.Default(), false},
		"a key":          {config.Config{Targets: []config.Target{{OPNsense: &config.OPNsense{Key: s}}}}, true},
		"a secret":       {config.Config{Targets: []config.Target{{OPNsense: &config.OPNsense{Secret: s}}}}, true},
		"a feed's token": {config.Config{Targets: []config.Target{{Feed: &config.Feed{Token: s}}}}, true},
		"an open topic":  {config.Config{Notify: []config.Notifier{{Ntfy: &config.Ntfy{}}}}, false},
		"a token":        {config.Config{Notify: []config.Notifier{{Ntfy: &config.Ntfy{Token: s}}}}, true},
		"a password":     {config.Config{Notify: []config.Notifier{{Ntfy: &config.Ntfy{Password: s}}}}, true},
	} {
		if got := HoldsSecrets(c.config); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
