package doctor_test

import (
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce/feed"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/provision"
	"github.com/edgeban/edgeban/internal/notify/ntfytest"
	"github.com/edgeban/edgeban/internal/web"
)

// A fault is one broken link.
type fault struct {
	name       string
	breaks     func(c *chain)
	part, link string // what must be named
	grade      edgeban.Grade
	fix        string // what must be in the advice
	mend       func(c *chain)
}

const edge, mailLog, dovecot = "target edge", "log mail.log", "jail dovecot"

// proxy adds a Traefik that reads a folder.
func (c *chain) proxy(folder string) {
	c.c.Targets = append(c.c.Targets, config.Target{Name: "proxy", Traefik: &config.Traefik{File: filepath.Join(c.path(folder), "edgeban.yml"), TCP: []string{"smtp"}}})
}

// zone has targets hold whoever attacks from inside.
func (c *chain) zone(targets ...string) {
	c.c.Zones = []config.Zone{{Name: "lan", Targets: targets, Policy: config.PolicyBan}}
}

func logFaults() []fault {
	good := func(c *chain) { c.write("mail.log", failures("203.0.113.5", c.now)) }
	return []fault{
		{"the folder of the logs is not mounted", func(c *chain) {
			c.c.Jails = append(c.c.Jails, c.jail("sshd", "host/auth.log"))
		}, "log host/auth.log", "readable", edgeban.Broken, "mount the folder", func(c *chain) {
			os.Mkdir(c.path("host"), 0o700)
			c.write("host/auth.log", "")
		}},
		{
			"no log is called so", func(c *chain) { os.Rename(c.path("mail.log"), c.path("other.log")) },
			mailLog, "readable", edgeban.Broken, "correct logpath:", func(c *chain) { c.c.Jails[0].LogPath = []string{c.path("other.log")} },
		},
		{
			"the log is a pipe", func(c *chain) { os.Remove(c.path("mail.log")); syscall.Mkfifo(c.path("mail.log"), 0o600) },
			mailLog, "readable", edgeban.Broken, "let the service write to a regular file", func(c *chain) { os.Remove(c.path("mail.log")); good(c) },
		},
		{
			"the log is a folder", func(c *chain) { os.Remove(c.path("mail.log")); os.Mkdir(c.path("mail.log"), 0o700) },
			mailLog, "readable", edgeban.Broken, "name the files in it", func(c *chain) { os.Remove(c.path("mail.log")); good(c) },
		},
		{
			"nothing is written any more", func(c *chain) { c.age("mail.log", 5*24*time.Hour) },
			mailLog, "moving", edgeban.Warning, "still logs there", good,
		},
		{"the service was not told of the rotation", func(c *chain) {
			c.write("mail.log.1", failures("203.0.113.5", c.now))
			c.age("mail.log", time.Hour)
			c.write("mail.log", "")
			c.age("mail.log", time.Hour)
		}, mailLog, "moving", edgeban.Broken, "postrotate", func(c *chain) { good(c) }},
		{
			"failures without a date", func(c *chain) {
				c.write("mail.log", "mx dovecot: auth: passwd-file(root,203.0.113.5,<x>): Password mismatch\n")
			},
			dovecot, "dates", edgeban.Broken, "datepattern:", good,
		},
		{
			"lines in another time zone", func(c *chain) { c.c.Jails[0].LogTimezone = time.FixedZone("", 2*3600) },
			dovecot, "clock", edgeban.Warning, "logtimezone", func(c *chain) { c.c.Jails[0].LogTimezone = time.UTC },
		},
		{
			"the filter cannot be read", func(c *chain) { c.c.Jails[0].Filter = c.path("mine.yaml") },
			dovecot, "filter", edgeban.Broken, "edgeban check", func(c *chain) { c.c.Jails[0].Filter = "dovecot" },
		},
		{
			"the filter is for another log", func(c *chain) { c.c.Jails[0].Filter = "sshd" },
			dovecot, "matches", edgeban.Warning, "filter: dovecot", func(c *chain) { c.c.Jails[0].Filter = "dovecot" },
		},
		{
			"a proxy hides the clients", func(c *chain) { c.write("mail.log", failures("172.30.0.2", c.now)) },
			dovecot, "subjects", edgeban.Broken, "PROXY protocol", good,
		},
	}
}

func hostFaults() []fault {
	return []fault{
		{
			"a jail cannot run", func(c *chain) { c.c.Broken = []config.Broken{{Jail: "web", Why: "jail.local:3: no filter"}} },
			"jail web", "configuration", edgeban.Broken, "edgeban check", func(c *chain) { c.c.Broken = nil },
		},
		{
			"no jail at all", func(c *chain) { c.c.Jails = nil },
			"host", "configuration", edgeban.Broken, "jails:", func(c *chain) { c.c.Jails = []config.Jail{c.jail("dovecot", "mail.log")} },
		},
		{
			"the state is a file", func(c *chain) { c.write("state", "") },
			"host", "state", edgeban.Broken, "name a folder", func(c *chain) { c.c.State = c.path("elsewhere") },
		},
		{
			"no firewall is named", func(c *chain) {
				c.c.Targets = []config.Target{{Name: "feed", Feed: &config.Feed{Listen: "127.0.0.1:9098", StandIn: true}}}
			},
			"host", "enforcement", edgeban.Broken, "edgeban setup opnsense", func(c *chain) { c.c.Targets = newChain(c.t).c.Targets },
		},
		{
			"whom to spare cannot be read", func(c *chain) { c.c.Never = []string{"file:" + c.path("friends")} },
			"host", "never", edgeban.Warning, "correct the word", func(c *chain) { c.write("friends", "192.0.2.7\n") },
		},
		{
			"a client beside the server", func(c *chain) { c.write("mail.log", failures("203.0.113.5", c.now)+failures("192.168.77.50", c.now)) },
			"host", "flat network", edgeban.Warning, "never: [192.168.77.0/24]", func(c *chain) { c.c.Never = []string{"192.168.77.0/24"} },
		},
		{
			"a client beside the server, and a VLAN", func(c *chain) { c.write("mail.log", failures("203.0.113.5", c.now)+failures("192.168.77.50", c.now)) },
			"host", "flat network", edgeban.Warning, "VLAN", func(c *chain) { c.networks = []netip.Prefix{netip.MustParsePrefix("192.168.99.10/24")} },
		},
		{
			"a client beside the server, and a door", func(c *chain) { c.write("mail.log", failures("203.0.113.5", c.now)+failures("192.168.77.50", c.now)) },
			"host", "flat network", edgeban.Warning, "a traefik target", func(c *chain) { c.proxy("."); c.zone("proxy") },
		},
		{
			"a zone that no target stands before", func(c *chain) { c.proxy("."); c.zone("edge") },
			"zone lan", "targets", edgeban.Warning, "name a door", func(c *chain) { c.zone("proxy") },
		},
		{
			"a zone of which one target sees nothing", func(c *chain) { c.proxy("."); c.zone("edge", "proxy") },
			"zone lan", "targets", edgeban.Warning, "take it out", func(c *chain) { c.networks = []netip.Prefix{netip.MustParsePrefix("203.0.113.7/32")} },
		},
		{
			"the folder of Traefik is not mounted", func(c *chain) { c.proxy("dynamic"); c.zone("proxy") },
			"target proxy", "file", edgeban.Broken, "providers.file.directory", func(c *chain) { os.Mkdir(c.path("dynamic"), 0o700) },
		},
		{
			"the daemon complains", func(c *chain) { c.status = &web.Status{Troubles: []string{"target edge: 500"}} },
			"host", "troubles", edgeban.Warning, "edgeban status", func(c *chain) { c.status = &web.Status{} },
		},
		{
			"the list is not served", func(c *chain) { c.list("127.0.0.1:1", "secret-of-the-list") },
			"target list", "served", edgeban.Broken, "kill -HUP", func(c *chain) { c.list(served(c, "secret-of-the-list"), "secret-of-the-list") },
		},
		{
			"the list has another token", func(c *chain) { c.list(served(c, "secret-of-the-list"), "another") },
			"target list", "served", edgeban.Broken, "another token", func(c *chain) { c.list(served(c, "another"), "another") },
		},
		{
			"the list's port is another's", func(c *chain) { c.list(stranger(c), "x") },
			"target list", "served", edgeban.Broken, "free port", func(c *chain) { c.list(served(c, "x"), "x") },
		},
		{
			"the server of messages is away", func(c *chain) { c.c.Notify[0].Ntfy.URL = "http://127.0.0.1:1" },
			"notify ntfy", "reachable", edgeban.Broken, "url:", func(c *chain) { c.c.Notify = newChain(c.t).c.Notify },
		},
		{
			"its token has ended", func(c *chain) { c.ntfy.Forget("edgeban") },
			"notify ntfy", "token", edgeban.Broken, "ntfy token add", allow("*", time.Time{}),
		},
		{
			"its token ends soon", allow("*", time.Now().Add(24*time.Hour)),
			"notify ntfy", "token", edgeban.Warning, "ntfy token add", allow("*", time.Time{}),
		},
		{
			"its topic may not be written", func(c *chain) { c.notify = true; allow("others", time.Time{})(c) },
			"notify ntfy", "test message", edgeban.Broken, "ntfy access", allow("alerts", time.Time{}),
		},
	}
}

// list adds a list that a daemon is to serve.
func (c *chain) list(listen, token string) {
	c.status = &web.Status{}
	c.c.Targets = append(c.c.Targets[:1:1], config.Target{Name: "list", Feed: &config.Feed{Listen: listen, Token: config.NewSecret(token)}})
}

// served returns where a list is served to whoever has the token.
func served(c *chain, token string) string {
	f := feed.New(config.Feed{Token: config.NewSecret(token)}, c.dir, slog.New(slog.DiscardHandler))
	s := httptest.NewServer(f.Handler())
	c.t.Cleanup(func() {
		if notes := f.Notes(); !strings.Contains(notes[0], "nobody has fetched it") {
			c.t.Errorf("the doctor counts as who pulls the list: %q", notes)
		}
		s.Close()
	})
	return s.Listener.Addr().String()
}

// stranger returns where something else listens.
func stranger(c *chain) string {
	s := httptest.NewServer(http.NotFoundHandler())
	c.t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func allow(topic string, end time.Time) func(*chain) {
	return func(c *chain) {
		c.ntfy.Allow(ntfytest.User{Name: "edgeban", Tokens: map[string]time.Time{ntfyToken: end}, Write: []string{topic}})
	}
}

func wayFaults() []fault {
	return []fault{
		{
			"nothing listens there", func(c *chain) { c.edge().URL = "https://127.0.0.1:1" },
			edge, "address", edgeban.Broken, "correct url:", func(c *chain) { c.edge().URL = c.srv.URL },
		},
		{
			"http in place of https", func(c *chain) { c.edge().URL = strings.Replace(c.srv.URL, "https", "http", 1) },
			edge, "address", edgeban.Broken, "url:", func(c *chain) { c.edge().URL = c.srv.URL },
		},
		{
			"https in place of http", func(c *chain) { c.edge().URL, c.edge().Pin = "https"+strings.TrimPrefix(plain(c), "http"), "" },
			edge, "address", edgeban.Broken, "url:", func(c *chain) { c.edge().URL, c.edge().Pin = c.srv.URL, c.pin() },
		},
		{"the port that sends on to https", func(c *chain) {
			u, err := c.wall.ListenRedirect(c.srv.URL)
			if err != nil {
				c.t.Fatal(err)
			}
			c.t.Cleanup(func() { c.wall.Close() })
			c.edge().URL = u
		}, edge, "address", edgeban.Broken, "write url: https://", func(c *chain) { c.edge().URL = c.srv.URL }},
		{
			"a proxy strips the key", func(c *chain) { c.between.strips.Store(true) },
			edge, "address", edgeban.Broken, "Authorization header", func(c *chain) { c.between.strips.Store(false) },
		},
		{
			"a printer answers", func(c *chain) { c.between.otherSite.Store(true) },
			edge, "address", edgeban.Broken, "url:", func(c *chain) { c.between.otherSite.Store(false) },
		},
		{
			"another certificate than the pinned one", func(c *chain) { c.edge().Pin = "sha256:" + strings.Repeat("0", 64) },
			edge, "certificate", edgeban.Broken, "write pin: sha256:", pasted,
		},
		{
			"a certificate of nobody's", func(c *chain) { c.edge().Pin = "" },
			edge, "certificate", edgeban.Broken, "write pin: sha256:", pasted,
		},
		{
			"whoever answers is trusted", func(c *chain) { c.edge().Pin, c.edge().Insecure = "", true },
			edge, "certificate", edgeban.Warning, "write pin: sha256:", func(c *chain) { c.edge().Insecure = false; pasted(c) },
		},
		{
			"the key goes in clear", func(c *chain) { c.edge().URL = plain(c) },
			edge, "certificate", edgeban.Warning, "https://", func(c *chain) { c.edge().URL = c.srv.URL },
		},
		{
			"its clock is off", func(c *chain) { c.between.off.Store(-300) },
			edge, "clock", edgeban.Warning, "time server", func(c *chain) { c.between.off.Store(0) },
		},
		{
			"the key is unknown", func(c *chain) { c.edge().Key = config.NewSecret("gone") },
			edge, "key", edgeban.Broken, "make a new API key", func(c *chain) { c.edge().Key = config.NewSecret(ownKey) },
		},
		{
			"its user is disabled", func(c *chain) {
				c.wall.PutUser(opnsensetest.User{Name: "edgeban", Key: ownKey, Secret: keySecret, Disabled: true})
			},
			edge, "key", edgeban.Broken, "is enabled", (*chain).rightUser,
		},
		{
			"no right to ban", func(c *chain) { c.user(opnsensetest.AliasView, opnsensetest.ShowStates) },
			edge, "privilege for bans", edgeban.Broken, `"Diagnostics: PF Table IP addresses"`, (*chain).rightUser,
		},
		{
			"no right to end connections", func(c *chain) { c.user(opnsensetest.AliasView, opnsensetest.Tables) },
			edge, "privilege for states", edgeban.Broken, `"Diagnostics: Show States"`, (*chain).rightUser,
		},
		{"the key may only read", func(c *chain) {
			c.user(opnsensetest.Tables, opnsensetest.AliasView, opnsensetest.ShowStates, opnsensetest.ReadOnly)
		}, edge, "privilege to write", edgeban.Broken, "System: Deny config write", (*chain).rightUser},
		{
			"nobody may look at rules", func(c *chain) { c.noKey = true },
			edge, "block rule", edgeban.Warning, "edgeban doctor --apikey", func(c *chain) { c.noKey = false },
		},
	}
}

// pasted does what the advice says: the pin that is shown goes into the configuration.
func pasted(c *chain) {
	for _, f := range bad(c.examine()) {
		if _, pin, ok := strings.Cut(f.Fix, "write pin: "); ok {
			c.edge().Pin = pin[:len("sha256:")+64]
		}
	}
	c.edge().Insecure = false
}

// plain returns the URL of the firewall without TLS.
func plain(c *chain) string {
	u, err := c.wall.Listen()
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { c.wall.Close() })
	return u
}

func wallFaults() []fault {
	put := func(a opnsensetest.Alias) func(*chain) {
		return func(c *chain) {
			old, _ := c.wall.Alias(alias)
			a.Name, a.UUID, a.Counters = alias, old.UUID, true
			c.wall.AddAlias(a)
			c.wall.Reconfigure()
		}
	}
	changed := func(fields map[string]string) func(*chain) { return func(c *chain) { c.rule(fields) } }
	return []fault{
		{
			"no alias", func(c *chain) { c.edge().Alias = "nobody" },
			edge, "alias", edgeban.Broken, "edgeban setup opnsense", func(c *chain) { c.edge().Alias = alias },
		},
		{
			"the alias is disabled", put(opnsensetest.Alias{Disabled: true}),
			edge, "alias", edgeban.Broken, "edgeban setup opnsense", (*chain).wan,
		},
		{
			"the alias is of type Host(s)", put(opnsensetest.Alias{Type: "host"}),
			edge, "alias type", edgeban.Warning, "--take-over", func(c *chain) { c.setup(provision.Wish{TakeOver: true, Interfaces: []string{"wan"}}) },
		},
		{
			"the alias is for ports", put(opnsensetest.Alias{Type: "port"}),
			edge, "alias type", edgeban.Broken, "another name as alias:", put(opnsensetest.Alias{}),
		},
		{"the alias was never applied", func(c *chain) {
			fields := map[string]string{"source_net": "new"}
			c.wall.AddAlias(opnsensetest.Alias{Name: "new", Counters: true})
			c.edge().Alias = "new"
			c.wall.AddRule(opnsensetest.Rule{UUID: "33333333-3333-4333-8333-333333333333", Fields: map[string]string{"action": "block", "interface": "wan", "ipprotocol": "inet46", "source_net": fields["source_net"]}})
		}, edge, "table", edgeban.Broken, "Apply", func(c *chain) { c.wall.Reconfigure(); c.wall.Apply() }},
		{"the tables are full", fill, edge, "room", edgeban.Broken, "Firewall Maximum Table Entries", empty},
		{
			"the tables are nearly full", func(c *chain) { fill(c); c.wall.Remove(moreTables, "10.0.0.7", "10.0.0.8") },
			edge, "room", edgeban.Warning, "Firewall Maximum Table Entries", empty,
		},
		{
			"what is banned stays for ever", func(c *chain) { c.between.swallows.Store(true) },
			edge, "canary", edgeban.Broken, "remove 192.0.2.", func(c *chain) {
				c.between.swallows.Store(false)
				for _, p := range c.wall.Entries(alias) {
					c.wall.Remove(alias, p.Addr().String())
				}
			},
		},
		{
			"no rule", func(c *chain) { c.wall.RemoveRule(ourRule); c.wall.Apply() },
			edge, "block rule", edgeban.Broken, "edgeban setup opnsense", (*chain).wan,
		},
		{
			"the rule lets pass", changed(map[string]string{"action": "pass"}),
			edge, "block rule", edgeban.Broken, "edgeban setup opnsense", func(c *chain) { c.wall.RemoveRule(ourRule); c.wan() },
		},
		{
			"the rule is disabled", changed(map[string]string{"enabled": "0"}),
			edge, "block rule enabled", edgeban.Broken, "edgeban setup opnsense", (*chain).wan,
		},
		{
			"the rule stands on the LAN", changed(map[string]string{"interface": "lan"}),
			edge, "block rule interface", edgeban.Broken, "edgeban setup opnsense", (*chain).wan,
		},
		{
			"the rule is for all but the WAN", changed(map[string]string{"interface": "wan", "interfacenot": "1"}),
			edge, "block rule interface", edgeban.Broken, "edgeban setup opnsense", (*chain).wan,
		},
		{
			"the rule is for what goes out", changed(map[string]string{"direction": "out"}),
			edge, "block rule direction", edgeban.Broken, "edgeban setup opnsense", (*chain).wan,
		},
		{
			"the rule is for TCP", changed(map[string]string{"protocol": "TCP"}),
			edge, "block rule scope", edgeban.Broken, "edgeban setup opnsense", (*chain).wan,
		},
		{
			"the rule blocks all but the banned", changed(map[string]string{"source_not": "1"}),
			edge, "block rule scope", edgeban.Broken, "invert", changed(nil),
		},
		{
			"the rule is for one port", changed(map[string]string{"protocol": "TCP", "destination_port": "22"}),
			edge, "block rule scope", edgeban.Broken, "edgeban setup opnsense", (*chain).wan,
		},
		{"the rule was never applied", func(c *chain) {
			c.wall.RemoveRule(ourRule)
			c.wall.Apply()
			c.wall.AddRule(opnsensetest.Rule{UUID: ourRule, Fields: map[string]string{"action": "block", "interface": "wan", "ipprotocol": "inet46", "source_net": alias}})
		}, edge, "block rule in force", edgeban.Broken, "--apply", func(c *chain) { c.setup(provision.Wish{Interfaces: []string{"wan"}, Apply: true}) }},
		{
			"IPv6 is let in", changed(map[string]string{"ipprotocol": "inet"}),
			edge, "IPv6 covered", edgeban.Broken, "IPv4+IPv6", (*chain).wan,
		},
		{
			"IPv4 is let in", changed(map[string]string{"ipprotocol": "inet6"}),
			edge, "IPv4 covered", edgeban.Broken, "IPv4+IPv6", (*chain).wan,
		},
		{
			"a pass rule comes first", changed(map[string]string{"sequence": "20"}),
			edge, "pass rules", edgeban.Broken, "--interfaces all", func(c *chain) { c.setup(provision.Wish{}) },
		},
		{
			"a pass rule comes last, and nothing is quick", changed(map[string]string{"quick": "0"}),
			edge, "pass rules", edgeban.Broken, "--interfaces all", func(c *chain) { c.setup(provision.Wish{}) },
		},
	}
}

func fill(c *chain) {
	var items []string
	for i := range 1000 {
		items = append(items, fmt.Sprintf("10.0.%d.%d", i/250, i%250))
	}
	c.wall.Insert(moreTables, items...)
}

func empty(c *chain) {
	for _, p := range c.wall.Entries(moreTables) {
		c.wall.Remove(moreTables, p.Addr().String())
	}
}

// What is in order is said with its evidence, whoever vouches for the certificate.
func TestACertificateOfAKnownAuthority(t *testing.T) {
	c := newChain(t)
	c.write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.srv.Certificate().Raw})))
	c.edge().Pin, c.edge().CA = "", c.path("ca.pem")
	found := c.examine()
	i := slices.IndexFunc(found, func(f edgeban.Finding) bool { return f.Link == "certificate" })
	if len(bad(found)) > 0 || i < 0 || !strings.HasPrefix(found[i].Evidence, "verified, valid until 20") {
		t.Errorf("got\n%s", tell(found))
	}
}

// The doctor changes nothing that stays: no ledger, no file, no entry, no configuration.
func TestTheDoctorLeavesNothingBehind(t *testing.T) {
	c := newChain(t)
	c.wall.Insert(alias, "203.0.113.77")
	c.notify = true
	c.examine()
	if got := c.wall.Table(alias); !slices.Equal(got, []string{"203.0.113.77"}) {
		t.Errorf("the alias holds %v, want what it held", got)
	}
	if n := c.wall.ConfigWrites(); n > 0 {
		t.Errorf("the firewall's configuration was written %d times", n)
	}
	files, err := os.ReadDir(c.dir)
	if err != nil || len(files) != 1 {
		t.Errorf("the folder holds %v, %v; want the log alone", files, err)
	}
	if got := c.ntfy.Messages("alerts"); len(got) != 1 || got[0].Title != "edgeban doctor" {
		t.Errorf("the phone got %+v, want the one test message", got)
	}
}

// Of every link that is broken exactly that one is named, and what is advised mends it.
func TestEveryBrokenLinkIsNamedAndItsFixMendsIt(t *testing.T) {
	faults := append(append(append(logFaults(), hostFaults()...), wayFaults()...), wallFaults()...)
	if len(faults) < 25 {
		t.Fatalf("%d faults, want 25 at least", len(faults))
	}
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			c := newChain(t)
			if found := bad(c.examine()); len(found) > 0 {
				t.Fatalf("before anything is broken:\n%s", tell(found))
			}
			f.breaks(c)
			part := f.part
			if name, ok := strings.CutPrefix(part, "log "); ok {
				part = "log " + filepath.Join(c.dir, name)
			}
			found := c.examine()
			wrong := bad(found)
			if len(wrong) != 1 || wrong[0].Part != part || wrong[0].Link != f.link || wrong[0].Grade != f.grade {
				t.Fatalf("got\n%swant one: %s | %s | %s\nof\n%s", tell(wrong), part, f.link, f.grade, tell(found))
			}
			if !strings.Contains(wrong[0].Fix, f.fix) || wrong[0].Evidence == "" {
				t.Errorf("got evidence %q and the advice %q, want in it %q", wrong[0].Evidence, wrong[0].Fix, f.fix)
			}
			f.mend(c)
			if found := c.examine(); len(bad(found)) > 0 {
				t.Errorf("after the advice was taken:\n%s", tell(bad(found)))
			}
			if left := c.wall.Entries(alias); len(left) > 0 {
				t.Errorf("the doctor has left %v in the alias", left)
			}
		})
	}
}

// On a new mail server the only failures are those of doctor --mail itself, which come
// from this host: the next look must not say that the PROXY protocol is off.
func TestTheDoctorsOwnLoginsHideNobody(t *testing.T) {
	c := newChain(t)
	stamp := c.now.UTC().Format(time.Stamp)
	var imap, smtp strings.Builder
	for i := range 4 {
		fmt.Fprintf(&imap, "%s mx dovecot: auth: passwd-file(edgeban-doctor-a%d,127.0.0.1,<x%d>): unknown user\n", stamp, i, i)
		fmt.Fprintf(&smtp, "%s mx postfix/smtps/smtpd[7]: warning: unknown[127.0.0.1]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=edgeban-doctor-b%d\n", stamp, i)
		fmt.Fprintf(&smtp, "%s mx postfix/smtps/smtpd[7]: improper command pipelining after CONNECT from unknown[127.0.0.1]: PROXY TCP4 192.0.2.77 192.0.2.1 40000 587\\r\\n\n", stamp)
	}
	c.write("mail.log", imap.String())
	c.write("smtp.log", smtp.String())
	c.c.Jails = append(c.c.Jails, c.jail("postfix", "smtp.log"))
	if found := bad(c.examine()); len(found) > 0 {
		t.Errorf("after the doctor alone:\n%s", tell(found))
	}
	for _, f := range c.examine() {
		if f.Link == "matches" && f.Grade != edgeban.Good {
			t.Errorf("%s: %s, and the filter did find the doctor", f.Part, f.Evidence)
		}
	}
	c.write("mail.log", imap.String()+failures("127.0.0.1", c.now))
	if found := bad(c.examine()); len(found) != 1 || found[0].Link != "subjects" {
		t.Errorf("once clients come from there as well, want their jail's subjects alone:\n%s", tell(found))
	}
}
