package fail2ban

import (
	"slices"
	"strings"
	"testing"
)

// Jails that read the journal each see the part that they ask for, and no file: what
// the same tree says of logpath means nothing to them, as in fail2ban.
func TestJailsOfTheJournalReadTheirPart(t *testing.T) {
	const rest = "enabled = true\nfilter = sshd\nbackend = systemd\nlogpath = /nowhere/x.log\n  bad tail tail\nfailregex = ^no <HOST>$\n"
	r := local(t, "[sshd]\n"+rest+"journalmatch = _SYSTEMD_UNIT=ssh.service + _COMM=sshd\n"+
		"[twin]\n"+rest+"journalmatch = _SYSTEMD_UNIT=ssh.service + _COMM=sshd\n"+
		"[other]\n"+rest+"journalmatch = A=1\n  B=2 C=3\n")
	var got []string
	for _, s := range r.Config.Sources {
		got = append(got, s.Name+": "+strings.Join(s.Journal.Match, "|")+s.Journal.URL)
	}
	if want := []string{"journal-sshd: _SYSTEMD_UNIT=ssh.service + _COMM=sshd", "journal-other: A=1|B=2 C=3"}; !slices.Equal(got, want) {
		t.Errorf("sources are %q, want %q", got, want)
	}
	for i, want := range []string{"journal-sshd/*", "journal-sshd/*", "journal-other/*"} {
		if j := r.Config.Jails[i]; len(j.LogPath) != 0 || !slices.Equal(j.Source, []string{want}) {
			t.Errorf("jail %s reads %q and %q, want %s", j.Name, j.LogPath, j.Source, want)
		}
	}
	if !slices.ContainsFunc(r.Notes, func(n Note) bool {
		return n.Level == Info && n.Line == 4 && strings.Contains(n.Text, "url: http://HOST:19531")
	}) {
		t.Errorf("got %v, want the way to read it in a container", r.Notes)
	}
}

func TestPartOfTheJournalThatIsNotUnderstoodIsNotReadDifferently(t *testing.T) {
	for text, want := range map[string]string{
		"journalmatch = ssh.service":              "journalmatch: \"ssh.service\" is not understood",
		"journalmatch = _COMM=\"a b\"":            "without quotes",
		"journalmatch = _COMM=a\\ b":              "journalmatch: ",
		"backend = systemd[journalpath=/var/log]": "no other journal",
	} {
		if !strings.HasPrefix(text, "backend") {
			text += "\nbackend = systemd"
		}
		r := local(t, "[sshd]\nenabled = true\nfailregex = ^no <HOST>$\n"+text+"\n")
		if got := r.Resolved()[0].Reason; !strings.Contains(got, want) || len(r.Config.Jails) != 0 || len(r.Config.Sources) != 0 {
			t.Errorf("%s: got %q and %+v, want it left out: %s", text, got, r.Config.Sources, want)
		}
	}
}
