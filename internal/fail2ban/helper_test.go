package fail2ban

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/edgeban/edgeban/internal/config"
)

// stock is what a distribution's jail.conf has, in our own words: the names are
// those that people's own files refer to.
var stock = map[string]string{
	"jail.conf": `[INCLUDES]
before = paths.conf
[DEFAULT]
bantime = 10m
findtime = 10m
maxretry = 5
maxmatches = %(maxretry)s
backend = auto
usedns = no
logencoding = auto
enabled = false
mode = normal
ignorecommand =
filter = %(__name__)s[mode=%(mode)s]
protocol = tcp
chain = <known/chain>
port = 0:65535
mta = sendmail
destemail = root@localhost
sender = root@<fq-hostname>
banaction = iptables-multiport
banaction_allports = iptables-allports
action_ = %(banaction)s[port="%(port)s", protocol="%(protocol)s", chain="%(chain)s"]
action_mw = %(action_)s
            %(mta)s-whois[sender="%(sender)s", dest="%(destemail)s", protocol="%(protocol)s", chain="%(chain)s"]
action = %(action_)s
[sshd]
port = ssh
logpath = %(auth_log)s
[web]
port = http,https
logpath = /var/log/web/*.log
[recidive]
logpath = /var/log/fail2ban.log
banaction = %(banaction_allports)s
bantime = 1w
findtime = 1d
`,
	"paths.conf": "[DEFAULT]\nauth_log = /var/log/auth.log\n",
	"filter.d/common.conf": `[DEFAULT]
_daemon = \S+
prefix = <lt_<logtype>/prefix>
[lt_file]
prefix = \S+ <_daemon>:
[lt_journal]
prefix = <_daemon>:
`,
	"filter.d/sshd.conf": `[INCLUDES]
before = common.conf
[DEFAULT]
_daemon = sshd
[Definition]
failregex = ^%(prefix)s bad password of <F-USER>\S+</F-USER> from <HOST>$
            <more-<mode>>
more-normal =
more-aggressive = ^%(prefix)s hello from <HOST>$
datepattern = {^LN-BEG}
journalmatch = _SYSTEMD_UNIT=sshd.service
[Init]
mode = normal
maxlines = 1
`,
	"filter.d/web.conf":      "[Definition]\nfailregex = ^<HOST> 401\nignoreregex = ^<HOST> 401 /health\n",
	"filter.d/recidive.conf": "[Definition]\nfailregex = Ban <HOST>$\n",
	"action.d/iptables-multiport.conf": `[Definition]
actionban = run <ip>
[Init]
chain = INPUT
`,
	"action.d/iptables-allports.conf": "[Definition]\nactionban = run <ip>\n",
	"action.d/sendmail-whois.conf":    "[Definition]\nactionban = mail <dest>\n",
}

// with returns the stock files and some more below /f2b.
func with(files map[string]string) fstest.MapFS {
	m := fstest.MapFS{}
	for _, set := range []map[string]string{stock, files} {
		for name, text := range set {
			m["f2b/"+name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
		}
	}
	return m
}

// local reads the stock files with a jail.local.
func local(t *testing.T, text string) Result {
	t.Helper()
	return all(t, map[string]string{"jail.local": text})
}

func all(t *testing.T, files map[string]string) Result {
	t.Helper()
	r, err := read(with(files), "/f2b", 1000)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// only returns the one jail that works.
func only(t *testing.T, r Result) config.Jail {
	t.Helper()
	if len(r.Config.Jails) != 1 {
		t.Fatalf("got %d jails, want 1; notes: %v", len(r.Config.Jails), r.Notes)
	}
	return r.Config.Jails[0]
}

// has returns the note that holds text.
func has(t *testing.T, r Result, level Level, text string) Note {
	t.Helper()
	for _, n := range r.Notes {
		if strings.Contains(n.String(), text) && n.Level == level {
			return n
		}
	}
	t.Errorf("no note at level %s says %q: %v", level, text, r.Notes)
	return Note{}
}

// quiet fails for any note above Info.
func quiet(t *testing.T, r Result) {
	t.Helper()
	for _, n := range r.Notes {
		if n.Level != Info {
			t.Errorf("got a note: %s", n)
		}
	}
}

// onDisk writes files into a new folder.
func onDisk(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func lines(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}
