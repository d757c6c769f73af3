package fail2ban

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func TestATreeThatExplodesEnds(t *testing.T) {
	r := all(t, map[string]string{
		"jail.local":         "[DEFAULT]\nfilter = web\nlogpath = /l\nenabled = true\n" + lines(300, "[j%d]\n"),
		"filter.d/web.local": "[Definition]\nfailregex = <ta> <tb>\n" + explode(),
	})
	if len(r.Config.Jails) != 0 {
		t.Errorf("got %d jails", len(r.Config.Jails))
	}
	has(t, r, Broken, "grows beyond")
}

// explode returns tags each of which stands for thirty of the next.
func explode() string {
	var b strings.Builder
	for c := 'a'; c <= 'z'; c++ {
		b.WriteString("t" + string(c) + " = " + strings.Repeat("<t"+string('a'+(c-'a'+1)%26)+">", 30) + "\n")
	}
	return b.String()
}

// The tree of Debian, where it is installed, must be read whole: every jail at once.
func TestEveryJailOfDebianIsRead(t *testing.T) {
	if _, err := os.Stat("/usr/lib/python3/dist-packages/fail2ban"); err != nil {
		if os.Getenv("EDGEBAN_ORACLE") == "1" {
			t.Fatalf("fail2ban is not installed: %v", err)
		}
		t.Skipf("fail2ban is not installed: %v", err)
	}
	dir := filepath.Join(t.TempDir(), "f")
	if err := os.CopyFS(dir, os.DirFS("/etc/fail2ban")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "jail.conf"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	n := 0
	for _, m := range regexp.MustCompile(`(?m)^\[([a-z0-9-]+)\]`).FindAllStringSubmatch(string(text), -1) {
		b.WriteString("[" + m[1] + "]\nenabled = true\n")
		n++
	}
	if err := os.WriteFile(filepath.Join(dir, "jail.local"), []byte("[DEFAULT]\n"+banaction+b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := Read(dir, os.Getuid())
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string]string{"apache-fakegooglebot": "ignorecommand", "pass2allow-ftp": "opens the firewall"}
	for _, note := range r.Notes {
		if note.Level == Broken && !strings.Contains(note.Text, reasons[note.Jail]+":") && !strings.Contains(note.Text, "opens the firewall") {
			t.Errorf("got %v", note)
		}
	}
	if got := len(r.Config.Jails); n < 60 || got != n-len(reasons) {
		t.Errorf("got %d jails of %d, want all but %d", got, n, len(reasons))
	}
	t.Logf("%d of %d jails are read", len(r.Config.Jails), n)
}

func FuzzRead(f *testing.F) {
	f.Add("[DEFAULT]\n"+banaction+"[sshd]\nenabled = true\n", "[Definition]\nfailregex = <HOST> <mode>\n[Init]\nmode = <x>", "[Init]\nkey = %(x)s\nfirewall = <key>\n")
	f.Add("[sshd]\nenabled=1\naction = a[x=1][y='2']\n b\nlogpath = /a[!b\nbantime = 1d-\n", "[Definition]\nfailregex = %(known/failregex)s", "")
	f.Fuzz(func(t *testing.T, local, filter, action string) {
		m := fstest.MapFS{}
		for name, f := range with(nil) {
			m[name] = f
		}
		for name, text := range map[string]string{"jail.local": local, "filter.d/sshd.local": filter, "action.d/opnsense.local": action} {
			m["f2b/"+name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
		}
		r, err := read(m, "/f2b", 1)
		if err != nil {
			return
		}
		for _, n := range r.Notes {
			if n.Text == "" || strings.ContainsAny(n.Text, "\n\r\x1b") {
				t.Errorf("got a note that cannot be shown: %q", n)
			}
		}
		for _, j := range r.Config.Jails {
			if j.Rules != nil && (len(j.Rules.FailRegex) == 0 || len(j.LogPath) == 0) || j.MaxRetry < 1 || j.FindTime < 1 || j.BanTime < -1 {
				t.Errorf("got a jail that cannot work: %+v", j)
			}
		}
	})
}
