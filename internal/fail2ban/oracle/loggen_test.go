package oracle

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// A logLine is a line of a log and when it is read.
type logLine struct {
	at   time.Time
	file string
	text string
}

// A scene is some logs and the jails that read them.
type scene struct {
	jailLocal string // with <dir> for the folder
	files     []string
	lines     []logLine
	ignored   string
}

// A stage writes what daemons write, in their formats, from a seed.
type stage struct {
	*rand.Rand
	zone   *time.Location
	common bool   // one file for all
	stamps string // layout of the syslog's stamps
	events []event
	pids   int
}

// An event is what somebody does at a moment.
type event struct {
	at   time.Time
	file string
	text func(stamp time.Time) string
}

func (s *stage) pick(of ...string) string { return of[s.IntN(len(of))] }

func (s *stage) chance(p float64) bool { return s.Float64() < p }

// services are the jails of a scene, by the file that they read.
var services = map[string]string{
	"sshd": "auth", "postfix": "mail", "postfix-sasl": "mail", "dovecot": "mail",
	"nginx-http-auth": "nginx", "nginx-botsearch": "access", "apache-auth": "apache", "apache-badbots": "access",
}

var serviceModes = map[string][]string{
	"sshd": {"normal", "ddos", "extra", "aggressive"}, "postfix": {"normal", "auth", "rbl", "more", "ddos", "extra", "aggressive"},
	"dovecot": {"normal", "aggressive"}, "apache-auth": {"normal", "aggressive"},
}

func play(seed uint64, increment bool, zone *time.Location) scene {
	s := &stage{Rand: rand.New(rand.NewPCG(seed, 7)), zone: zone}
	s.common = s.chance(0.3)
	s.stamps = s.pick("Jan _2 15:04:05", "Jan _2 15:04:05", "2006-01-02T15:04:05.000000-07:00", "2006-01-02 15:04:05")
	var sc scene
	var conf strings.Builder
	findtime := 60 * (1 + s.IntN(10))
	sc.ignored = s.pick("192.0.2.10 2001:db8::/120", "192.0.2.0/28", "198.51.100.3, 2001:db8:1::7", "")
	fmt.Fprintf(&conf, "[DEFAULT]\nignoreip = %s\nignoreself = false\nfindtime = %d\nmaxretry = %d\nbantime = %d\nusedns = %s\n", sc.ignored,
		findtime, 1+s.IntN(6), 60*(1+s.IntN(20)), s.pick("no", "no", "warn"))
	if increment {
		fmt.Fprintf(&conf, "bantime.increment = true\n%s", s.pick("", "bantime.factor = 2\n", "bantime.multipliers = 1 2 4 8\n", "bantime.maxtime = 1h\n", "bantime.overalljails = true\n",
			"bantime.formula = ban.Time * math.exp(float(ban.Count+1)*banFactor)/math.exp(1*banFactor)\n"))
	}
	for _, name := range sorted(services) {
		if s.chance(0.35) && name != "sshd" {
			continue
		}
		fmt.Fprintf(&conf, "[%s]\nenabled = true\nbackend = polling\nlogpath = <dir>/log/%s.log\n", name, s.file(services[name]))
		if modes := serviceModes[name]; modes != nil {
			fmt.Fprintf(&conf, "mode = %s\n", s.pick(modes...))
		}
		if s.chance(0.3) {
			fmt.Fprintf(&conf, "maxretry = %d\nfindtime = %dm\n", 1+s.IntN(4), 1+s.IntN(15))
		}
	}
	sc.jailLocal = conf.String()
	for _, f := range services {
		sc.files = append(sc.files, s.file(f))
	}
	slices.Sort(sc.files)
	sc.files = slices.Compact(sc.files)
	s.perform(time.Duration(findtime) * time.Second)
	sc.lines = s.write()
	return sc
}

func (s *stage) file(name string) string {
	if s.common {
		return "all"
	}
	return name
}

// perform lets attackers and others act.
func (s *stage) perform(findtime time.Duration) {
	start := time.Date(2026, time.Month(1+s.IntN(12)), 1+s.IntN(28), s.IntN(24), s.IntN(60), s.IntN(60), 0, s.zone)
	span := findtime * time.Duration(4+s.IntN(8))
	for range 6 + s.IntN(10) {
		who := s.address()
		at := start.Add(time.Duration(s.Int64N(int64(span))))
		acts := s.acts()
		act := acts[s.IntN(len(acts))]
		pause := []time.Duration{time.Second, 5 * time.Second, findtime / 5, findtime / 2, findtime - time.Second, findtime, findtime + time.Second, findtime * 2}[s.IntN(8)]
		for range 1 + s.IntN(14) {
			act(at, who)
			if s.chance(0.2) {
				act = acts[s.IntN(len(acts))]
			}
			at = at.Add(pause).Truncate(time.Second)
			if s.chance(0.3) {
				at = at.Add(time.Duration(s.IntN(20)) * time.Second)
			}
		}
	}
	for range 20 {
		f := []string{"auth", "mail", "nginx", "access", "apache"}[s.IntN(5)]
		text := s.pick("", "garbage", "\x00\x01 nonsense", "Jan 99 99:99:99 what", strings.Repeat("x", 300), "from 192.0.2.77 port 22", "2026-02-30 10:00:00 no such day", `{"json": true}`)
		s.events = append(s.events, event{start.Add(time.Duration(s.Int64N(int64(span)))), f, func(time.Time) string { return text }})
	}
}

// reading is how long after its second a line is read. Stamps have whole seconds,
// clocks do not, so that no moment of reading is exactly the end of a ban.
const reading = 250 * time.Millisecond

// write turns the events into lines: each is read a little after it is stamped,
// so that they are slightly out of order.
func (s *stage) write() []logLine {
	slices.SortStableFunc(s.events, func(a, b event) int { return a.at.Compare(b.at) })
	var lines []logLine
	for _, e := range s.events {
		stamp := e.at
		switch {
		case s.chance(0.15):
			stamp = stamp.Add(-time.Duration(s.IntN(10)) * time.Second)
		case s.chance(0.02):
			stamp = stamp.Add(time.Duration(s.IntN(240)-120) * time.Second)
		case s.chance(0.01):
			stamp = stamp.Add(time.Duration(s.IntN(7)-3) * time.Hour)
		}
		lines = append(lines, logLine{e.at.Add(reading), s.file(e.file), e.text(stamp)})
	}
	return lines
}

func (s *stage) address() string {
	switch s.IntN(10) {
	case 0, 1:
		return fmt.Sprintf("2001:db8::%x", s.IntN(512))
	case 2:
		return fmt.Sprintf("2001:db8:1:%x::%x", s.IntN(4), 1+s.IntN(9))
	case 3:
		return fmt.Sprintf("::ffff:192.0.2.%d", s.IntN(32))
	}
	return fmt.Sprintf("%s.%d", s.pick("192.0.2", "198.51.100", "203.0.113"), s.IntN(32))
}

// syslog adds a line of a program in the way of syslog.
func (s *stage) syslog(at time.Time, f, program string, pid int, format string, a ...any) {
	text := fmt.Sprintf(format, a...)
	s.events = append(s.events, event{at, f, func(stamp time.Time) string {
		return fmt.Sprintf("%s mx1 %s[%d]: %s", stamp.In(s.zone).Format(s.stamps), program, pid, text)
	}})
}

type act func(at time.Time, who string)

// acts are what one can do to the services once.
func (s *stage) acts() []act {
	return []act{s.ssh, s.ssh, s.ssh, s.postfix, s.dovecot, s.nginx, s.access, s.apache}
}

// ssh is one connection: several lines of one process.
func (s *stage) ssh(at time.Time, who string) {
	s.pids++
	pid, port := 1000+s.pids, 1024+s.IntN(60000)
	if s.chance(0.1) {
		pid = 1000 + s.IntN(5) // reused
	}
	say := func(format string, a ...any) {
		s.syslog(at, "auth", "sshd", pid, format, a...)
		if s.chance(0.5) {
			at = at.Add(time.Second)
		}
	}
	user := s.pick("root", "admin", "bob", "a b", "from 192.0.2.200", "")
	known := s.chance(0.5)
	who4 := strings.TrimPrefix(who, "::ffff:")
	if !known {
		say("Invalid user %s from %s port %d", user, who4, port)
	}
	for range 1 + s.IntN(2) {
		if s.chance(0.5) {
			say("pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=%s  user=%s", who4, user)
		}
		if known {
			say("Failed %s for %s from %s port %d ssh2", s.pick("password", "password", "publickey", "keyboard-interactive/pam"), user, who4, port)
		} else {
			say("Failed password for invalid user %s from %s port %d ssh2", user, who4, port)
		}
	}
	switch s.IntN(10) {
	case 0:
		say("Accepted password for %s from %s port %d ssh2", s.pick(user, "alice"), who4, port)
		say("pam_unix(sshd:session): session opened for user %s by (uid=0)", user)
		if s.chance(0.5) {
			say("pam_unix(sshd:session): session closed for user %s", user)
		}
	case 1:
		say("Connection closed by %s port %d [preauth]", who4, port)
	case 2:
		say("Connection closed by authenticating user %s %s port %d [preauth]", user, who4, port)
	case 3:
		say("Disconnected from authenticating user %s %s port %d [preauth]", user, who4, port)
	case 4:
		say("error: maximum authentication attempts exceeded for %s from %s port %d ssh2 [preauth]", user, who4, port)
		say("Disconnecting authenticating user %s %s port %d: Too many authentication failures [preauth]", user, who4, port)
	case 5:
		say("Received disconnect from %s port %d:11: Bye Bye [preauth]", who4, port)
	case 6:
		say("Disconnecting: Too many authentication failures [preauth]")
		say("Connection closed by %s port %d [preauth]", who4, port)
	case 7:
		say("User %s from %s not allowed because not listed in AllowUsers", user, who4)
	case 8:
		say("Did not receive identification string from %s port %d", who4, port)
	case 9:
		say("Unable to negotiate with %s port %d: no matching key exchange method found. Their offer: diffie-hellman-group1-sha1 [preauth]", who4, port)
	}
}

func (s *stage) postfix(at time.Time, who string) {
	s.pids++
	who4 := strings.TrimPrefix(who, "::ffff:")
	say := func(format string, a ...any) {
		s.syslog(at, "mail", s.pick("postfix/smtpd", "postfix/smtps/smtpd", "postfix/submission/smtpd"), 5000+s.pids, format, a...)
	}
	client := s.pick("unknown", "mail.example.com") + "[" + who4 + "]"
	say("connect from %s", client)
	switch s.IntN(6) {
	case 0, 1:
		say("warning: %s: SASL %s authentication failed: %s", client, s.pick("LOGIN", "PLAIN", "CRAM-MD5"), s.pick("UGFzc3dvcmQ6", "authentication failure", "Connection lost to authentication server"))
	case 2:
		say("NOQUEUE: reject: RCPT from %s: 554 5.7.1 <a@example.org>: Relay access denied; from=<x@example.net> to=<a@example.org> proto=ESMTP helo=<pc>", client)
	case 3:
		say("NOQUEUE: reject: RCPT from %s: 450 4.7.1 <pc>: Helo command rejected: Host not found; from=<x@example.net> to=<a@example.com> proto=SMTP helo=<pc>", client)
	case 4:
		say("lost connection after %s from %s", s.pick("AUTH", "EHLO", "CONNECT", "UNKNOWN"), client)
	case 5:
		say("too many errors after %s from %s", s.pick("AUTH", "RCPT"), client)
	}
	say("disconnect from %s ehlo=1 auth=0/1 commands=1/2", client)
}

func (s *stage) dovecot(at time.Time, who string) {
	s.pids++
	who = strings.TrimPrefix(who, "::ffff:")
	user := s.pick("bob", "bob@example.com", "")
	text := ""
	switch s.IntN(6) {
	case 0, 1:
		text = fmt.Sprintf("%s-login: Disconnected (auth failed, %d attempts in %d secs): user=<%s>, method=PLAIN, rip=%s, lip=10.0.0.1, TLS, session=<abc/%d>", s.pick("imap", "pop3"), 1+s.IntN(4), s.IntN(30), user, who, s.pids)
	case 2:
		text = fmt.Sprintf("imap-login: Aborted login (auth failed, 1 attempts in 2 secs): user=<%s>, method=LOGIN, rip=%s, lip=10.0.0.1, session=<q%d>", user, who, s.pids)
	case 3:
		text = fmt.Sprintf("auth-worker(%d): pam(%s,%s): %s", s.pids, user, who, s.pick("unknown user", "pam_authenticate() failed: Authentication failure (password mismatch?)"))
	case 4:
		text = fmt.Sprintf("imap-login: Login: user=<%s>, method=PLAIN, rip=%s, lip=10.0.0.1, mpid=%d, TLS, session=<x>", user, who, s.pids)
	case 5:
		text = fmt.Sprintf("imap-login: Aborted login (no auth attempts in 0 secs): user=<>, rip=%s, lip=10.0.0.1, session=<y>", who)
	}
	s.events = append(s.events, event{at, "mail", func(stamp time.Time) string {
		return fmt.Sprintf("%s mx1 dovecot: %s", stamp.In(s.zone).Format(s.stamps), text)
	}})
}

func (s *stage) nginx(at time.Time, who string) {
	s.pids++
	what := s.pick(`user "bob": password mismatch`, `user "x" was not found in "/etc/nginx/htpasswd"`, "no user/password was provided for basic authentication", `open() "/var/www/x" failed (2: No such file or directory)`)
	n := s.pids
	s.events = append(s.events, event{at, "nginx", func(stamp time.Time) string {
		return fmt.Sprintf(`%s [error] 31#31: *%d %s, client: %s, server: www.example.com, request: "GET / HTTP/1.1", host: "www.example.com"`, stamp.In(s.zone).Format("2006/01/02 15:04:05"), n, what, who)
	}})
}

func (s *stage) access(at time.Time, who string) {
	path := s.pick("/", "/wp-login.php", "/phpmyadmin/index.php", "/roundcube/", "/cgi-bin/test.cgi", "/webmail/")
	code := s.pick("200", "404", "404", "403")
	agent := s.pick("Mozilla/5.0 (X11; Linux x86_64)", "curl/8.5.0", "EmailCollector", "WebEMailExtrac", "Atomic_Email_Hunter/4.0", "-")
	s.events = append(s.events, event{at, "access", func(stamp time.Time) string {
		return fmt.Sprintf(`%s - - [%s] "%s %s HTTP/1.1" %s 162 "-" "%s"`, who, stamp.In(s.zone).Format("02/Jan/2006:15:04:05 -0700"), s.pick("GET", "POST"), path, code, agent)
	}})
}

func (s *stage) apache(at time.Time, who string) {
	client := who
	if s.chance(0.7) {
		client = fmt.Sprintf("%s:%d", who, 1024+s.IntN(60000))
	}
	what := s.pick(`AH01617: user bob: authentication failure for "/x": Password Mismatch`, "AH01618: user bob not found: /x", "AH01797: client denied by server configuration: /var/www/x", "AH00128: File does not exist: /var/www/favicon.ico")
	s.events = append(s.events, event{at, "apache", func(stamp time.Time) string {
		return fmt.Sprintf("[%s] [auth_basic:error] [pid 12:tid 139] [client %s] %s", stamp.In(s.zone).Format("Mon Jan 02 15:04:05.000000 2006"), client, what)
	}})
}
