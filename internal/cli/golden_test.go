package cli

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/edgeban/edgeban/internal/cli/story"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/web"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return now.Add(-d) }

func prefix(s string) netip.Prefix {
	p, err := web.ParsePrefix(s)
	if err != nil {
		panic(err)
	}
	return p
}

func fixedStatus() web.Status {
	return web.Status{
		Version: "1.2.3", Started: ago(50 * time.Hour), Now: now,
		Troubles: []string{
			"target backup: held: Get \"https://192.168.123.2/api/firewall/alias_util/list/blocklist\": dial tcp 192.168.123.2:443: connect: connection refused",
			"jail traefik: its lines are 3600 s ahead; set logtimezone: Europe/Berlin",
		},
		Jails: []web.Jail{
			{Name: "dovecot", Lines: 12_345_678, Failures: 54_321, Ignored: 12, Counting: 345, Banned: 67},
			{Name: "postfix-probe", Lines: 98_765, Failures: 43, Undated: 1, Names: 12, Spent: 2},
			{Name: strings.Repeat("a-very-long-name", 3)},
			{Name: "evil\x1b[2J\u202e", Lines: 1},
		},
		Targets: []web.Target{
			{Name: "opnsense", Wanted: 66, Held: 64, Missing: 1, Waiting: 1, Refused: 2, Foreign: 1234, Looked: ago(49 * time.Second), Dropped: 4120, From: ago(12 * time.Hour)},
			{Name: "backup", Wanted: 66, Missing: 66, Error: "held: connection refused", Sync: &web.Sync{Sent: 2400, Of: 10_000, Left: 3*time.Minute + 40*time.Second}, Since: ago(3 * time.Hour), Looked: ago(4 * time.Hour)},
			{Name: "feed", Served: true, Wanted: 66, Held: 66, Looked: ago(1234 * time.Millisecond), Doubt: "the ledger was lost: run edgeban adopt to take over what the targets hold"},
			{Name: "new"},
		},
		Streams: []web.Stream{
			{Origin: "/logs/mail/dovecot.log", Size: 123_456_789, Offset: 123_456_789, Read: ago(2 * time.Second), Live: true},
			{Origin: "/var/lib/docker/containers/0123456789abcdef0123456789abcdef/0123456789abcdef-json.log", Size: 5_300_000_000, Offset: 12_000, Skipped: 3, Read: ago(26 * time.Hour)},
			{Origin: "/logs/later.log", Error: "no file matches yet"},
			{Origin: "/logs/last-year.log", Size: 999, Offset: 999, Read: ago(400 * 24 * time.Hour)},
		},
		Notifiers: []web.Notifier{
			{Name: "ntfy", Last: ago(time.Minute)},
			{Name: "second", Last: ago(30 * time.Hour), Error: "403 Forbidden"},
			{Name: "silent"},
		},
	}
}

func fixedBans() []web.Ban {
	sent, held := ago(299*time.Second), ago(298*time.Second)
	return []web.Ban{
		{Subject: prefix("203.0.113.9"), Jail: "dovecot", Since: ago(5 * time.Minute), Until: now.Add(55 * time.Minute), Failures: 5, Nth: 1, Held: []web.Hold{{Target: "opnsense", Sent: sent, Held: held, Packets: 4120}}},
		{Subject: prefix("2001:db8:1234:5678::/64"), Jail: "postfix-probe", Since: ago(20 * time.Hour), Until: now.Add(6*24*time.Hour + 23*time.Hour), Failures: 12_345, Nth: 7, Held: []web.Hold{{Target: "opnsense", Sent: sent, Held: held}}},
		{Subject: prefix("198.51.100.255"), Jail: "sshd", Since: ago(5 * time.Minute), Until: now.Add(30 * time.Second), Failures: 5, Held: []web.Hold{{Target: "opnsense", Sent: sent, Held: held}, {Target: "feed", Sent: sent}}},
		{Subject: prefix("198.51.100.254"), Jail: "sshd", Since: ago(500 * time.Millisecond), Until: now.Add(time.Hour), Failures: 5, Held: []web.Hold{{Target: "opnsense", Sent: sent}}},
		{Subject: prefix("10.9.8.7"), Jail: "sshd", Since: ago(time.Minute), Until: now.Add(-time.Second), Failures: 5, Refused: "a private address: its packets do not cross the edge"},
		{Subject: prefix("192.0.2.7"), Jail: "manual", Since: ago(400 * 24 * time.Hour), Held: []web.Hold{{Target: "opnsense", Sent: sent, Held: held, Released: now}}},
	}
}

// longBans has a whole IPv6 address, which leaves little room.
func longBans() []web.Ban {
	return append(fixedBans(), web.Ban{
		Subject: prefix("2001:db8:1234:5678:9abc:def0:1234:5678"), Jail: "dovecot", Since: ago(5 * time.Minute),
		Until: now.Add(55 * time.Minute), Failures: 5, Held: []web.Hold{{Target: "opnsense", Sent: ago(time.Minute), Held: ago(time.Minute)}},
	})
}

func line(at time.Duration, addr, user string) web.Line {
	return web.Line{
		Time: ago(at), Jail: "dovecot", Kind: "failure", Addr: netip.MustParseAddr(addr), Count: 1, User: user,
		Text: "auth: Info: passwd-file(" + user + "," + addr + ",<4kVv0ttgwMfLAHEJ>): Password mismatch",
	}
}

// fixedWhy is two offences of an address; the first ended, the second stands.
func fixedWhy() web.Why {
	const addr = "203.0.113.9"
	flood, owner, later := line(303*time.Second, addr, "root"), line(301*time.Second, addr, "alice"), line(100*time.Second, addr, "evil\x1b[2J\u202e\n")
	flood.Count, later.Count, owner.Ignored, owner.Kind = 4, 9, "ignoreip: home.example.org", "success"
	return web.Why{
		Prefix: prefix(addr),
		Lines:  []web.Line{line(30*time.Hour, addr, "root"), flood, owner, line(300250*time.Millisecond, addr, "admin"), later},
		Bans: []web.Ban{
			{Subject: prefix(addr), Jail: "dovecot", Since: ago(29 * time.Hour), Until: ago(28 * time.Hour), Failures: 5, Nth: 1, Reason: "5 failures in 9m"},
			{Subject: prefix(addr), Jail: "dovecot", Since: ago(300250 * time.Millisecond), Until: now.Add(115 * time.Minute), Failures: 5, Nth: 2, Reason: "5 failures in 3s"},
		},
		Holds: []web.Hold{
			{Target: "opnsense", Sent: ago(300 * time.Second), Held: ago(298766 * time.Millisecond), Packets: 37},
			{Target: "feed", Sent: ago(300 * time.Second)},
		},
	}
}

// fixedProlonged is one offence of an address whose ban was made longer twice, the
// second time after it was held.
func fixedProlonged() web.Why {
	w := fixedWhy()
	for _, at := range []time.Duration{200 * time.Second, 60 * time.Second} {
		w.Bans = append(w.Bans, web.Ban{
			Subject: w.Prefix, Jail: "dovecot", Since: ago(at), Until: now.Add(116*time.Minute - at/2), Failures: 5, Nth: 2, Prolongs: true, Reason: "5 failures in 8s",
		})
	}
	return w
}

var fixedLeak = web.Leak{
	Subject: prefix("203.0.113.9"), Targets: []string{"opnsense"}, Since: ago(298 * time.Second), Lines: 3, Last: ago(20 * time.Second),
	Cause: "rule", Why: "\"bans\x1b[2J\" on wan: the rule is disabled. Enable it, then Apply.",
}

func leakingWhy() web.Why {
	w := fixedWhy()
	looking := fixedLeak
	looking.Why = ""
	w.Leaks = []web.Leak{fixedLeak, looking}
	return w
}

func leakingStatus() web.Status {
	st := web.Status{Version: "1.2.3", Started: ago(time.Minute), Now: now, Leaks: []web.Leak{fixedLeak}}
	st.Troubles = []string{"leaking: 203.0.113.9 and 2 more: 3 lines since it is held by opnsense. " + fixedLeak.Why}
	return st
}

func leakingBans() []web.Ban {
	bans := fixedBans()
	bans[0].Leaking, bans[1].Leaking = 3, 12
	return bans
}

func fixedNetwork() web.Why {
	w := web.Why{
		Prefix: prefix("2001:db8:1234:5678::9"),
		Bans: []web.Ban{
			{Subject: prefix("2001:db8:1234:5678::/64"), Jail: "dovecot", Since: ago(time.Hour), Failures: 2, Nth: 1, Reason: "2 failures in 10s"},
			{Subject: prefix("2001:db8:1234:5678::9"), Jail: "manual", Since: ago(time.Minute), Until: now.Add(time.Hour), Nth: 1, Reason: "by hand"},
		},
		Lifts: []web.Lifted{{Jail: "manual", At: ago(30 * time.Second), By: "edgeban unban"}},
		Holds: []web.Hold{
			{Target: "opnsense", Sent: ago(time.Minute), Held: ago(59 * time.Second), Released: ago(20 * time.Second)},
			{Target: "old", Sent: ago(time.Hour), Held: ago(time.Hour)},
			{Target: "theirs", Held: ago(2 * time.Hour), Foreign: true},
		},
	}
	for _, at := range []time.Duration{time.Hour + 10*time.Second, time.Hour} {
		w.Lines = append(w.Lines, line(at, "2001:db8:1234:5678::a", "root"))
	}
	return w
}

// What people read at a glance does not change by accident. -update rewrites it.
func TestRenderingIsWhatWasReviewed(t *testing.T) {
	healthy := web.Status{Version: "1.2.3", Started: ago(time.Minute), Now: now, Healthy: true}
	inside := web.Why{
		Prefix: prefix("10.9.8.7"),
		Bans:   []web.Ban{{Subject: prefix("10.9.8.7"), Jail: "sshd", Since: ago(time.Minute), Until: now.Add(time.Hour), Failures: 5, Reason: "5 failures in 1s", Refused: "a private address: its packets do not cross the edge"}},
	}
	for name, render := range map[string]func(e *env){
		"status":         func(e *env) { e.status(fixedStatus()) },
		"status-healthy": func(e *env) { e.status(healthy) },
		"bans":           func(e *env) { e.bans(fixedBans(), now) },
		"bans-long":      func(e *env) { e.bans(longBans(), now) },
		"bans-none":      func(e *env) { e.bans(nil, now) },
		"why":            func(e *env) { story.Tell(e.stdout, fixedWhy(), now) },
		"why-leaking":    func(e *env) { story.Tell(e.stdout, leakingWhy(), now) },
		"status-leaking": func(e *env) { e.status(leakingStatus()) },
		"bans-leaking":   func(e *env) { e.bans(leakingBans(), now) },
		"why-prolonged":  func(e *env) { story.Tell(e.stdout, fixedProlonged(), now) },
		"why-network":    func(e *env) { story.Tell(e.stdout, fixedNetwork(), now) },
		"why-inside":     func(e *env) { story.Tell(e.stdout, inside, now) },
		"why-protected": func(e *env) {
			story.Tell(e.stdout, web.Why{Prefix: prefix("192.0.2.1"), Protected: "never: home.example.org"}, now)
		},
		"why-nothing": func(e *env) { story.Tell(e.stdout, web.Why{Prefix: prefix("192.0.2.1")}, now) },
		"why-in-zone": func(e *env) { story.Tell(e.stdout, fixedWhy(), now.In(time.FixedZone("", 14*60*60))) },
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			render(&env{stdout: &b})
			golden(t, name, b.Bytes())
			if i := bytes.IndexFunc(b.Bytes(), func(r rune) bool { return r == '\x1b' || r == '\u202e' }); i >= 0 {
				t.Errorf("a control character reaches the terminal at byte %d", i)
			}
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test -update ./internal/cli writes it", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Rows of the tables fit a terminal; sentences below them may be longer.
func TestTablesFitAScreen(t *testing.T) {
	var b bytes.Buffer
	e := &env{stdout: &b}
	st := fixedStatus()
	e.statusJails(st.Jails)
	e.statusTargets(st.Targets, now)
	e.statusStreams(st.Streams, now)
	e.bans(fixedBans(), now)
	e.bans(longBans(), now)
	rows := 0
	for l := range strings.Lines(b.String()) {
		if strings.HasPrefix(l, "  ") {
			continue
		}
		rows++
		if n := utf8.RuneCountInString(strings.TrimSuffix(l, "\n")); n > 80 {
			t.Errorf("%d columns, want 80 at most: %s", n, l)
		}
	}
	if rows < 20 {
		t.Errorf("%d rows were looked at, want 20 at least", rows)
	}
}

// What must be pasted must be whole, however long the sentence around it is.
func TestPinInAStatusIsWhole(t *testing.T) {
	pin := "sha256:" + strings.Repeat("0123456789abcdef", 4)
	st := fixedStatus()
	st.Troubles = []string{"target opnsense: https://192.168.123.1: its certificate is not trusted: it is self-signed; if it is your firewall's, write pin=\"" + pin + "\" (in edgeban.yaml pin:)"}
	st.Targets[0].Notes = []string{strings.Repeat("another word ", 40) + "write pin=\"" + pin + "\""}
	var b bytes.Buffer
	(&env{stdout: &b}).status(st)
	if n := strings.Count(b.String(), `pin="`+pin+`"`); n != 2 {
		t.Errorf("got\n%s\nwant the pin in the trouble and in the note", &b)
	}
}

// A folder whose actions edgeban does not know must not look as if it were enforced.
func TestAFolderWithoutAFirewallIsSaidToEnforceNothing(t *testing.T) {
	for _, c := range []struct {
		targets []config.Target
		want    string
	}{
		{config.Default().Targets, "edgeban: no action of /etc/fail2ban names a firewall that edgeban knows: nothing is enforced yet, the bans are served at http://127.0.0.1:9098/bans.txt\n"},
		{[]config.Target{{Name: "opnsense", OPNsense: &config.OPNsense{}}}, ""},
	} {
		var b bytes.Buffer
		said := config.Config{Fail2ban: "/etc/fail2ban", Targets: c.targets, Jails: []config.Jail{}}
		(&env{stderr: &b}).introduce(said, said)
		if got := b.String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
