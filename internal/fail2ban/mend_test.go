package fail2ban

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// An action that names a firewall is why somebody runs this: a mistake in it must
// not look like a small thing while the bans go nowhere.
func TestAFirewallThatCannotBeToldIsAProblem(t *testing.T) {
	const good = `firewall=fw,key=k,secret=hunter2,alias=bl`
	for action, want := range map[string]string{
		`opnsense[firewall=fw,secret=s,alias=bl]`:                        "action opnsense: has no key; write it in the action's brackets, or below [Init] in action.d/opnsense.local; until then no firewall is told of its bans",
		`opnsense[firewal=fw,key=k,secret=hunter2,alias=bl]`:             `action opnsense: knows no option "firewal"; did you mean firewall?`,
		`opnsense[` + good + `,pinn="sha256:0"]`:                         `knows no option "pinn"; did you mean pin?`,
		`opnsense[firewall=fw,key=k,secret="100%hunter2",alias=bl]`:      "a % stands for nothing; write %% for the sign itself",
		`OPNsense[` + good + `]`:                                         "action OPNsense: there is no action.d/OPNsense.conf; did you mean opnsense?; until then no firewall is told",
		`opnsens[` + good + `]`:                                          "did you mean opnsense?",
		`opnsense-api`:                                                   "action opnsense-api: runs commands, and edgeban runs none; write opnsense[",
		`nfty[ntfytopic=a]`:                                              "did you mean ntfy?",
		`opnsense-alias[osaddress=fw,oskey=k,ossecret=hunter2,osalias=]`: "action opnsense-alias: has no osalias",
	} {
		r := all(t, map[string]string{
			"jail.local":                 "[sshd]\nenabled = true\naction = " + action + "\n",
			"action.d/opnsense-api.conf": "[Definition]\nactionban = curl <ip>\n",
		})
		only(t, r)
		if n := has(t, r, Problem, want); n.File != "/f2b/jail.local" || n.Line != 3 || n.Jail != "sshd" {
			t.Errorf("%s: got the place %s:%d of %q", action, n.File, n.Line, n.Jail)
		}
		for _, n := range r.Notes {
			if strings.Contains(n.Text, "hunter2") {
				t.Errorf("%s: a secret is told: %v", action, n)
			}
		}
	}
}

func TestAJailThatCannotTellItsFirewallSaysWhereItsBansGo(t *testing.T) {
	r := local(t, "[DEFAULT]\n"+banaction+"[sshd]\nenabled = true\n[web]\nenabled = true\naction = opnsense[firewall=fw,key=k,secret=s]\n")
	if n := has(t, r, Problem, "has no alias"); n.Jail != "web" || !strings.HasSuffix(n.Text, "; until then its bans go to all other targets") {
		t.Errorf("got %v", n)
	}
	r = local(t, "[sshd]\nenabled = true\n"+banaction+"action = %(action_)s\n   opnsense[firewall=fw,key=k,secret=s]\n")
	if n := has(t, r, Problem, "has no alias"); strings.Contains(n.Text, "until then") {
		t.Errorf("got %v of a jail whose bans go where it says", n)
	}
}

func TestKeysThatMayNotBeReadAreAProblem(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	files := map[string]string{"jail.local": "[sshd]\nenabled = true\nbanaction = opnsense\n", "action.d/opnsense.local": "[Init]\nkey = k\n"}
	for name, text := range stock {
		files[name] = text
	}
	dir := onDisk(t, files)
	if err := os.Chmod(filepath.Join(dir, "action.d/opnsense.local"), 0); err != nil {
		t.Fatal(err)
	}
	r, err := Read(dir, 1000)
	if err != nil {
		t.Fatal(err)
	}
	only(t, r)
	if n := has(t, r, Problem, "may not be read"); !strings.HasSuffix(n.File, "opnsense.local") || !strings.Contains(n.Text, "uid 1000") {
		t.Errorf("got %v", n)
	}
}

// modes is a filter of which a mode chooses the patterns.
const modes = `[Definition]
failregex = %s<m-<mode>>
  ^bad <m-<mode>-end>$
m-normal = ^one <HOST>$
m-normal-end = <HOST>
m-extra = ^two <HOST>$
m-extra-end = <HOST> port
[Init]
mode = normal
`

func TestAModeThatIsMisspeltIsNamedWhereItIsWritten(t *testing.T) {
	for name, c := range map[string]struct {
		local, first string
		level        Level
		want         string
	}{
		"runs":       {"mode = extar", "^bad <HOST>$\n  ^x ", Broken, "/f2b/jail.local:3: jail web: mode = extar: the filter knows extra, normal"},
		"brackets":   {"filter = web[mode=extar]", "", Broken, "/f2b/jail.local:3: jail web: mode = extar: the filter knows extra, normal"},
		"it is good": {"mode = extra", "", Info, ""},
	} {
		r := all(t, map[string]string{
			"jail.local":        "[web]\nenabled = true\n" + c.local + "\n",
			"filter.d/web.conf": strings.Replace(modes, "%s", c.first, 1),
		})
		if c.want != "" {
			has(t, r, c.level, c.want)
		}
		for _, n := range r.Notes {
			if n.Level != Info && !strings.Contains(n.Text, "the filter knows") {
				t.Errorf("%s: got %v as well", name, n)
			}
		}
	}
	r := all(t, map[string]string{
		"jail.local":        "[web]\nenabled = true\nmode = extar\n",
		"filter.d/web.conf": "[Definition]\nfailregex = ^bad <HOST>$\n  ^<m-<mode>> <HOST>$\nm-normal = one\nm-extra = two\n",
	})
	only(t, r) // weaker than it should be, as with fail2ban
	has(t, r, Problem, "/f2b/jail.local:3: jail web: mode = extar: the filter knows extra, normal")
}

func TestATagThatStandsForNothingIsNamed(t *testing.T) {
	r := all(t, map[string]string{
		"jail.local":        "[web]\nenabled = true\n",
		"filter.d/web.conf": "[Definition]\nfailregex = ^<_prefix><HOST>$\n  ^(?P<who>\\w+) \\<root> <F-USER>x</F-USER> <HOST>$\nignoreregex = ^<host>$\n",
	})
	only(t, r)
	has(t, r, Warning, "/f2b/filter.d/web.conf:2: jail web: failregex[1]: the tag <_prefix> stands for nothing")
	has(t, r, Warning, "/f2b/filter.d/web.conf:4: jail web: ignoreregex[1]: the tag <host> stands for nothing, and is looked for as it stands; write <HOST>")
	for _, n := range r.Notes {
		if strings.Contains(n.Text, "<who>") || strings.Contains(n.Text, "<root>") || strings.Contains(n.Text, "<F-") {
			t.Errorf("got %v", n)
		}
	}
}

func TestALogpathThatNamesNoLogIsNamedOnItsLine(t *testing.T) {
	for line, want := range map[string]string{
		"auth.log":                       "write the path from the root, such as /var/log/auth.log",
		`"/var/log/auth.log"`:            "the quotes are taken for a part of it; write /var/log/auth.log",
		"/var/log/a.log,/var/log/b.log":  "a comma separates nothing",
		"/var/log/a.log, /var/log/b.log": "a comma separates nothing",
		"/var/log/a.log /var/log/b.log":  "a line has one path",
		"a.log b.log":                    "a line has one path",
		"/var/log/my file.log":           "after a path with a space write head or tail",
	} {
		r := local(t, "[web]\nenabled = true\nlogpath = "+line+"\n[sshd]\nenabled = true\n")
		n := has(t, r, Broken, want)
		if n.Line != 3 || n.Jail != "web" || strings.Contains(n.Text, "journal") || !strings.Contains(n.Text, "has no logpath") {
			t.Errorf("%s: got %v", line, n)
		}
		r = local(t, "[web]\nenabled = true\nlogpath = /good.log\n  "+line+"\n")
		only(t, r)
		if n := has(t, r, Problem, want); n.Line != 4 {
			t.Errorf("%s: got %v", line, n)
		}
	}
}

func TestACurlThatNeverLookedAtTheCertificateIsTold(t *testing.T) {
	for curl, want := range map[string]string{
		"curl -s -k -X POST <url>":         "action opnsense: edgeban looks at the firewall's certificate; if it signed that itself, run",
		"curl --insecure <url>":            "edgeban looks at the firewall's certificate",
		"curl -sk <url>":                   "edgeban looks at the firewall's certificate",
		"curl -s <url>/-k":                 "",
		"allow_insecure = yes":             `/f2b/jail.local:3: jail sshd: allow_insecure = "yes": only the word true counts`,
		"curl -k <url>\nallow_insecure=no": "",
	} {
		action := "[Definition]\nactionban = " + curl + "\n[Init]\n"
		more := ""
		if strings.HasPrefix(curl, "allow") {
			action, more = "", ",allow_insecure=yes"
		}
		if ban, init, ok := strings.Cut(curl, "\n"); ok {
			action = "[Definition]\nactionban = " + ban + "\n[Init]\n" + init + "\n"
		}
		r := all(t, map[string]string{
			"jail.local":             "[sshd]\nenabled = true\n" + strings.Replace(banaction, "]", more+"]", 1),
			"action.d/opnsense.conf": action,
		})
		if want == "" {
			quiet(t, r)
		} else {
			has(t, r, Warning, want)
		}
		if firewallOf(t, r).Insecure {
			t.Errorf("%s: the firewall is not verified", curl)
		}
	}
}

func TestAllFaultsOfAJailAreToldAtOnce(t *testing.T) {
	r := local(t, `[web]
enabled = true
maxretry = five
findtime = never
bantime = soon
bantime.increment = true
bantime.factor = much
bantime.rndtime = some
logpath = web.log
ignoreip = 10.0.0.0/33
failregex = ^(<HOST>
  ^fine <HOST>$
  ^nobody$
action = nosuch
fintime = 10m
`)
	var got []int
	for _, n := range r.Notes {
		if n.Jail == "web" && n.Level != Info {
			got = append(got, n.Line)
		}
	}
	if want := []int{3, 4, 5, 7, 8, 9, 10, 11, 13, 14, 15}; !slices.Equal(got, want) {
		t.Errorf("got faults on lines %v, want %v: %v", got, want, r.Notes)
	}
}

func TestAnAddressThatIsNotSparedIsAProblem(t *testing.T) {
	for word, want := range map[string]string{
		"192.168.0.300": `"192.168.0.300" is not an address`, "10.0.0.0/33": `"10.0.0.0/33"`, "file:mine": "write file: and an absolute path", "10.0.0.0/255.0.255.0": "is no mask",
	} {
		r := local(t, "[sshd]\nenabled = true\nignoreip = 127.0.0.1\n "+word+"\n")
		if n := has(t, r, Problem, "ignoreip: "); !strings.Contains(n.Text, want) || n.Line != 4 {
			t.Errorf("%s: got %v", word, n)
		}
		if got := only(t, r).IgnoreIP; !slices.Equal(got, []string{"127.0.0.1"}) {
			t.Errorf("%s: got %v", word, got)
		}
	}
}

func TestATopicThatAnybodyReadsIsTold(t *testing.T) {
	for params, open := range map[string]bool{"": true, "[ntfytopic=mine_8461]": false, `[ntfyurl="https://ntfy.example.org"]`: false} {
		r := local(t, "[sshd]\nenabled = true\naction = iptables\n  ntfy"+params+"\n")
		if open {
			has(t, r, Warning, "whoever likes reads the topic alerts of https://ntfy.sh; write ntfytopic=")
		} else {
			quiet(t, r)
		}
	}
}

func TestAnOptionThatIsIndentedIsNamed(t *testing.T) {
	for option, want := range map[string]string{
		"maxretry = 3\n  bantime = 5d":        "maxretry: line 4 is indented, and so continues the value of line 3",
		"findtime = 3\n\n  logpath = /x":      "findtime: line 5 is indented",
		"bantime = 1d\n  action = iptables":   "bantime: line 4 is indented",
		"bantime = 1d\n# so\n\tignoreip = ::": "bantime: line 5 is indented",
	} {
		r := local(t, "[sshd]\nenabled = true\n"+option+"\n")
		has(t, r, Broken, want)
	}
	r := local(t, "[sshd]\nenabled = true\n  maxretry = 3\n")
	if n := has(t, r, Problem, "enabled: line 3 is indented"); n.Jail != "sshd" || n.Line != 3 {
		t.Errorf("got %v", n)
	}
}

func TestAMisspeltOptionIsNamed(t *testing.T) {
	r := all(t, map[string]string{
		"jail.local": `[DEFAULT]
banacton = iptables
findtimes = 5m
findtime = %(findtimes)s
mine = yes
[sshd]
enabled = true
ignorip = 192.0.2.1
maxretries = 9
fintime = 1h
logpaths = /l
bantme = 1d
port = 22
[web]
enable = true
fintime = 1
[gone]
enabled = ture
`,
		"paths.conf": "[DEFAULT]\nauth_log = /var/log/auth.log\n",
	})
	only(t, r)
	for line, want := range map[int]string{
		2: `"banacton": there is no such option, and it does nothing; did you mean banaction?`,
		8: "mean ignoreip?", 9: "mean maxretry?", 10: "mean findtime?", 11: "mean logpath?", 12: "mean bantime?",
		15: `jail web: "enable": there is no such option, and the jail is not enabled; write enabled = true`,
	} {
		if n := has(t, r, Warning, want); n.Line != line {
			t.Errorf("%s: got line %d, want %d", want, n.Line, line)
		}
	}
	has(t, r, Problem, `/f2b/jail.local:18: jail gone: enabled: "ture" means no to fail2ban`)
	n := 0
	for _, note := range r.Notes {
		if note.Level != Info {
			n++
		}
	}
	if n != 8 {
		t.Errorf("got %d notes, want 8: %v", n, r.Notes)
	}
}

func TestJailsThatNobodyEnabledAreKnown(t *testing.T) {
	r := local(t, "[sshd]\nenabled = true\n[mine]\nfilter = web\n")
	want := []Disabled{{"web", "/f2b/jail.conf", 30}, {"recidive", "/f2b/jail.conf", 33}, {"mine", "/f2b/jail.local", 3}}
	if !slices.Equal(r.Disabled, want) {
		t.Errorf("got %v, want %v", r.Disabled, want)
	}
	quiet(t, r)
}

func TestNamesAreToldOnlyToThoseWhoWroteThem(t *testing.T) {
	for file, want := range map[string]bool{"jail.conf": false, "jail.local": true} {
		files := map[string]string{"jail.local": "[sshd]\nenabled = true\n"}
		text := stock["jail.conf"]
		if files[file] == "" {
			files[file] = text
		}
		files[file] = strings.Replace(files[file], "usedns = no\n", "", 1) + "[extra]\nusedns = warn\nfilter = web\nlogpath = /l\nenabled = true\n"
		r := all(t, files)
		got := slices.ContainsFunc(r.Notes, func(n Note) bool { return strings.Contains(n.Text, "usedns = warn") })
		if got != want {
			t.Errorf("usedns = warn in %s: told: %v, want %v", file, got, want)
		}
	}
	r := local(t, "[sshd]\nenabled = true\nusedns = yes\n")
	has(t, r, Info, "/f2b/jail.local:3: jail sshd: usedns = yes: an attacker chooses what his name resolves to")
}

func TestACommandThatSparesSaysHowToRunWithoutIt(t *testing.T) {
	r := local(t, "[web]\nenabled = true\nignorecommand = /bin/spare <ip>\n")
	has(t, r, Broken, `below [web] in jail.local: "ignorecommand =" with nothing behind it, and "ignoreip = "`)
	r = local(t, "[web]\nenabled = true\nignorecommand =\nignoreip = 192.0.2.1\n")
	only(t, r)
}
