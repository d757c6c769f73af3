package write_test

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/config/timezone"
	"github.com/edgeban/edgeban/internal/config/write"
)

// room holds a file of certificates at each path that ends in .pem.
func room(t testing.TB) config.Env {
	t.Helper()
	cert, err := os.ReadFile("../testdata/pair.pem") // a certificate and its key
	if err != nil {
		t.Fatal(err)
	}
	if block, _ := pem.Decode(cert); block == nil {
		t.Fatal("no certificate to read back")
	}
	return config.Env{
		ReadFile: func(path string) ([]byte, error) {
			if strings.HasSuffix(path, ".pem") {
				return cert, nil
			}
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		},
		LookupEnv: func(string) (string, bool) { return "", false },
	}
}

// dice throws random configurations of all that a file can say.
type dice struct{ *rand.Rand }

func (d dice) one(of ...string) string { return of[d.IntN(len(of))] }
func (d dice) coin() bool              { return d.IntN(2) == 0 }

func (d dice) some(most int, of func() string) []string {
	var all []string
	for range d.IntN(most + 1) {
		all = append(all, of())
	}
	return all
}

// text is one line with all that YAML may take for something else.
func (d dice) text() string {
	bits := []string{"a", "Z", " ", "'", `"`, `\`, "#", " #", ": ", ":", "-", "- ", "&", "*", "!", "|", ">", "%", "@", "`", "{", "}", "[", "]", ",", "?", "<", "=", "~", "0", "9", ".", "/", "ä", "漢", "\u2028", "\u00a0", "😀", "\ufeff", "null", "yes", "1e3", "0x1F", "<<", "---", "..."}
	var b strings.Builder
	for range 1 + d.IntN(8) {
		b.WriteString(d.one(bits...))
	}
	return b.String()
}

func (d dice) pattern() string {
	return d.text() + d.one("x", "\tx\t", `^Failed \S+ for <F-USER>.*</F-USER> from <HOST>(?: port \d+)?$`, "it's", "trailing ")
}

func (d dice) name() string {
	return d.one("", "null", "on", "yes", "22", "1e3", "a.b", "x-", "sshd") + fmt.Sprint(d.IntN(1_000_000))
}
func (d dice) path() string { return filepath.Clean("/" + strings.ReplaceAll(d.text(), " /", "/")) }

func (d dice) secret() config.Secret { return config.NewSecret("s" + d.text()) }

func (d dice) span(lo time.Duration) time.Duration {
	span := []time.Duration{time.Second, time.Minute, time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}
	return lo + time.Duration(d.IntN(100))*span[d.IntN(len(span))]
}

func (d dice) host() string {
	return d.one("192.0.2.7", "2001:db8::7", "::1", "192.0.2.0/24", "2001:db8::/48", "home.example.org", "a-b.c", "localhost")
}

func (d dice) config() config.Config {
	c := config.Default()
	c.Path = "/etc/edgeban/edgeban.yaml"
	if d.coin() {
		c.State = d.path()
		c.Socket = filepath.Join(c.State, config.SocketName)
	}
	if d.coin() {
		c.Socket = "/run/" + d.name()
	}
	c.Listen = d.one("", ":9099", "[::1]:80", "127.0.0.1:9099")
	c.Never = d.some(3, d.host)
	if d.coin() {
		c.Budget = config.Budget{PerMinute: 1 + d.IntN(1000), Entries: 1 + d.IntN(1000), IPv4: 8 + d.IntN(25), IPv6: 16 + d.IntN(113)}
		c.Forget = d.span(24 * time.Hour)
		c.Grace = time.Duration(10+d.IntN(1000)) * time.Second
	}
	if d.coin() {
		c.Targets = []config.Target{}
		for range d.IntN(3) {
			c.Targets = append(c.Targets, d.target())
		}
	}
	for i := range d.IntN(4) {
		c.Sources = append(c.Sources, d.source(i))
	}
	names := []string{}
	for _, t := range c.Targets {
		names = append(names, t.Name)
	}
	if len(names) > 1 && d.coin() {
		c.Zones = []config.Zone{
			{Name: "iot", Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Policy: config.PolicyNotify, Look: d.text() + "x"},
			{Name: "lan", Targets: names[:1], Escalate: names[1:], Policy: config.PolicyBan},
			{Name: "vpn", Networks: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16"), netip.MustParsePrefix("fd00:9::/32")}, Policy: config.PolicyNever},
			{Name: config.Internet, Escalate: names[:1], Policy: config.PolicyBan},
		}
	}
	if d.coin() {
		c.Fail2ban = "/etc/" + d.name()
		c.Jails = []config.Jail{}
	}
	for range d.IntN(4) {
		c.Jails = append(c.Jails, d.jail(c.Budget, names))
		j := &c.Jails[len(c.Jails)-1]
		if len(c.Sources) > 0 && len(j.LogPath) > 0 && d.coin() {
			j.Source = d.some(2, func() string { return c.Sources[d.IntN(len(c.Sources))].Name + d.one("/*", "/mail-[ab]*") })
			if len(j.Source) > 0 && d.coin() {
				j.LogPath = nil
			}
		}
		for _, t := range c.Targets {
			if t.Dovecot != nil && j.Filter != config.Recidive {
				j.Source = append(j.Source, t.Name+"/*")
			}
		}
	}
	for range d.IntN(3) {
		c.Notify = append(c.Notify, d.notifier(c))
	}
	return c
}

func (d dice) door() config.Target {
	switch d.IntN(3) {
	case 0:
		return config.Target{Name: d.name(), Postfix: &config.Postfix{Listen: ":9093", Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}}
	case 1:
		v := &config.Dovecot{Listen: d.one(":9092", "127.0.0.1:1"), Token: d.secret(), Tarpit: time.Duration(d.IntN(60)) * time.Second}
		if d.coin() {
			v.Allow, v.Doveadm, v.DoveadmKey = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, "http://127.0.0.1:8080", d.secret()
		}
		return config.Target{Name: d.name(), Dovecot: v}
	}
	t := &config.Traefik{TCP: []string{"smtp", "submission"}, API: d.one("", "http://127.0.0.1:8080"), File: "/" + d.name() + ".yml"}
	if d.coin() {
		t.File, t.Listen, t.Token, t.Allow = "", ":9091", d.secret(), []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		t.Cert, t.Key = d.path()+".pem", d.path()
	}
	if d.coin() {
		t.TLS, t.HTTP, t.HTTPS, t.User, t.Password = []string{"imaps"}, []string{"web"}, []string{"websecure"}, "u"+d.text(), d.secret()
	}
	return config.Target{Name: d.name(), Traefik: t}
}

func (d dice) target() config.Target {
	if d.IntN(3) == 0 {
		return d.door()
	}
	t := config.Target{Name: d.name()}
	if d.coin() {
		t.Feed = &config.Feed{Listen: d.one(":9098", "[::]:1", "localhost:0"), Token: d.secret()}
		for range d.IntN(3) {
			t.Feed.Allow = append(t.Feed.Allow, netip.MustParsePrefix(d.one("10.0.0.0/8", "192.0.2.7/32", "fd00::/8")))
		}
		return t
	}
	o := &config.OPNsense{URL: d.one("https://fw", "https://[2001:db8::1]:8443"), Key: d.secret(), Secret: d.secret(), Alias: "a" + fmt.Sprint(d.IntN(99)), Exclusive: d.coin(), States: d.coin(), Timeout: time.Duration(1+d.IntN(500)) * time.Second}
	switch d.IntN(3) {
	case 0:
		o.Pin, o.CA = "sha256:"+strings.Repeat("0123456789abcdef", 4), d.path()+".pem"
	case 1:
		o.Insecure = true
	}
	t.OPNsense = o
	return t
}

func (d dice) source(i int) config.Source {
	s := config.Source{Name: fmt.Sprintf("s%d", i)}
	switch kind := d.one("syslog", "docker", "journal"); kind {
	case "syslog":
		s.Syslog = &config.Syslog{Listen: append([]string{"unixgram:///run/" + d.name()}, d.some(2, func() string { return d.one("udp://127.0.0.1:514", "tcp://[::1]:0") })...), Bare: d.coin()}
		if d.coin() {
			s.Syslog.Listen = append(s.Syslog.Listen, "tls://:6514")
			s.Syslog.Allow = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::1/128")}
			s.Syslog.Cert, s.Syslog.Key, s.Syslog.ClientCA = d.path()+".pem", d.path()+".pem", d.path()+".pem"
		}
	case "docker":
		s.Docker = &config.Docker{URL: d.one(config.DefaultDocker, "http://proxy:2375")}
	default:
		s.Journal = &config.Journal{Match: d.some(2, func() string { return d.one("_SYSTEMD_UNIT=a.service", "A=1 B=2 + C=3") })}
		if d.coin() {
			s.Journal.URL, s.Journal.CA = "https://host:19531", d.path()+".pem"
		}
	}
	return s
}

func (d dice) notifier(c config.Config) config.Notifier {
	n := config.Notifier{Name: d.name(), On: []string{"ban", "unban", "inside", "leak", "trouble"}, Ntfy: &config.Ntfy{
		URL: d.one(config.DefaultNtfy, "http://ntfy.example:80"), Topic: d.one("on", "null", "123", "a_b-C"), Priority: d.IntN(6), Click: d.one("", "https://dash/{ip}?a=b#c"),
	}}
	if d.coin() {
		n.On = n.On[d.IntN(4):]
	}
	switch d.IntN(3) {
	case 0:
		n.Ntfy.Token = d.secret()
	case 1:
		n.Ntfy.User, n.Ntfy.Password = "u"+d.text(), d.secret()
	}
	if len(c.Jails) > 0 && d.coin() {
		n.Jails = []string{c.Jails[0].Name, c.Jails[len(c.Jails)-1].Name}
	}
	return n
}

func (d dice) jail(b config.Budget, targets []string) config.Jail {
	name := d.name()
	filter := d.one(name, "sshd", "/etc/my filter.conf", config.Recidive)
	if strings.Contains(name, ".") && filter == name {
		filter = "sshd"
	}
	j := config.NewJail(filter)
	j.Name, j.Filter = name, filter
	j.IPv6Prefix = max(j.IPv6Prefix, b.IPv6)
	j.Increment.MaxTime = max(j.Increment.MaxTime, j.BanTime)
	if filter != config.Recidive {
		j.LogPath = append([]string{d.one("-", "/var/log/*.log", "/var/log/it's, [a].log")}, d.some(2, func() string { return "/logs/" + d.name() })...)
		if d.coin() {
			j.Filter, j.Rules = "", d.rules()
		}
	}
	if d.coin() {
		j.MaxRetry, j.FindTime, j.Count = 1+d.IntN(100), d.span(time.Second), config.Rate
		j.BanTime = d.span(time.Second)
		j.Increment.MaxTime = max(7*24*time.Hour, j.BanTime)
		j.IPv6Prefix = max(32, b.IPv6) + d.IntN(129-max(32, b.IPv6))
	}
	if d.IntN(4) == 0 {
		j.BanTime = config.Forever
	}
	if d.coin() {
		j.IgnoreIP = d.some(3, func() string { return d.one(d.host(), "file:/etc/own.txt") })
		zone, err := timezone.Parse(d.one("UTC", "Europe/Berlin", "+0530", "CET", "UTC-0330", "America/New_York"))
		if err != nil {
			panic(err)
		}
		j.LogTimezone = zone
	}
	if d.coin() {
		i := config.Increment{Enabled: d.coin(), Factor: d.Float64()*9 + 0.001, OverallJails: d.coin(), RandomTime: d.span(0)}
		i.Formula = d.one("", "ban.Time * (1<<(ban.Count if ban.Count<20 else 20)) * banFactor", "ban.Time * 2")
		if i.Formula == "" {
			i.Multipliers = []int{1, 1 + d.IntN(9)}
		}
		if d.coin() {
			i.MaxTime = max(0, j.BanTime) + d.span(time.Second)
		}
		j.Increment = i
	}
	if j.Count == config.Window && d.coin() {
		j.ResetOnSuccess, j.KnownGood = d.coin(), d.span(time.Minute)
	}
	if len(targets) > 0 && d.coin() {
		j.Targets = []string{targets[d.IntN(len(targets))]}
	}
	return j
}

func (d dice) rules() *config.Rules {
	r := config.NewRules()
	r.FailRegex = append([]string{d.pattern()}, d.some(3, d.pattern)...)
	if d.coin() {
		r.PrefRegex, r.IgnoreRegex, r.DatePattern = d.pattern(), d.some(2, d.pattern), d.some(2, d.pattern)
		r.MaxLines, r.LogEncoding, r.UseDNS = 1+d.IntN(config.MaxLines), d.one("utf-8", "auto", "8859"), config.UseDNS(d.one("yes", "no", "raw", "warn"))
		r.JournalMatch = d.some(2, func() string { return "_SYSTEMD_UNIT=" + d.name() + " + _COMM=" + d.name() })
	}
	return r
}

// What is printed is what was meant, with hostile comments in every place.
func TestEveryConfigIsReadBack(t *testing.T) {
	env := room(t)
	thrown := map[string]bool{}
	for seed := range uint64(700) {
		c := dice{rand.New(rand.NewPCG(seed, 7))}.config()
		gather(thrown, reflect.ValueOf(c), "Config")
		readBack(t, env, c, fmt.Sprint("seed ", seed))
		if t.Failed() {
			return
		}
	}
	for field, used := range thrown {
		if !used && field != "Config.Broken" { // which no file says
			t.Errorf("%s: was never set: the test proves nothing of it", field)
		}
	}
}

// gather notes of each field of v whether it was ever set.
func gather(used map[string]bool, v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() && v.Type() != reflect.TypeFor[*time.Location]() {
			gather(used, v.Elem(), path)
		}
	case reflect.Slice:
		for i := range v.Len() {
			gather(used, v.Index(i), path)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				at := path + "." + f.Name
				used[at] = used[at] || !v.Field(i).IsZero()
				gather(used, v.Field(i), at)
			}
		}
	}
}

func readBack(t *testing.T, env config.Env, c config.Config, name string) {
	t.Helper()
	noise := func(path string) []string {
		return []string{"about " + path, "jails: {x: y}\nnever: [0.0.0.0]\r\n\u2028a: b", "", "\x00\x1b[2J\ufffe"}
	}
	for _, comment := range []func(string) []string{nil, noise} {
		var out bytes.Buffer
		if err := write.YAML(&out, c, write.Options{Comment: comment, Secret: write.Reveal}); err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		got, err := config.Parse(c.Path, out.Bytes(), env)
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, out.String())
			return
		}
		if !reflect.DeepEqual(got, c) {
			t.Errorf("%s: got %+v\nwant %+v\nof\n%s", name, got, c, out.String())
			return
		}
	}
}

func TestTheFullExampleIsReadBack(t *testing.T) {
	env := room(t)
	data, err := os.ReadFile("../testdata/good/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("env:FEED_TOKEN", "x", "file:ntfy.password", "y").Replace(string(data))
	c, err := config.Parse("/etc/edgeban/edgeban.yaml", []byte(text), env)
	if err != nil {
		t.Fatal(err)
	}
	readBack(t, env, c, "full.yaml")
}

func TestWhatIsPrintedIsReadable(t *testing.T) {
	sshd, web := config.NewJail(""), config.NewJail("web")
	sshd.Name, sshd.LogPath, sshd.Count = "sshd", []string{"/logs/auth.log"}, config.Rate
	sshd.Rules = config.NewRules()
	sshd.Rules.FailRegex = []string{`^Failed \S+ for it's <F-USER>.*</F-USER> from <HOST>$`, `^Bye <HOST> #\d+: "x"$`}
	web.LogPath, web.BanTime = []string{"/logs/a.log", "/logs/b.log"}, config.Forever
	web.Increment = config.Increment{Enabled: true, Factor: 2, Formula: "ban.Time * 2"}
	c := config.Default()
	c.Targets = []config.Target{{Name: "opnsense", OPNsense: &config.OPNsense{
		URL: "https://192.0.2.1", Insecure: true, Key: config.NewSecret("a key"), Secret: config.NewSecret("a secret"), Alias: "bans", Timeout: config.DefaultTimeout,
	}}}
	c.Notify = []config.Notifier{{Name: "phone", On: []string{"ban", "trouble"}, Jails: []string{"sshd"}, Ntfy: &config.Ntfy{URL: config.DefaultNtfy, Topic: "alerts", Token: config.NewSecret("tk_1")}}}
	c.Never = []string{"192.0.2.0/24", "::1"}
	c.Jails = []config.Jail{sshd, web}
	var out bytes.Buffer
	err := write.YAML(&out, c, write.Options{
		Comment: func(path string) []string {
			if slices.Contains([]string{"", "targets.0", "notify.0.ntfy", "jails.sshd", "jails.sshd.failregex.1", "jails.web.increment"}, path) {
				return []string{"above " + path}
			}
			return nil
		},
		Secret: func(path string, _ config.Secret) string { return "file:/run/secrets/" + path },
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = `# above

targets:
  # above targets.0
  - opnsense:
      url: https://192.0.2.1
      allow_insecure: yes
      key: file:/run/secrets/targets.0.opnsense.key
      secret: file:/run/secrets/targets.0.opnsense.secret
      alias: bans

notify:
  - name: phone
    # above notify.0.ntfy
    ntfy:
      topic: alerts
      token: file:/run/secrets/notify.0.ntfy.token
    on: [ban, trouble]
    jails: sshd
never: [192.0.2.0/24, '::1']

jails:
  # above jails.sshd
  sshd:
    logpath: /logs/auth.log
    count: rate
    failregex:
      - '^Failed \S+ for it''s <F-USER>.*</F-USER> from <HOST>$'
      # above jails.sshd.failregex.1
      - '^Bye <HOST> #\d+: "x"$'
  web:
    logpath: [/logs/a.log, /logs/b.log]
    bantime: -1
    # above jails.web.increment
    increment:
      factor: 2
      formula: ban.Time * 2
      maxtime: -1
`
	if got := out.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// What follows from another setting is as little said as what is the default.
func TestNothingUsualIsSaid(t *testing.T) {
	const want = `state: /srv/e

budget:
  ipv6: 128

jails:
  recidive:
  web:
    logpath: /a
    bantime: 2w
`
	c, err := config.Parse("edgeban.yaml", []byte(want), room(t))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := write.YAML(&out, c, write.Options{}); err != nil || out.String() != want {
		t.Errorf("got %v and\n%s\nwant\n%s", err, out.String(), want)
	}
}

func TestNoSecretIsWrittenUnasked(t *testing.T) {
	c := config.Default()
	c.Notify = []config.Notifier{{Name: "ntfy", Ntfy: &config.Ntfy{URL: config.DefaultNtfy, Topic: "a", User: "me", Password: config.NewSecret("HuNt3r2")}}}
	var out bytes.Buffer
	if err := write.YAML(&out, c, write.Options{}); err != nil || strings.Contains(out.String(), "HuNt3r2") || !strings.Contains(out.String(), "password:") {
		t.Errorf("got %v and\n%s", err, out.String())
	}
}

func TestWhatNoFileCanSayIsTold(t *testing.T) {
	for want, change := range map[string]func(*config.Config){
		"jails.sshd.failregex.0 holds a control character (U+000A)":      func(c *config.Config) { c.Jails[0].Rules.FailRegex[0] = "a\nb" },
		"jails.sshd.prefregex holds a control character (U+001B)":        func(c *config.Config) { c.Jails[0].Rules.PrefRegex = "\x1b" },
		`jails.sshd.ignoreregex.0 holds "\xff", which is no text`:        func(c *config.Config) { c.Jails[0].Rules.IgnoreRegex = []string{"\xff"} },
		`jails.sshd.ignoreip holds "file:/a b", with a space or a comma`: func(c *config.Config) { c.Jails[0].IgnoreIP = []string{"file:/a b"} },
		`jails.sshd.prefregex holds " ", which is no text`:               func(c *config.Config) { c.Jails[0].Rules.PrefRegex = " " },
		"state holds a control character (U+0009)":                       func(c *config.Config) { c.State = "/\t" },
		"notify.0.ntfy.token begins with what stands for another place":  func(c *config.Config) { c.Notify[0].Ntfy.Token = config.NewSecret("file:HuNt3r2") },
		"notify.0.ntfy.token holds what is no text of one line":          func(c *config.Config) { c.Notify[0].Ntfy.Token = config.NewSecret("HuNt3r2\x00") },
	} {
		j := config.NewJail("")
		j.Name, j.Rules = "sshd", config.NewRules()
		j.Rules.FailRegex = []string{"<HOST>"}
		c := config.Default()
		c.Jails = []config.Jail{j}
		c.Notify = []config.Notifier{{Name: "ntfy", Ntfy: &config.Ntfy{URL: config.DefaultNtfy, Topic: "a"}}}
		change(&c)
		var out bytes.Buffer
		err := write.YAML(&out, c, write.Options{Secret: write.Reveal})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "HuNt3r2") || out.Len() > 0 {
			t.Errorf("got %v and %d bytes, want an error with %q and nothing", err, out.Len(), want)
		}
	}
}

func FuzzYAML(f *testing.F) {
	env := room(f)
	f.Add(uint64(1), "it's", "^<HOST>\t$", "/var/log/a: b #.log")
	f.Add(uint64(2), "- ", "%", "/*")
	f.Fuzz(func(t *testing.T, seed uint64, secret, pattern, path string) {
		d := dice{rand.New(rand.NewPCG(seed, 7))}
		c := d.config()
		for i := range c.Jails {
			if r := c.Jails[i].Rules; r != nil {
				r.FailRegex = append(r.FailRegex, pattern)
			}
		}
		for i := range c.Notify {
			if n := c.Notify[i].Ntfy; !n.Token.Empty() {
				n.Token = config.NewSecret(secret)
			}
		}
		c.Fail2ban, c.Jails = path, append([]config.Jail{}, c.Jails...)
		var out bytes.Buffer
		if err := write.YAML(&out, c, write.Options{Secret: write.Reveal}); err != nil {
			if out.Len() > 0 {
				t.Errorf("something was written in spite of %v", err)
			}
			return
		}
		got, err := config.Parse(c.Path, out.Bytes(), env)
		if ext := filepath.Ext(path); err != nil && (ext == ".conf" || ext == ".local") {
			return // no folder, and told so
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		if !reflect.DeepEqual(got.Jails, c.Jails) || !reflect.DeepEqual(got.Notify, c.Notify) {
			t.Errorf("got %+v\nwant %+v\nof\n%s", got, c, out.String())
		}
	})
}
