package fail2ban

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/edgeban/edgeban/internal/config"
)

func TestAJailArrivesWhole(t *testing.T) {
	r := local(t, `[sshd]
enabled = true
maxretry = 3
findtime = 1h-10m
bantime = 1d12h
ignoreip = 127.0.0.1/8 ::1, 192.0.2.7/255.255.255.0
           Host.Example
logtimezone = UTC+0200
logencoding = latin1
usedns = yes
`)
	quiet(t, r)
	got := only(t, r)
	want := config.Jail{
		Name: "sshd", LogPath: []string{"/var/log/auth.log"}, MaxRetry: 3, FindTime: 50 * time.Minute, BanTime: 36 * time.Hour,
		Increment: config.Increment{Factor: 1, MaxTime: 7 * 24 * time.Hour}, Count: config.Rate, IPv6Prefix: 128,
		IgnoreIP:    []string{"127.0.0.0/8", "::1", "192.0.2.0/24", "host.example"},
		LogTimezone: got.LogTimezone,
		Rules: &config.Rules{
			FailRegex:   []string{`^\S+ sshd: bad password of <F-USER>\S+</F-USER> from <HOST>$`},
			DatePattern: []string{"{^LN-BEG}"}, MaxLines: 1, UseDNS: config.Yes, LogEncoding: "latin1",
			JournalMatch: []string{"_SYSTEMD_UNIT=sshd.service"},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v %+v\nwant %+v %+v", got, got.Rules, want, want.Rules)
	}
	if _, east := time.Unix(0, 0).In(got.LogTimezone).Zone(); east != 2*3600 {
		t.Errorf("got %v, want two hours east", got.LogTimezone)
	}
	if ts := r.Config.Targets; len(ts) != 1 || ts[0].Feed == nil {
		t.Errorf("got %v, want the usual feed where the tree names no target", ts)
	}
}

func TestOnlyWhatSaysThatItIsOnIsOn(t *testing.T) {
	for word, want := range map[string]int{"true": 1, "1": 1, "ON": 1, "Yes": 1, "y": 0, "enabled": 0, "": 0, "false": 0} {
		if r := local(t, "[sshd]\nenabled = "+word+"\n"); len(r.Config.Jails) != want || r.Config.Jails == nil {
			t.Errorf("enabled = %s: got %d jails, want %d", word, len(r.Config.Jails), want)
		}
	}
}

func TestOneBrokenJailDoesNotStopTheOthers(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no filter":   {"filter = nosuch", "/f2b/jail.local:3: jail web: there is no filter.d/nosuch.conf"},
		"bad params":  {"filter = sshd[mode = x]", "/f2b/jail.local:3: jail web: sshd: its brackets"},
		"bad time":    {"findtime = soon", "/f2b/jail.local:3: jail web: findtime: \"soon\" is not a time"},
		"no time":     {"bantime = 0", "bantime: 0 bans nobody"},
		"bad number":  {"maxretry = five", "maxretry: \"five\" is not a number"},
		"unknown":     {"logpath = %(nowhere)s", "/f2b/jail.local:3: jail web: option logpath of [web]: %(nowhere)s is not defined"},
		"no log":      {"logpath =", "has no logpath"},
		"journal":     {"backend = systemd[journalflags=1]", "/f2b/jail.local:3: jail web: \"backend = systemd[journalflags=1]\": edgeban reads no other journal"},
		"zone":        {"logtimezone = Mars", "logtimezone: \"Mars\""},
		"regex":       {"failregex = ^fine <HOST>$\n  ^(<HOST>$", "/f2b/jail.local:4: jail web: failregex[2], byte 2: "},
		"command":     {"ignorecommand = /bin/spare <ip>", "ignorecommand: edgeban runs no command"},
		"everybody":   {"ignoreip = 0.0.0.0/0", "is every address"},
		"action":      {"action = iptables[x=\"1\" , y=2]", "/f2b/jail.local:3: jail web: iptables: after option x"},
		"opens":       {"blocktype = RETURN\naction = iptables[blocktype=%(blocktype)s]", "/f2b/jail.local:3: jail web: action iptables: opens the firewall"},
		"no enabled":  {"enabled = %(x)s", "option enabled of [web]"},
		"encoding":    {"logencoding = a b", "logencoding: "},
		"no patterns": {"filter =", "has no failregex"},
	} {
		enabled := "enabled = true\n"
		if name == "no enabled" {
			enabled = "; comment\n"
		}
		r := local(t, "[web]\n"+enabled+c.text+"\n[sshd]\nenabled = true\n")
		if got := only(t, r).Name; got != "sshd" {
			t.Errorf("%s: got jail %s", name, got)
		}
		if n := has(t, r, Broken, c.want); n.Jail != "web" {
			t.Errorf("%s: got a note on %q", name, n.Jail)
		}
		i := slices.IndexFunc(r.Resolved(), func(r Resolved) bool { return r.Jail == "web" })
		if i < 0 || r.Resolved()[i].Reason == "" || r.Resolved()[i].Translation != nil {
			t.Errorf("%s: Resolved does not say why it is left out", name)
		}
	}
}

func TestAFolderThatSaysNothingIsAnError(t *testing.T) {
	for name, c := range map[string]struct {
		files fstest.MapFS
		want  string
	}{
		"empty":   {fstest.MapFS{}, "/f2b: has neither jail.conf nor jail.local"},
		"twice":   {with(map[string]string{"jail.local": "[a]\nx=1\nx=2\n"}), "/f2b/jail.local:3: "},
		"include": {with(map[string]string{"paths.conf": "x=1\n"}), "/f2b/paths.conf:1: "},
	} {
		if _, err := read(c.files, "/f2b", 1000); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s...", name, err, c.want)
		}
	}
	if os.Getuid() == 0 {
		return // root may read everything
	}
	dir := onDisk(t, map[string]string{"jail.conf": "[a]\n"})
	if err := os.Chmod(dir+"/jail.conf", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(dir, 1234); err == nil || !strings.Contains(err.Error(), "jail.conf: may not be read") || !strings.Contains(err.Error(), "uid 1234") {
		t.Errorf("got %v, want one that names the file and the user", err)
	}
}

func TestTheModeAndTheKindOfLogReachTheFilter(t *testing.T) {
	for text, want := range map[string][]string{
		"":                                    {`^\S+ sshd: bad password of <F-USER>\S+</F-USER> from <HOST>$`},
		"mode = aggressive":                   {`^\S+ sshd: bad password of <F-USER>\S+</F-USER> from <HOST>$`, `^\S+ sshd: hello from <HOST>$`},
		"mode = typo":                         {`^\S+ sshd: bad password of <F-USER>\S+</F-USER> from <HOST>$`, `<more-typo>`},
		"filter = sshd[logtype=journal]":      {`^sshd: bad password of <F-USER>\S+</F-USER> from <HOST>$`},
		"filter = sshd[_daemon='my d']":       {`^\S+ my d: bad password of <F-USER>\S+</F-USER> from <HOST>$`},
		"_daemon = mine":                      {`^\S+ sshd: bad password of <F-USER>\S+</F-USER> from <HOST>$`},
		"failregex = %(known/failregex)s\n x": {`^\S+ sshd: bad password of <F-USER>\S+</F-USER> from <HOST>$`, "x"},
		"failregex = ^own <HOST>$":            {"^own <HOST>$"},
		"filter = sshd[failregex='^a <HOST>$']\nfailregex = ^b <HOST>$": {"^a <HOST>$", "^b <HOST>$"},
	} {
		r := local(t, "[sshd]\nenabled = true\n"+text+"\n")
		if got := r.Resolved()[0].Rules.FailRegex; !slices.Equal(got, want) {
			t.Errorf("%s:\ngot  %q\nwant %q", text, got, want)
		}
	}
	r := local(t, "[sshd]\nenabled = true\nbackend = systemd\n")
	if got := r.Resolved()[0].Rules.FailRegex[0]; !strings.HasPrefix(got, "^sshd: ") {
		t.Errorf("got %q, want the prefix of the journal", got)
	}
}

func TestAFilterMayBeExtendedByFilesOfTheUser(t *testing.T) {
	r := all(t, map[string]string{
		"jail.local":          "[sshd]\nenabled = true\n",
		"filter.d/sshd.local": "[Definition]\nfailregex = %(known/failregex)s\n  ^mine <HOST>$\nignoreregex = ^no <HOST>\nmaxlines = 2\n[Init]\nmaxlines = 3\n",
	})
	got := only(t, r).Rules
	if len(got.FailRegex) != 2 || got.FailRegex[1] != "^mine <HOST>$" || !slices.Equal(got.IgnoreRegex, []string{"^no <HOST>"}) || got.MaxLines != 3 {
		t.Errorf("got %+v", got)
	}
}

func TestATagThatMeansItselfIsBrokenAndNamed(t *testing.T) {
	r := all(t, map[string]string{
		"jail.local":         "[web]\nenabled = true\n",
		"filter.d/web.local": "[Definition]\nfailregex = ^<HOST> <a>\na = <b>\nb = <a> \n",
	})
	has(t, r, Broken, "/f2b/filter.d/web.local:")
	r = all(t, map[string]string{
		"jail.local":         "[web]\nenabled = true\n",
		"filter.d/web.local": "[Definition]\nfailregex = ^<HOST> <failregex>\n",
	})
	has(t, r, Broken, "/f2b/filter.d/web.local:2: jail web: option failregex: the tag <failregex>")
}

func TestATagThatIsMadeOfTagsIsReplacedToTheLeftToo(t *testing.T) {
	r := all(t, map[string]string{
		"jail.local":         "[web]\nenabled = true\n",
		"filter.d/web.local": "[Definition]\nfailregex = ^<HOST><a<b>><ax>\nb = x\nax =\n",
	})
	if got := only(t, r).Rules.FailRegex; !slices.Equal(got, []string{"^<HOST>"}) {
		t.Errorf("got %q", got)
	}
}

// Upstream looks for the option in small letters, finds none, and drops the jail.
func TestConditionInCapitalsIsTold(t *testing.T) {
	r := all(t, map[string]string{
		"jail.local":         "[web]\nenabled = true\n",
		"filter.d/web.local": "[Definition]\nfailregex = ^<HOST> <w>\n[Init]\nw = a\n[Init?family=INET6]\nw = b\n",
	})
	has(t, r, Broken, `option "w?family=INET6" of [Init] can never be found; write what stands after the ? of its section in small letters`)
}

func TestJailsOfNamesThatWeCannotTake(t *testing.T) {
	r := local(t, "[my jail]\nenabled = true\nfilter = web\nlogpath = /l\n[manual]\nenabled = true\nfilter = web\nlogpath = /l\n")
	if len(r.Config.Jails) != 0 {
		t.Errorf("got %v", r.Config.Jails)
	}
	has(t, r, Broken, "/f2b/jail.local:1: jail my jail: rename the section")
	has(t, r, Broken, "/f2b/jail.local:5: jail manual: rename the section: \"manual\" stands for")
}

func TestRecidiveReadsOurOwnBans(t *testing.T) {
	r := local(t, "[recidive]\nenabled = true\n")
	j := only(t, r)
	if j.Filter != config.Recidive || j.Rules != nil || j.LogPath != nil || j.FindTime != 24*time.Hour || j.BanTime != 7*24*time.Hour {
		t.Errorf("got %+v", j)
	}
	has(t, r, Info, "reads edgeban's own bans")
}

func TestIncrementIsOffUnlessTheTreeSaysSo(t *testing.T) {
	for text, want := range map[string]config.Increment{
		"": {Factor: 1, MaxTime: 7 * 24 * time.Hour},
		"bantime.factor = nonsense\nbantime.formula = open('/etc/passwd')": {Factor: 1, MaxTime: 7 * 24 * time.Hour},
		"bantime.increment = true": {Enabled: true, Factor: 1},
		"bantime.increment = true\nbantime.factor = 2*2\nbantime.maxtime = 5m\nbantime.rndtime = 30\nbantime.overalljails = yes": {
			Enabled: true, Factor: 4, MaxTime: 10 * time.Minute, RandomTime: 30 * time.Second, OverallJails: true,
		},
		"bantime.increment = 1\nbantime.multipliers = 1 2  4\nbantime.formula = ban.Time": {Enabled: true, Factor: 1, Multipliers: []int{1, 2, 4}},
		"bantime.increment = on\nbantime.formula = ban.Time * math.exp(float(ban.Count+1)*banFactor)/math.exp(1*banFactor)": {
			Enabled: true, Factor: 1, Formula: "ban.Time * math.exp(float(ban.Count+1)*banFactor)/math.exp(1*banFactor)",
		},
	} {
		r := local(t, "[sshd]\nenabled = true\n"+text+"\n")
		if got := only(t, r).Increment; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", text, got, want)
		}
	}
	r := local(t, "[sshd]\nenabled = true\nbantime.increment = true\nbantime.formula = open('x')\n")
	has(t, r, Broken, "/f2b/jail.local:4: jail sshd: bantime.formula: ")
}

func TestLogPathsAreGlobsOfGo(t *testing.T) {
	r := local(t, `[sshd]
enabled = true
logpath = /a/[!x-z]?*.log
  /b/with space.log tail
  /c/end.log head
  relative.log
  /d/[ab
  /e/[]!-]x\y
  /f/two words
`)
	want := []string{`/a/[^x-z]?*.log`, "/b/with space.log", "/c/end.log", `/d/\[ab`, `/e/[\]!\-]x\\y`}
	if got := only(t, r).LogPath; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	has(t, r, Problem, "/f2b/jail.local:6: jail sshd: logpath: \"relative.log\"")
	has(t, r, Problem, "/f2b/jail.local:9: jail sshd: logpath: \"/f/two words\"")
}

func TestReadFilterOfAFolder(t *testing.T) {
	dir := onDisk(t, stock)
	rules, err := ReadFilter(dir, "sshd", map[string]string{"mode": "aggressive", "logtype": "journal"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`^sshd: bad password of <F-USER>\S+</F-USER> from <HOST>$`, `^sshd: hello from <HOST>$`}
	if !slices.Equal(rules.FailRegex, want) {
		t.Errorf("got %q, want %q", rules.FailRegex, want)
	}
	if _, err := ReadFilter(dir, "../jail", nil); err != nil {
		t.Errorf("got %v: a filter may be anywhere, as for fail2ban", err)
	}
	if _, err := ReadFilter(dir, "nosuch", nil); err == nil {
		t.Error("got no error for a filter that is not there")
	}
}
