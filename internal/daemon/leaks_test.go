package daemon

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
	"github.com/edgeban/edgeban/internal/notify/ntfytest"
	"github.com/edgeban/edgeban/internal/web"
)

const drillToken = "tk_0123456789abcdefghijklmnopqrs"

// A drill is a daemon, a mail server whose log it reads, and between that and its
// attackers a firewall that passes what its rules say. It lives in a bubble.
type drill struct {
	*testing.T
	dir      string
	firewall *opnsensetest.Firewall
	ntfy     *ntfytest.Server
	networks []netip.Prefix
	settings string // more of edgeban.yaml
	targets  string // more of its targets
	jails    string // in place of those that read the mail server's log
	indoors  indoors

	d    *daemon
	log  *bytes.Buffer
	in   *io.PipeWriter
	stop func()
	n    int // lines
}

// The rules of a firewall that lets mail in and blocks what is banned.
func mailRule() opnsensetest.Rule {
	return opnsensetest.Rule{UUID: "edb00000-0000-4000-9000-000000000002", Fields: map[string]string{
		"action": "pass", "interface": "wan", "ipprotocol": "inet46", "sequence": "20", "description": "mail",
		"protocol": "TCP", "destination_port": "993",
	}}
}

func blockRule(fields ...string) opnsensetest.Rule {
	r := opnsensetest.Rule{UUID: "edb00000-0000-4000-9000-000000000001", Fields: map[string]string{
		"action": "block", "interface": "wan", "ipprotocol": "inet46", "sequence": "10", "description": "bans",
		"source_net": opnsensetest.AliasName,
	}}
	for i := 0; i < len(fields); i += 2 {
		r.Fields[fields[i]] = fields[i+1]
	}
	return r
}

const mailJails = `  dovecot: {logpath: stdin, logtimezone: UTC, bantime: 1d}
  postfix: {logpath: stdin, logtimezone: UTC, bantime: 1d}
`

func newDrill(t *testing.T, rules ...opnsensetest.Rule) *drill {
	dir, err := os.MkdirTemp("", "eb") //nolint:usetesting // outside of the bubble's test
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &drill{T: t, dir: dir, log: &bytes.Buffer{}, jails: mailJails}
	s.firewall = opnsensetest.New(opnsensetest.Options{Rules: append(rules, mailRule()), Users: []opnsensetest.User{{
		Name: "edgeban", Key: opnsensetest.Key, Secret: opnsensetest.Secret,
		Privileges: []string{opnsensetest.Tables, opnsensetest.ShowStates, opnsensetest.FilterAPI},
	}}})
	s.firewall.Apply()
	s.firewall.Insert("__lan_network", "192.168.1.0/24", "2001:db8:1::/64")
	s.ntfy = ntfytest.New(ntfytest.Options{Users: []ntfytest.User{{Name: "e", Tokens: map[string]time.Time{drillToken: {}}, Write: []string{"*"}}}})
	return s
}

// RoundTrip carries the daemon's calls without a network.
func (s *drill) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Hostname() == "192.168.1.1" {
		return s.firewall.Client().RoundTrip(r)
	}
	return s.ntfy.Transport("192.168.1.10:4711").RoundTrip(r)
}

func (s *drill) start() {
	s.Helper()
	yaml := fmt.Sprintf(`state: state
targets:
  - opnsense: {url: https://192.168.1.1, key: %s, secret: %s, alias: %s}
%snotify:
  - ntfy: {url: http://192.168.1.9, topic: alerts, token: %s}
jails:
%s%s`, opnsensetest.Key, opnsensetest.Secret, opnsensetest.AliasName, s.targets, drillToken, s.jails, s.settings)
	path := filepath.Join(s.dir, "edgeban.yaml")
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		s.Fatal(err)
	}
	c, err := config.Load(path)
	if err != nil {
		s.Fatal(err)
	}
	c.Socket = "" // who waits at one keeps the bubble's clock from going on
	out, in := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	s.d, err = start(ctx, Options{
		Config: c, Log: slog.New(slog.NewTextHandler(s.log, nil)), Stdin: out, Transport: s,
		Listen:   s.indoors.listen,
		Networks: func() ([]netip.Prefix, error) { return s.networks, nil },
		HostName: func(_ context.Context, a netip.Addr) string {
			return map[string]string{"192.168.1.50": "printer.lan"}[a.String()]
		},
	})
	if err != nil {
		s.Fatal(err)
	}
	s.in = in
	done := make(chan error, 1)
	go func() { done <- s.d.run(ctx) }()
	s.stop = func() {
		cancel()
		in.Close()
		if err := <-done; err != nil {
			s.Errorf("run: %v", err)
		}
		s.d.close()
	}
	s.pass(5 * time.Second)
}

// pass lets time go by.
func (s *drill) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (s *drill) write(line string) {
	fmt.Fprintf(s.in, "%s %s\n", time.Now().UTC().Format("Jan _2 15:04:05"), line)
	synctest.Wait()
}

// fail is a login that fails at the mail server, in the session of that name.
func (s *drill) fail(addr, session string) {
	s.write(fmt.Sprintf("auth: Info: passwd-file(alice@example.com,%s,<%s>): Password mismatch", addr, session))
}

// knock sends a packet from outside to the mail server. If it arrives, a login
// fails there. Every port is a connection of its own.
func (s *drill) knock(addr string, port uint16) bool {
	v := s.firewall.Packet(opnsensetest.Packet{From: addr, FromPort: port, To: "192.168.1.10", ToPort: 993, Protocol: "tcp", Interface: "wan"})
	if strings.Contains(addr, ":") {
		v = s.firewall.Packet(opnsensetest.Packet{From: addr, FromPort: port, To: "2001:db8:1::10", ToPort: 993, Protocol: "tcp", Interface: "wan"})
	}
	if v.Passed {
		s.fail(addr, fmt.Sprintf("AAAAAAAAAAA%05d", port))
	}
	return v.Passed
}

// attack knocks every ten seconds for a while, by a new connection each time.
func (s *drill) attack(d time.Duration, addrs ...string) (arrived int) {
	for end := time.Now().Add(d); time.Now().Before(end); s.pass(10 * time.Second) {
		for _, addr := range addrs {
			if s.n++; s.knock(addr, uint16(20_000+s.n)) {
				arrived++
			}
		}
	}
	return arrived
}

// alarms are the messages of a kind, by the first word of their title.
func (s *drill) alarms(word string) (texts []string) {
	for _, m := range s.ntfy.Messages("alerts") {
		if strings.HasPrefix(m.Title, word) {
			texts = append(texts, m.Title+"\n"+m.Message)
		}
	}
	return texts
}

func (s *drill) wantAlarm(word, why string) {
	s.Helper()
	got := s.alarms(word)
	if len(got) != 1 || !strings.Contains(got[0], why) {
		s.Errorf("%d alarms %q, want one that says %q\nlog: %s", len(got), got, why, s.log)
	}
}

func (s *drill) wantNoLeak() {
	s.Helper()
	if got := s.alarms("Leak"); len(got) > 0 {
		s.Errorf("alarms %q, want none", got)
	}
	if all := s.d.leaks.Leaking(time.Now()); len(all) > 0 {
		s.Errorf("leaks %+v, want none", all)
	}
}

func (s *drill) holds(addr string) bool {
	a := netip.MustParseAddr(addr)
	return slices.ContainsFunc(s.firewall.Entries(opnsensetest.AliasName), func(p netip.Prefix) bool { return p.Contains(a) })
}

func (s *drill) looked() time.Time { return s.d.current.Load().keepers[0].Status().Looked }

// run runs a drill in a bubble.
func (s *drill) run(f func()) {
	s.start()
	defer s.stop()
	f()
}

func bubble(t *testing.T, f func(t *testing.T)) { t.Helper(); synctest.Test(t, f) }

func TestBanWithoutARuleIsOneAlarm(t *testing.T) {
	for name, c := range map[string]struct {
		rules []opnsensetest.Rule
		says  string
	}{
		"no rule":       {nil, "No rule blocks what is in alias"},
		"disabled":      {[]opnsensetest.Rule{blockRule("enabled", "0")}, "the rule is disabled"},
		"another place": {[]opnsensetest.Rule{blockRule("interface", "lan")}, "attackers come in by wan"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newDrill(t, c.rules...)
				s.run(func() {
					s.attack(5*time.Minute, "203.0.113.9", "203.0.113.10", "203.0.113.11")
					s.wantAlarm("Leak", c.says)
					s.showsLeaks(3, c.says)
				})
			})
		})
	}
}

// showsLeaks wants status, bans and why to tell of leaks.
func (s *drill) showsLeaks(n int, why string) {
	s.Helper()
	st, err := api{s.d}.Status(s.Context())
	if err != nil || len(st.Leaks) != n || st.Healthy || !strings.Contains(strings.Join(st.Troubles, "\n"), why) {
		s.Errorf("status: %d leaks, troubles %q, healthy %v (%v), want %d and %q", len(st.Leaks), st.Troubles, st.Healthy, err, n, why)
	}
	for _, k := range st.Leaks {
		w, err := api{s.d}.Why(s.Context(), k.Subject)
		if err != nil || len(w.Leaks) != 1 || w.Leaks[0].Lines < 2 {
			s.Errorf("why %s: leaks %+v (%v), want one of 2 lines at least", k.Subject, w.Leaks, err)
		}
	}
	bans, err := api{s.d}.Bans(s.Context())
	leaking := slices.DeleteFunc(slices.Collect(bans), func(b web.Ban) bool { return b.Leaking == 0 })
	if err != nil || len(leaking) != n {
		s.Errorf("bans: %d leak (%v), want %d", len(leaking), err, n)
	}
}

func TestIPv6AttackerWithoutAnIPv6RuleIsOneAlarm(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newDrill(t, blockRule("ipprotocol", "inet"))
		s.run(func() {
			s.attack(5*time.Minute, "2001:db8:bad::9", "203.0.113.9", "2001:db8:bad:1::9")
			if s.knock("203.0.113.9", 50_000) {
				t.Error("the IPv4 attacker gets in, want it blocked: the drill is about IPv6")
			}
			s.wantAlarm("Leak", "for inet alone")
		})
	})
}

// The address of a device in the LAN is held, and its packets never cross the
// firewall. The firewall knows its networks, and so does this host.
func TestInsideAttackerIsOneAlarm(t *testing.T) {
	for name, networks := range map[string][]netip.Prefix{
		"the firewall knows": nil,
		"this host knows":    {netip.MustParsePrefix("2001:db8:1::10/64")},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newDrill(t, blockRule())
				s.networks = networks
				s.run(func() {
					for range 30 {
						s.n++
						s.fail("2001:db8:1::50", fmt.Sprintf("AAAAAAAAAAA%05d", s.n))
						s.pass(10 * time.Second)
					}
					if !s.holds("2001:db8:1::50") {
						t.Fatal("the firewall does not list it, want what is listed and of no use")
					}
					s.wantAlarm("Leak", "Look at the device")
				})
			})
		})
	}
}

// A private address is sent to no firewall. That it attacks is told at once, and
// not again because it goes on.
func TestPrivateAttackerIsOneAlarm(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newDrill(t, blockRule())
		s.run(func() {
			for range 30 {
				s.n++
				s.fail("192.168.1.50", fmt.Sprintf("AAAAAAAAAAA%05d", s.n))
				s.pass(10 * time.Second)
			}
			s.wantAlarm("Inside", "A device in your network, 192.168.1.50")
			s.wantNoLeak()
		})
	})
}

// A connection that was there before the ban goes on, and so do its failures.
func TestEstablishedSessionIsOneAlarm(t *testing.T) {
	for name, privileges := range map[string][]string{
		"the firewall shows its state":   {opnsensetest.Tables, opnsensetest.FilterAPI, opnsensetest.ShowStates},
		"the lines show their session":   {opnsensetest.Tables, opnsensetest.FilterAPI},
		"the key may not read the rules": {opnsensetest.Tables, opnsensetest.ShowStates},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newDrill(t, blockRule())
				s.firewall.PutUser(opnsensetest.User{Name: "edgeban", Key: opnsensetest.Key, Secret: opnsensetest.Secret, Privileges: privileges})
				s.run(func() {
					for range 30 {
						s.knock("203.0.113.9", 40_000)
						s.pass(10 * time.Second)
					}
					if s.knock("203.0.113.9", 40_001) {
						t.Fatal("a new connection passes, want it blocked: the drill is about an old one")
					}
					s.wantAlarm("Leak", "from before the ban")
				})
			})
		})
	}
}

func TestBanThatWorksIsNoAlarm(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newDrill(t, blockRule())
		s.run(func() {
			if n := s.attack(10*time.Minute, "203.0.113.9", "2001:db8:bad::9"); n < 10 || n > 14 {
				t.Errorf("%d logins arrive, want those until the bans", n)
			}
			s.wantNoLeak()
		})
	})
}

// Lines that come long after what they tell of are no evidence: a service waits
// minutes for a client whose packets are dropped.
func TestLateLinesAreNoAlarm(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newDrill(t, blockRule())
		s.run(func() {
			s.attack(time.Minute, "203.0.113.9")
			if !s.holds("203.0.113.9") {
				t.Fatal("not banned")
			}
			s.pass(70 * time.Second)
			for i := range 3 { // of connections that began before the ban
				s.write(fmt.Sprintf("imap-login: Info: Disconnected: Inactivity (auth failed, 3 attempts in 180 secs): user=<alice>, method=PLAIN, rip=203.0.113.9, lip=172.30.0.2, TLS, session=<BBBBBBBBBBB%05d>", i))
				s.write(fmt.Sprintf("imap-login: Info: Disconnected: Inactivity (auth failed, 3 attempts): user=<alice>, method=PLAIN, rip=203.0.113.9, lip=172.30.0.2, TLS, session=<CCCCCCCCCCC%05d>", i))
				s.pass(10 * time.Second)
			}
			s.pass(5 * time.Minute)
			s.wantNoLeak()
		})
	})
}

// One line may be anything, and what comes at once was under way.
func TestOneLineAndLinesUnderWayAreNoAlarm(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newDrill(t, blockRule())
		s.run(func() {
			s.attack(50*time.Second, "203.0.113.9")
			if !s.holds("203.0.113.9") {
				t.Fatal("not banned")
			}
			for i := range 5 {
				s.fail("203.0.113.9", fmt.Sprintf("BBBBBBBBBBB%05d", i))
				s.pass(10 * time.Second)
			}
			s.pass(time.Minute)
			s.fail("203.0.113.9", "CCCCCCCCCCC00001")
			s.pass(5 * time.Minute)
			s.wantNoLeak()
			s.fail("203.0.113.9", "CCCCCCCCCCC00002")
			s.pass(5 * time.Minute)
			s.wantAlarm("Leak", "2 lines came since")
		})
	})
}

// Where logs arrive late, their owner says so.
func TestGraceIsTheOwners(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newDrill(t)
		s.settings = "leak_grace: 10m\n"
		s.run(func() {
			s.attack(10*time.Minute, "203.0.113.9")
			s.wantNoLeak()
			s.attack(5*time.Minute, "203.0.113.9")
			s.wantAlarm("Leak", "No rule blocks")
		})
	})
}

// A firewall that reboots has lost its entries until they are sent again: lines of
// that time say nothing of its rules.
func TestRebootOfTheFirewallIsNoAlarm(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newDrill(t, blockRule())
		s.run(func() {
			s.attack(3*time.Minute, "203.0.113.9")
			if !s.holds("203.0.113.9") {
				t.Fatal("not banned")
			}
			for looked := s.looked(); s.looked().Equal(looked); { // the next look is far away
				s.pass(time.Second)
			}
			s.firewall.Reboot()
			if n := s.attack(10*time.Minute, "203.0.113.9"); n < 2 {
				t.Errorf("%d logins arrive after the reboot, want 2 at least: else the drill is about nothing", n)
			}
			s.wantNoLeak()
		})
	})
}

// Nothing is wrong at the firewall, and the packets come all the same.
func TestAnotherWayInIsOneAlarm(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newDrill(t, blockRule())
		s.run(func() {
			for range 30 {
				s.n++
				s.fail("203.0.113.9", fmt.Sprintf("AAAAAAAAAAA%05d", s.n))
				s.pass(10 * time.Second)
			}
			s.wantAlarm("Leak", "another way")
		})
	})
}

// What was told is told once, over restarts too; what is mended is not shown.
func TestRestartTellsNoLeakAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newDrill(t)
		for range 3 {
			s.run(func() { s.attack(5*time.Minute, "203.0.113.9", "203.0.113.10") })
		}
		s.wantAlarm("Leak", "No rule blocks")
		s.run(func() {
			s.showsLeaks(2, "No rule blocks")
			s.firewall.AddRule(blockRule())
			s.firewall.Apply()
			s.firewall.SetStates()
			s.attack(70*time.Minute, "203.0.113.9", "203.0.113.10")
			if all := s.d.leaks.Leaking(time.Now()); len(all) > 0 {
				t.Errorf("an hour after the rule is there: leaks %+v, want none", all)
			}
			s.wantAlarm("Leak", "No rule blocks")
		})
	})
}

// A firewall that does not answer is no leak and no cause. Its trouble is told.
func TestFirewallThatIsAwayIsNoLeak(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newDrill(t)
		s.run(func() {
			s.attack(time.Minute, "203.0.113.9")
			s.firewall.Fail(opnsensetest.ServerError, -1)
			s.attack(10*time.Minute, "203.0.113.9")
			if got := s.alarms("Leak"); len(got) > 0 {
				t.Errorf("alarms %q, want none", got)
			}
			s.firewall.Heal()
			s.attack(10*time.Minute, "203.0.113.9")
			s.wantAlarm("Leak", "No rule blocks")
		})
	})
}
