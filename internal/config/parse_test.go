package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban/internal/config/timezone"
)

// furnished is room with what testdata/good/full.yaml refers to.
func furnished() Env {
	env := room()
	files, vars := env.ReadFile, env.LookupEnv
	env.ReadFile = func(path string) ([]byte, error) {
		switch path {
		case "/etc/edgeban/pair.pem":
			return os.ReadFile("testdata/pair.pem")
		case "/etc/edgeban/ca.pem":
			return os.ReadFile("testdata/ca.pem")
		case "/etc/edgeban/ntfy.password":
			return []byte("the password\n"), nil
		}
		return files(path)
	}
	env.LookupEnv = func(name string) (string, bool) {
		if name == "FEED_TOKEN" {
			return "the feed's token", true
		}
		return vars(name)
	}
	return env
}

func parseFull(t *testing.T) Config {
	t.Helper()
	data, err := os.ReadFile("testdata/good/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Parse("/etc/edgeban/edgeban.yaml", data, furnished())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEverySettingArrives(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	got := parseFull(t)
	jail := func(name string) Jail { // as the file's defaults make one
		return Jail{
			Name: name, Filter: name, MaxRetry: 3, FindTime: time.Hour, BanTime: day, Count: Window, IPv6Prefix: 56,
			IgnoreIP: []string{"127.0.0.0/8", "::1"}, LogTimezone: berlin,
			Increment: Increment{Enabled: true, Factor: 2, MaxTime: week, RandomTime: 330 * time.Second},
		}
	}
	dovecot, web, recidive := jail("dovecot"), jail("web"), jail("recidive")
	dovecot.LogPath, dovecot.Source = []string{"/logs/mail/*.log"}, []string{"syslog/*", "engine/mail-*"}
	logins := jail("logins")
	logins.Filter, logins.Source, logins.ResetOnSuccess, logins.KnownGood = "dovecot", []string{"logins/*"}, true, 2*week
	web.Filter, web.LogPath = "/etc/edgeban/web.conf", []string{"-"}
	web.BanTime, web.Increment.MaxTime = 2*week, 2*week
	own := jail("own")
	own.Filter, own.LogPath = "", []string{"/etc/edgeban/own.log"}
	own.Increment.Formula = "ban.Time * (1<<(ban.Count if ban.Count<20 else 20)) * banFactor"
	own.Rules = &Rules{
		PrefRegex: "^app<F-CONTENT>.+</F-CONTENT>$", FailRegex: []string{"^bad <HOST>$", `^worse "<HOST>": .*\s$`}, IgnoreRegex: []string{`^bad 192\.0\.2\.1 `},
		DatePattern: []string{"{^LN-BEG}%Y", "EPOCH"}, MaxLines: 5, UseDNS: No, LogEncoding: "iso-8859-1", JournalMatch: []string{"_COMM=app"},
	}
	recidive.FindTime, recidive.BanTime, recidive.Increment.Enabled = day, week, false
	want := Config{
		Path: "/etc/edgeban/edgeban.yaml", Fail2ban: "/etc/fail2ban", State: "/srv/edgeban", Socket: "/etc/edgeban/run/edgeban.sock", Listen: ":9099",
		Targets: []Target{
			{Name: "edge", OPNsense: &OPNsense{
				URL: "https://firewall.example.org:8443",
				Pin: "sha256:" + strings.Repeat("abcdef0123456789", 4),
				CA:  "/etc/edgeban/ca.pem",
				Key: NewSecret("the+key/of/the/literal=="), Secret: NewSecret("the+secret/of/the/literal=="),
				Alias: "_bans", Exclusive: true, States: true, Timeout: 5 * time.Second,
			}},
			{Name: "lab", OPNsense: &OPNsense{
				URL: "https://192.0.2.1", Insecure: true, Key: NewSecret("a"), Secret: NewSecret("b"), Alias: "lab", Timeout: 30 * time.Second,
			}},
			{Name: "feed", Feed: &Feed{
				Listen: "[::]:9098", Token: NewSecret("the feed's token"),
				Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.7/32"), netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("192.0.2.0/24")},
			}},
			{Name: "proxy", Traefik: &Traefik{
				File: "/etc/edgeban/dynamic/edgeban.yml", TCP: []string{"smtp", "submission"}, TLS: []string{"imaps", "smtps"}, HTTP: []string{"web"}, HTTPS: []string{"websecure"},
				API: "http://127.0.0.1:8080", User: "edgeban", Password: NewSecret("the password"),
			}},
			{Name: "traefik", Traefik: &Traefik{
				Listen: "172.30.0.1:9091", Token: NewSecret("the feed's token"), Allow: []netip.Prefix{netip.MustParsePrefix("172.30.0.2/32")},
				Cert: "/etc/edgeban/ca.pem", Key: "/etc/edgeban/key.pem", TLS: []string{"imaps"},
			}},
			{Name: "logins", Dovecot: &Dovecot{
				Listen: "172.30.0.1:9092", Token: NewSecret("the feed's token"), Allow: []netip.Prefix{netip.MustParsePrefix("172.30.0.4/32")},
				Tarpit: 10 * time.Second, Doveadm: "http://172.30.0.4:8080", DoveadmKey: NewSecret("the password"),
			}},
			{Name: "postfix", Postfix: &Postfix{Listen: "172.30.0.1:9093", Allow: []netip.Prefix{netip.MustParsePrefix("172.30.0.3/32")}}},
		},
		Zones: []Zone{
			{Name: "iot", Networks: []netip.Prefix{netip.MustParsePrefix("192.168.2.0/24"), netip.MustParsePrefix("fd00:2::/64")}, Policy: PolicyNotify, Look: "Pull its plug."},
			{Name: "lan", Targets: []string{"proxy", "logins"}, Escalate: []string{"postfix"}, Policy: PolicyBan},
			{Name: "vpn", Networks: []netip.Prefix{netip.MustParsePrefix("192.168.3.0/24")}, Policy: PolicyNever},
			{Name: "internet", Targets: []string{"edge"}, Escalate: []string{"proxy"}, Policy: PolicyBan},
		},
		Notify: []Notifier{
			{Name: "phone", On: []string{"ban", "trouble"}, Jails: []string{"dovecot", "off"}, Ntfy: &Ntfy{
				URL: "https://ntfy.example.org", Topic: "intruder_alerts", User: "edgeban", Password: NewSecret("the password"),
				Priority: 5, Click: "https://dash.example.org/ban/{ip}?from=ntfy",
			}},
			{Name: "ntfy", On: []string{"ban", "unban", "inside", "leak", "trouble"}, Ntfy: &Ntfy{
				URL: "https://ntfy.sh", Topic: "quiet", Token: NewSecret("tk_of_the_file"), Priority: 2,
			}},
		},
		Sources: []Source{
			{Name: "syslog", Syslog: &Syslog{
				Listen: []string{"udp://0.0.0.0:514", "tls://[::]:6514", "unix:///run/edgeban/log"},
				Allow:  []netip.Prefix{netip.MustParsePrefix("172.18.0.1/32"), netip.MustParsePrefix("10.0.0.0/8")},
				Cert:   "/etc/edgeban/pair.pem", Key: "/etc/edgeban/pair.pem", ClientCA: "/etc/edgeban/ca.pem", Bare: true,
			}},
			{Name: "engine", Docker: &Docker{URL: "http://socket-proxy:2375"}},
			{Name: "docker", Docker: &Docker{URL: "unix:///var/run/docker.sock"}},
			{Name: "journal", Journal: &Journal{URL: "https://host:19531", CA: "/etc/edgeban/ca.pem", Match: []string{"_SYSTEMD_UNIT=ssh.service _COMM=sshd + A=b", "C=d"}}},
		},
		Never:  []string{"home.example.dyndns.org", "192.168.123.0/24", "2001:db8::1", "192.0.2.9"},
		Budget: Budget{PerMinute: 60, Entries: 1000, IPv4: 24, IPv6: 48},
		Forget: 30 * day,
		Grace:  5 * time.Minute,
		Jails: []Jail{
			dovecot,
			logins,
			{
				Name: "submission", Filter: "postfix", LogPath: []string{"/etc/edgeban/logs/a.log", "/etc/b.log", "-"},
				MaxRetry: 7, FindTime: 36 * time.Hour, BanTime: Forever, Count: Rate, IPv6Prefix: 128,
				Increment:   Increment{Enabled: true, Factor: 2, Multipliers: []int{1, 2, 4}, OverallJails: true},
				IgnoreIP:    []string{"home.example.org", "file:/etc/edgeban/own.txt"},
				LogTimezone: time.FixedZone("-0330", -12600), Targets: []string{"feed"},
			},
			web,
			own,
			recidive,
		},
	}
	compare(t, "config", reflect.ValueOf(got), reflect.ValueOf(want))
	for _, setting := range unused(reflect.ValueOf(got), "config") {
		if setting == "config.Broken" || setting == "config.Targets.Feed.StandIn" {
			continue // no key has them: who merges a folder of fail2ban's does, and who names no target
		}
		t.Errorf("%s: no key of the file sets it", setting)
	}
}

// compare tells where got and want differ.
func compare(t *testing.T, path string, got, want reflect.Value) {
	t.Helper()
	switch {
	case reflect.DeepEqual(got.Interface(), want.Interface()):
	case got.Kind() == reflect.Pointer && !got.IsNil() && !want.IsNil() && got.Type() != reflect.TypeFor[*time.Location]():
		compare(t, path, got.Elem(), want.Elem())
	case got.Kind() == reflect.Struct && got.NumField() > 1:
		for i := range got.NumField() {
			compare(t, path+"."+got.Type().Field(i).Name, got.Field(i), want.Field(i))
		}
	case got.Kind() == reflect.Slice && got.Len() == want.Len():
		for i := range got.Len() {
			compare(t, path, got.Index(i), want.Index(i))
		}
	case got.Type() == reflect.TypeFor[Secret]():
		t.Errorf("%s: got %q, want %q", path, got.Interface().(Secret).Reveal(), want.Interface().(Secret).Reveal())
	default:
		t.Errorf("%s: got %#v, want %#v", path, got.Interface(), want.Interface())
	}
}

// unused returns the fields that are zero wherever they occur in v.
func unused(v reflect.Value, path string) []string {
	var paths []string
	used := map[string]bool{}
	var walk func(v reflect.Value, path string)
	walk = func(v reflect.Value, path string) {
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() && v.Type() != reflect.TypeFor[*time.Location]() {
				walk(v.Elem(), path)
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i), path)
			}
		case reflect.Struct:
			for i := range v.NumField() {
				if f := v.Type().Field(i); f.IsExported() {
					at := path + "." + f.Name
					if !slices.Contains(paths, at) {
						paths = append(paths, at)
					}
					used[at] = used[at] || !v.Field(i).IsZero()
					walk(v.Field(i), at)
				}
			}
		}
	}
	walk(v, path)
	return slices.DeleteFunc(paths, func(p string) bool { return used[p] })
}

func TestTheExampleOfTheDocumentationParses(t *testing.T) {
	const doc = `
targets:
  - opnsense: {url: https://192.168.123.1, pin: sha256:3q2+7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=, apikey: file:/run/secrets/key.txt, alias: fail2ban_blocklist}
notify:
  - ntfy: {url: https://ntfy.example.org, topic: intruder_alerts, token: file:ntfy.token}
never: [home.example.dyndns.org, 192.168.123.0/24]
jails:                                   # the name is the built-in filter unless filter: says otherwise
  dovecot: {logpath: /logs/mail/*.log}   # defaults: 5 failures in 10m, 1h, doubling to 1w
  postfix: {logpath: /logs/mail/*.log}
`
	c, err := Parse("/etc/edgeban/edgeban.yaml", []byte(doc), room())
	if err != nil {
		t.Fatal(err)
	}
	o := c.Targets[0].OPNsense
	if o.Key.Reveal() != "the+key/of/a/file==" || o.Secret.Reveal() != "the+secret/of/a/file==" {
		t.Errorf("key %q, secret %q of the file with CRLF", o.Key.Reveal(), o.Secret.Reveal())
	}
	if want := "sha256:deadbeef" + strings.Repeat("0", 56); o.Pin != want {
		t.Errorf("pin %s, want %s", o.Pin, want)
	}
	if got := c.Notify[0].Ntfy.Token.Reveal(); got != "tk_of_the_file" {
		t.Errorf("token %q, want the file's without its newline", got)
	}
	for i, name := range []string{"dovecot", "postfix"} {
		want := NewJail(name)
		want.LogPath = []string{"/logs/mail/*.log"}
		if !reflect.DeepEqual(c.Jails[i], want) {
			t.Errorf("got %+v, want %+v", c.Jails[i], want)
		}
	}
	if c.State != "" || c.Socket != "" {
		t.Errorf("state %q, socket %q: want both left to whoever can see what is writable", c.State, c.Socket)
	}
	hosts := []string{"192.168.123.1", "ntfy.example.org"}
	if got := c.Hosts(); !slices.Equal(got, hosts) {
		t.Errorf("hosts %q, want %q", got, hosts)
	}
}

func TestHostsAreWithoutPortsAndTwins(t *testing.T) {
	c := Config{
		Targets: []Target{
			{OPNsense: &OPNsense{URL: "https://[2001:db8::1]:8443"}},
			{OPNsense: &OPNsense{URL: "https://fw.example"}},
			{Feed: &Feed{Listen: "192.0.2.1:80"}},
		},
		Notify: []Notifier{{Ntfy: &Ntfy{URL: "http://fw.example:8080"}}, {Ntfy: &Ntfy{URL: "https://ntfy.sh"}}},
	}
	want := []string{"2001:db8::1", "fw.example", "ntfy.sh"}
	if got := c.Hosts(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Default().Hosts(); len(got) != 0 {
		t.Errorf("nothing at all talks to %q", got)
	}
}

// Whoever writes nothing about targets gets the feed on loopback, and about
// jails those that are found; whoever writes that there are none gets none.
func TestNothingSaidIsNotNone(t *testing.T) {
	for doc, want := range map[string]struct{ targets, jails bool }{
		"never: []":                    {true, false},
		"targets:\njails:":             {true, false},
		"targets: []\njails: {}":       {false, true},
		"jails: {sshd: {enabled: no}}": {true, true},
		"fail2ban: /etc/fail2ban":      {true, true},
		"fail2ban: /f\njails:":         {true, true},
	} {
		c, err := Parse("edgeban.yaml", []byte(doc), room())
		if err != nil {
			t.Errorf("%q: %v", doc, err)
			continue
		}
		if got := len(c.Targets) == 1 && reflect.DeepEqual(c.Targets, Default().Targets); got != want.targets {
			t.Errorf("%q: the default's targets: %v, want %v (%+v)", doc, got, want.targets, c.Targets)
		}
		if got := c.Jails != nil; got != want.jails || len(c.Jails) > 0 {
			t.Errorf("%q: jails %#v, want said: %v", doc, c.Jails, want.jails)
		}
	}
}

func TestSmallThingsThatAreRight(t *testing.T) {
	for name, doc := range map[string]string{
		"a firewall on loopback in clear":       "targets: [{opnsense: {url: 'http://127.0.0.1:8080', key: a, secret: b, alias: x}}, {name: b, opnsense: {url: 'http://[::1]', key: a, secret: b, alias: x}}]",
		"a feed for a list of networks":         "targets: [{feed: {listen: ':9098', allow: 10.0.0.0/8}}]",
		"a feed on localhost":                   "targets: [{feed: {listen: 'localhost:0'}}]",
		"two of a kind with names":              "notify: [{name: a, ntfy: {topic: a}}, {name: b, ntfy: {topic: b}}]",
		"the longest alias":                     "targets: [{opnsense: {url: https://fw, key: a, secret: b, alias: A" + strings.Repeat("_", 30) + "}}]",
		"both spellings in different places":    "defaults: {bantime.factor: 2}\njails: {sshd: {logpath: /a, increment: true}}",
		"a budget narrower than the usual /64":  "budget: {ipv6: 128}\njails: {sshd: {logpath: /a}}",
		"CRLF":                                  "never: []\r\njails:\r\n  sshd:\r\n    logpath: /a\r\n",
		"a document's beginning and end":        "---\nnever: []\n...\n",
		"bare seconds":                          "jails: {sshd: {logpath: /a, findtime: 600, bantime: 86400}}",
		"a jail named as a number":              "jails: {22: {logpath: /a, filter: sshd}}",
		"an offset that looks like a number":    "defaults: {logtimezone: +0200}",
		"a name that looks like a truth":        "notify: [{on: ban, ntfy: {topic: on, user: yes, password: 0123}}]",
		"the lists that may be empty":           "never:\ndefaults: {ignoreip: ''}\nnotify: []",
		"a notifier of jails that are found":    "notify: [{ntfy: {topic: a}, jails: [sshd]}]",
		"a notifier of jails of fail2ban":       "fail2ban: /f\nnotify: [{ntfy: {topic: a}, jails: [sshd]}]\njails: {web: {logpath: /a}}",
		"a notifier of a jail that is off":      "notify: [{ntfy: {topic: a}, jails: sshd}]\njails: {sshd: {enabled: no}}",
		"a recidive of rules over a log":        "jails: {recidive: {logpath: /a, failregex: '^<HOST>$'}}",
		"a tab in a pattern":                    "jails: {a: {logpath: /a, failregex: \"^a\\t<HOST>$\"}}",
		"no patterns to ignore":                 "jails: {a: {logpath: /a, failregex: a, ignoreregex: , datepattern: '', journalmatch: []}}",
		"no insecurity beside a pin":            "targets: [{opnsense: {url: https://fw, allow_insecure: no, pin: 'sha256:" + strings.Repeat("00", 32) + "', key: a, secret: b, alias: x}}]",
		"a formula that overflows some day":     "jails: {a: {logpath: /a, filter: sshd, increment: {formula: ban.Time ** 999}}}",
		"a path of the words of standard input": "jails: {sshd: {logpath: [stdin]}}",
	} {
		if _, err := Parse("edgeban.yaml", []byte(doc), room()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheSocketLiesInTheStateUnlessSaid(t *testing.T) {
	for doc, want := range map[string]string{
		"state: /srv/e":                   "/srv/e/edgeban.sock",
		"state: e":                        "/etc/edgeban/e/edgeban.sock",
		"state: /srv/e\nsocket: /run/e.s": "/run/e.s",
		"socket: e.s":                     "/etc/edgeban/e.s",
	} {
		c, err := Parse("/etc/edgeban/edgeban.yaml", []byte(doc), room())
		if err != nil || c.Socket != want {
			t.Errorf("%q: socket %q (%v), want %q", doc, c.Socket, err, want)
		}
	}
}

// A jail's bans may be no wider than what the budget lets be sent, said or not.
func TestDefaultWidthFollowsTheBudget(t *testing.T) {
	for doc, want := range map[string]int{
		"jails: {sshd: {logpath: /a}}":                      64,
		"budget: {ipv6: 128}\njails: {sshd: {logpath: /a}}": 128,
		"budget: {ipv6: 48}\njails: {sshd: {logpath: /a}}":  64,
	} {
		c, err := Parse("edgeban.yaml", []byte(doc), room())
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Jails[0].IPv6Prefix; got != want {
			t.Errorf("%q: /%d, want /%d", doc, got, want)
		}
	}
}

// What a jail says of its own replaces what the defaults say of the same.
func TestAFormulaAndMultipliersReplaceEachOther(t *testing.T) {
	const doc = "defaults: {increment: {%s}}\njails: {sshd: {logpath: /a, increment: {%s}}}"
	for i, want := range []Increment{
		{Enabled: true, Factor: 1, MaxTime: week, Formula: "ban.Time * 2"},
		{Enabled: true, Factor: 1, MaxTime: week, Multipliers: []int{1, 2}},
	} {
		both := []string{"multipliers: 1 2", "formula: ban.Time * 2"}
		c, err := Parse("edgeban.yaml", fmt.Appendf(nil, doc, both[i], both[1-i]), room())
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Jails[0].Increment; !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// A jail of fail2ban's kind has edgeban's defaults, and fail2ban's in what only
// fail2ban has.
func TestRulesStandInPlaceOfAFilter(t *testing.T) {
	c, err := Parse("/etc/edgeban.yaml", []byte("jails: {recidive: {logpath: /a, failregex: '^<HOST>$'}}"), room())
	if err != nil {
		t.Fatal(err)
	}
	want := NewJail("")
	want.Name, want.LogPath = "recidive", []string{"/a"}
	want.Rules = &Rules{FailRegex: []string{"^<HOST>$"}, MaxLines: 1, UseDNS: Warn, LogEncoding: "auto"}
	if got := c.Jails[0]; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestDNSModesAreNoTruths(t *testing.T) {
	for word, want := range map[string]UseDNS{"yes": Yes, "no": No, "'no'": No, "true": Yes, "Off": No, "WARN": Warn, "raw": Raw} {
		c, err := Parse("edgeban.yaml", []byte("jails: {a: {logpath: /a, failregex: a, usedns: "+word+"}}"), room())
		if err != nil {
			t.Errorf("%s: %v", word, err)
		} else if got := c.Jails[0].Rules.UseDNS; got != want {
			t.Errorf("%s: got %s, want %s", word, got, want)
		}
	}
}

func TestTimezonesOfFail2banAreFixed(t *testing.T) {
	summer := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	for word, want := range map[string]int{
		"UTC+0200": 7200, "GMT-0100": -3600, "+0530": 19800, "+05:30": 19800, "UTC-05": -18000, "CET": 3600, "CEST": 7200, "CET+0100": 7200, "EST": -18000, "PST-0100": -32400,
		"Z": 0, "utc": 0, "GMT": 0, "CET-0100": 0, "+0000": 0, "Europe/Berlin": 7200, "NST": -12600,
	} {
		l, err := timezone.Parse(word)
		if err != nil {
			t.Errorf("%s: %v", word, err)
			continue
		}
		if _, got := summer.In(l).Zone(); got != want {
			t.Errorf("%s: %d s east of UTC, want %d", word, got, want)
		}
		if back, err := timezone.Parse(l.String()); !reflect.DeepEqual(back, l) {
			t.Errorf("%s: read back as %v (%v), want %v", word, back, err, l)
		}
	}
	for _, word := range []string{"UTC+2", "+2", "+1500", "+0260", "QQQ", "QQQ+0100", "NZDT+0300", "Local", "", "Europe/Nowhere", "../etc", "cet"} {
		if l, err := timezone.Parse(word); err == nil {
			t.Errorf("%q: got %v, want an error", word, l)
		}
	}
}

func TestLoadReadsWhatTheFileRefersTo(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "edgeban.yaml")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("edgeban.yaml", "notify:\n  - ntfy: {topic: a, token: file:token}\n  - {name: b, ntfy: {topic: b, user: me, password: env:EDGEBAN_TEST_PASSWORD}}\njails:\n  sshd: {logpath: auth.log}\n")
	write("token", "tk_1\n")
	t.Setenv("EDGEBAN_TEST_PASSWORD", "of the environment")
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Notify[0].Ntfy.Token.Reveal(); got != "tk_1" {
		t.Errorf("token %q, want tk_1", got)
	}
	if got := c.Notify[1].Ntfy.Password.Reveal(); got != "of the environment" {
		t.Errorf("password %q", got)
	}
	if got, want := c.Jails[0].LogPath[0], filepath.Join(dir, "auth.log"); got != want || c.Path != path {
		t.Errorf("log %q, want %q; path %q, want %q", got, want, c.Path, path)
	}

	if err := os.Remove(filepath.Join(dir, "token")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "token"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = Load(path)
	if problems, ok := errors.AsType[Problems](err); !ok || len(problems) != 1 || !strings.Contains(problems[0].Text, "is a folder") {
		t.Errorf("a folder in place of the token: got %v", err)
	}
	if _, err := Load(filepath.Join(dir, "none.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: got %v, want fs.ErrNotExist", err)
	}
}
