package cli

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
	"github.com/edgeban/edgeban/internal/fail2ban"
	"github.com/edgeban/edgeban/internal/notify/ntfytest"
)

// folder is a folder of fail2ban's in the shape that it is shipped and used in:
// what the package brings, and a jail.local with the lines that people publish.
// DOOR and GATE are logs, WALL and PHONE are servers, TRUST is a parameter.
var folder = map[string]string{
	"jail.conf": `
[INCLUDES]
before = paths-here.conf

[DEFAULT]
ignoreself = true
bantime = 10m
findtime = 10m
maxretry = 5
maxmatches = %(maxretry)s
backend = auto
usedns = warn
logencoding = auto
enabled = false
mode = normal
filter = %(__name__)s[mode=%(mode)s]
protocol = tcp
chain = <known/chain>
port = 0:65535
banaction = packet-filter
action_ = %(banaction)s[port="%(port)s", protocol="%(protocol)s", chain="%(chain)s"]
action_and_mail = %(action_)s
	post[name=%(__name__)s]
action = %(action_)s

[door]
port = 4711
logpath = %(house_logs)s/door.log

[gate]
port = http,https
logpath = %(house_logs)s/gate*.log

[cellar]
logpath = %(house_logs)s/cellar.log
`,
	"paths-here.conf": "[DEFAULT]\nhouse_logs = /nowhere\n",
	"paths-here.local": `
[DEFAULT]
house_logs = LOGS
`,
	"jail.local": `
[DEFAULT]
banaction = opnsense[firewall="WALL",key="KEY",secret="SECRET", alias="fail2ban_blocklist"TRUST]
action = %(action_)s
         ntfy[ntfyurl="PHONE",ntfytopic="intruder_alerts",ntfytoken="TOKEN",ntfypriority="max"]
maxretry = 3
bantime.increment = false
`,
	"jail.d/door.local": "[door]\nenabled = true\nbantime = 1h\n",
	"jail.d/gate.conf":  "[gate]\nenabled = yes\nmode = strict\nbantime = 20s\nfilter = gate[mode=%(mode)s]\n",
	"filter.d/house.conf": `
[DEFAULT]
_daemon = \S+

[Definition]
__pid_re = (?:\[\d+\])
__prefix_line = \s*\S+ %(_daemon)s%(__pid_re)s?:\s+
`,
	"filter.d/door.conf": `
[INCLUDES]
before = house.conf

[Definition]
_daemon = doord
prefregex = ^%(__prefix_line)s<F-CONTENT>.+</F-CONTENT>$
failregex = ^refused <F-USER>\S+</F-USER> from <HOST>(?: port \d+)?$
            ^(?!opened)\S+ of a stranger at <ADDR>$
ignoreregex =
`,
	"filter.d/gate.conf": `
[Definition]
mdre-normal = ^nothing like this <ADDR>$
mdre-strict = ^\s*gate: shut before <HOST>, key (?P<key>\d)(?P=key)$
failregex = <mdre-<mode>>
`,
	"action.d/packet-filter.conf": "[Definition]\nactionban = filter add <ip> <port>\nactionunban = filter remove <ip>\n",
}

// A house has a folder of fail2ban's, the logs it names, a firewall and a phone on
// loopback, and a binary of edgeban with a state of its own.
type house struct {
	*testing.T
	dir, logs, bin string
	env            []string
	wall           *opnsensetest.Firewall
	phone          *ntfytest.Server
}

// In place of fail2ban runs what its users run: the binary.
func TestInPlaceOfFail2ban(t *testing.T) {
	for _, installed := range []string{defaultConfig, config.DefaultState} {
		if _, err := os.Stat(installed); err == nil {
			if os.Getenv("EDGEBAN_ORACLE") != "" {
				t.Fatalf("%s is there: this must run on a machine without an edgeban", installed)
			}
			t.Skipf("%s is there: edgeban is in use on this machine", installed)
		}
	}
	bin := filepath.Join(t.TempDir(), "edgeban")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "../../cmd/edgeban").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, test := range map[string]func(*house){
		"a folder runs as it is":                          runsAsItIs,
		"a firewall that nobody vouched for gets no key":  refusesAStranger,
		"a firewall whose certificate is pinned is known": knowsThePinned,
		"Debian's folder runs":                            runsDebians,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(&house{T: t, bin: bin})
		})
	}
}

// furnish fills a house with a folder, whose action trusts the firewall as trust
// says: parameters that begin with a comma, in which PIN is the firewall's pin.
func (h *house) furnish(trust string, folder map[string]string) {
	h.Helper()
	h.dir, h.logs = h.TempDir(), h.TempDir()
	h.wall = opnsensetest.New(opnsensetest.Options{Aliases: []opnsensetest.Alias{{Name: opnsensetest.AliasName, Type: "host"}}})
	url, err := h.wall.ListenTLS()
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { h.wall.Close() })
	pin, err := h.wall.Pin()
	if err != nil {
		h.Fatal(err)
	}
	h.phone = ntfytest.New(ntfytest.Options{Users: []ntfytest.User{{Name: "edgeban", Tokens: map[string]time.Time{ntfyToken: {}}, Write: []string{"intruder_alerts"}}}})
	srv := httptest.NewServer(h.phone)
	h.Cleanup(srv.Close)
	here := strings.NewReplacer(
		"WALL", strings.TrimPrefix(url, "https://"), "KEY", opnsensetest.Key, "SECRET", opnsensetest.Secret, "TRUST", strings.Replace(trust, "PIN", pin, 1),
		"PHONE", srv.URL, "TOKEN", ntfyToken, "LOGS", h.logs,
	)
	for name, text := range folder {
		path := filepath.Join(h.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			h.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(here.Replace(text)), 0o600); err != nil {
			h.Fatal(err)
		}
	}
	for _, log := range []string{"door.log", "gate-1.log"} {
		h.append(log)
	}
	state, err := os.MkdirTemp("", "edgeban-") // short: the path of a socket has 107 bytes
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { os.RemoveAll(state) })
	h.env = append(os.Environ(), "XDG_STATE_HOME="+state, "HOME="+state, "TZ=UTC", "EDGEBAN_CONFIG=", "EDGEBAN_FAIL2BAN=", "EDGEBAN_SOCKET=")
}

// append adds lines to a log, each behind a stamp of now.
func (h *house) append(log string, lines ...string) {
	h.Helper()
	f, err := os.OpenFile(filepath.Join(h.logs, log), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		h.Fatal(err)
	}
	defer f.Close()
	for _, l := range lines {
		if _, err := fmt.Fprintf(f, "%s %s\n", time.Now().UTC().Format(time.DateTime), l); err != nil {
			h.Fatal(err)
		}
	}
}

// run runs a command to its end, and returns what it printed and its exit code.
func (h *house) run(args ...string) (stdout, stderr string, code int) {
	h.Helper()
	cmd := exec.CommandContext(h.Context(), h.bin, args...)
	var out, complaints bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = h.env, &out, &complaints
	if err := cmd.Run(); cmd.ProcessState == nil {
		h.Fatal(err)
	}
	return out.String(), complaints.String(), cmd.ProcessState.ExitCode()
}

// start starts the daemon; stop asks it to end, as docker stop does, and returns
// what it said.
func (h *house) start() (stop func() string) {
	h.Helper()
	cmd := exec.Command(h.bin, "run", "--fail2ban", h.dir)
	var said bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = h.env, &said, &said
	if err := cmd.Start(); err != nil {
		h.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop = sync.OnceValue(func() string {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			h.Errorf("stop: %v", err)
		}
		if err := <-ended; err != nil {
			h.Errorf("the daemon ended with %v, having said\n%s", err, said.String())
		}
		return said.String()
	})
	h.Cleanup(func() {
		if said := stop(); h.Failed() {
			h.Logf("the daemon said\n%s", said)
		}
	})
	return stop
}

// until waits for what must happen, for longer than a daemon takes to look at a
// firewall that nobody tells it to look at.
func (h *house) until(what string, ok func() bool) {
	h.Helper()
	for end := time.Now().Add(70 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			status, _, _ := h.run("status")
			h.Fatalf("waited in vain until %s; the firewall has %v\n%s", what, h.wall.Entries(opnsensetest.AliasName), status)
		}
	}
}

func (h *house) holds(addrs ...string) bool {
	has := h.wall.Entries(opnsensetest.AliasName)
	return !slices.ContainsFunc(addrs, func(a string) bool { return !slices.Contains(has, prefix(a)) })
}

func (h *house) status(want string) func() bool {
	return func() bool { out, _, _ := h.run("status"); return strings.Contains(out, want) }
}

// told counts the messages that name an address in their title or text.
func (h *house) told(addr string) (n int) {
	for _, m := range h.phone.Messages("intruder_alerts") {
		if strings.Contains(m.Title+" "+m.Message, addr) {
			n++
		}
	}
	return n
}

const (
	burglar = "203.0.113.9"
	tramp   = "2001:db8:7::9"
	foreign = "198.51.100.200"
)

// knock writes three failures of each attacker.
func (h *house) knock() {
	for range 3 {
		h.append("door.log", "host doord[7]: refused root from "+burglar+" port 22")
		h.append("gate-1.log", "gate: shut before "+tramp+", key 33")
	}
}

// runsAsItIs: a person stops fail2ban, starts edgeban with the same folder, and the
// same addresses are banned: at the firewall that its jail.local names, told as it says.
func runsAsItIs(h *house) {
	h.furnish(", allow_insecure=true", folder)
	h.wall.Insert(opnsensetest.AliasName, foreign)
	yaml, _, _ := h.run("import", h.dir)
	h.sameAsFolder(yaml)
	stop := h.start()
	h.until("it is healthy", h.status("healthy"))
	h.append("door.log", "host doord[7]: refused root from 192.0.2.77 port 22", "host other[7]: refused root from 192.0.2.78")
	h.append("gate-1.log", "gate: shut before 192.0.2.79, key 34")
	h.knock()
	h.until("both attackers are in the alias", func() bool { return h.holds(burglar, tramp, foreign) })
	h.until("the phone has told of both", func() bool { return h.told(burglar) > 0 && h.told(tramp) > 0 })
	for _, m := range h.phone.Messages("intruder_alerts") {
		if m.Priority != 5 {
			h.Errorf("a message with priority %d, want max: %s", m.Priority, m.Title)
		}
	}
	h.until("both are proven", func() bool { out, _, _ := h.run("bans"); return strings.Contains(out, "2 bans, 2 held") })

	// The firewall comes back with what it was long ago.
	h.wall.SetContent(opnsensetest.AliasName, foreign)
	h.wall.Reboot()
	if h.holds(burglar) {
		h.Fatal("the firewall kept its table over a reboot")
	}
	h.until("the firewall is healed", func() bool { return h.holds(burglar) })
	h.until("the short ban has ended", func() bool { return !h.holds(tramp) })
	if !h.holds(burglar, foreign) {
		h.Errorf("the alias has %v, want the burglar and what others put there", h.wall.Entries(opnsensetest.AliasName))
	}

	said := stop()
	for _, secret := range []string{opnsensetest.Key, opnsensetest.Secret, ntfyToken} {
		if strings.Contains(said, secret) {
			h.Error("a secret is in the log")
		}
	}
	if !h.holds(burglar, foreign) {
		h.Error("the stop lifted a ban")
	}
	told := h.told(burglar)
	h.start()
	h.until("the ban stands after a restart", func() bool { out, _, _ := h.run("bans"); return strings.Contains(out, "1 ban, 1 held") })
	if out, stderr, code := h.run("unban", burglar); code != 0 {
		h.Errorf("unban: %d %s%s", code, out, stderr)
	}
	h.until("the alias is as it was", func() bool {
		return slices.Equal(h.wall.Entries(opnsensetest.AliasName), []netip.Prefix{prefix(foreign)})
	})
	if slices.ContainsFunc(h.wall.Content(opnsensetest.AliasName), func(item string) bool { return item != foreign }) {
		h.Errorf("the firewall's configuration lists %v, want %s alone", h.wall.Content(opnsensetest.AliasName), foreign)
	}
	if now := h.told(burglar); now != told {
		h.Errorf("the ban was told %d times more by the restart", now-told)
	}
	if odd := h.phone.Odd(); len(odd) > 0 {
		h.Errorf("the ntfy server was sent %v", odd)
	}
}

// refusesAStranger: whoever answers at the firewall's address gets no key, until a
// person has said which certificate is the firewall's. The refusal says what to write.
func refusesAStranger(h *house) {
	h.furnish("", folder)
	pin, err := h.wall.Pin()
	if err != nil {
		h.Fatal(err)
	}
	h.start()
	h.until("it tells the pin, and where to write it", h.status(`pin="`+pin+`"`))
	h.knock()
	h.until("both are banned", func() bool { out, _, _ := h.run("bans"); return strings.Contains(out, "2 bans, 0 held") })
	if got := h.wall.Requests(); len(got) > 0 {
		h.Errorf("the firewall was sent %d calls, want none", len(got))
	}
}

func knowsThePinned(h *house) {
	h.furnish(`, pin="PIN"`, folder)
	h.start()
	h.until("it is healthy", h.status("healthy"))
	h.knock()
	h.until("both attackers are in the alias", func() bool { return h.holds(burglar, tramp) })
}

// runsDebians: three jails of Debian's package are switched on as its users do it.
// Nothing of the package is part of this program.
func runsDebians(h *house) {
	const debian = "/etc/fail2ban"
	if _, err := os.Stat(debian + "/jail.conf"); err != nil {
		if os.Getenv("EDGEBAN_ORACLE") != "" {
			h.Fatal(err)
		}
		h.Skip("Debian's package fail2ban is not installed; EDGEBAN_ORACLE=1 makes that a failure")
	}
	if _, err := os.Stat(debian + "/jail.local"); err == nil {
		h.Skip("fail2ban is in use on this machine: its folder is not as Debian has it")
	}
	h.furnish(`, pin="PIN"`, map[string]string{
		"jail.local": folder["jail.local"],
		"jail.d/zz.local": `
[DEFAULT]
backend = auto
[sshd]
enabled = true
logpath = LOGS/auth.log
[postfix]
enabled = true
logpath = LOGS/mail.log
[dovecot]
enabled = true
logpath = LOGS/mail.log
`,
	})
	if err := os.CopyFS(h.dir, os.DirFS(debian)); err != nil {
		h.Fatal(err)
	}
	for _, log := range []string{"auth.log", "mail.log"} {
		h.append(log)
	}
	out, stderr, code := h.run("check", "--fail2ban", h.dir)
	if code != 0 || !strings.Contains(out, "good: 3 jails, 1 target\n") {
		h.Errorf("check: %d\n%s%s", code, out, stderr)
	}
	out, stderr, code = h.run("check", "--patterns", "--fail2ban", h.dir)
	if n := strings.Count(out, "\n  failregex "); code != 0 || n < 20 {
		h.Errorf("check --patterns: %d, %d failregexes, want 20 at least\n%s%s", code, n, out, stderr)
	}
	yaml, stderr, code := h.run("import", h.dir)
	if code != 0 || !strings.Contains(stderr, "chmod 600") {
		h.Errorf("import: %d %s", code, stderr)
	}
	h.sameAsFolder(yaml)

	h.start()
	h.until("it is healthy", h.status("healthy"))
	for i := range 3 {
		h.append("auth.log", fmt.Sprintf("host sshd[%d]: Failed password for root from %s port 22 ssh2", 100+i, burglar))
	}
	h.until("the burglar is in the alias", func() bool { return h.holds(burglar) })
	out, _, _ = h.run("status")
	for _, jail := range []string{"\nsshd ", "\npostfix ", "\ndovecot "} {
		if !strings.Contains(out, jail) {
			h.Errorf("status does not tell of%s:\n%s", jail, out)
		}
	}
}

// sameAsFolder holds what import printed to meaning what the folder does.
func (h *house) sameAsFolder(yaml string) {
	h.Helper()
	r, err := fail2ban.Read(h.dir, os.Getuid())
	if err != nil {
		h.Fatal(err)
	}
	got, err := config.Parse("edgeban.yaml", []byte(yaml), config.Env{})
	if err != nil {
		h.Fatalf("%v in\n%s", err, yaml)
	}
	got.Path, r.Config.Fail2ban = "", ""
	if !reflect.DeepEqual(got, r.Config) {
		h.Errorf("import gives\n%+v\nthe folder\n%+v\nby\n%s", got, r.Config, yaml)
	}
}
