package provision_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/api"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/provision"
)

const (
	alias    = "edgeban"
	attacker = "203.0.113.9"
)

var attackers = []string{attacker, "2001:db8:bad::9"}

// versions are those that setup knows: one of each that differs.
var versions = []string{"25.1", "25.7.11", "26.1.1", "26.1.10", "26.7", "26.7.2"}

func setupUser(privileges ...string) opnsensetest.User {
	return opnsensetest.User{Name: "setup", Key: opnsensetest.Key, Secret: opnsensetest.Secret, Privileges: privileges}
}

func everything() opnsensetest.User {
	return setupUser(opnsensetest.AliasEdit, opnsensetest.FilterAPI, opnsensetest.Tables, opnsensetest.Dashboard)
}

// A site is a firewall with a mail server behind it, and its API.
type site struct {
	t    *testing.T
	wall *opnsensetest.Firewall
	api  *api.Client
}

func newSite(t *testing.T, o opnsensetest.Options) *site {
	t.Helper()
	if o.Users == nil {
		o.Users = []opnsensetest.User{everything()}
	}
	if o.Aliases == nil {
		o.Aliases = []opnsensetest.Alias{{Name: "somebody_elses"}}
	}
	o.Rules = append(o.Rules, opnsensetest.Rule{Legacy: true, Fields: map[string]string{"action": "pass", "interface": "wan", "ipprotocol": "inet46", "protocol": "TCP", "destination_port": "993", "description": "IMAP"}})
	s := &site{t: t, wall: opnsensetest.New(o)}
	url, err := s.wall.ListenTLS()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.wall.Close() })
	pin, err := s.wall.Pin()
	if err != nil {
		t.Fatal(err)
	}
	s.api, err = api.Dial(config.OPNsense{
		URL: url, Pin: pin, Key: config.NewSecret(opnsensetest.Key), Secret: config.NewSecret(opnsensetest.Secret), Timeout: 10 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func wish() provision.Wish { return provision.Wish{Alias: alias, Interfaces: []string{"wan"}} }

func (s *site) plan(w provision.Wish) *provision.Plan {
	s.t.Helper()
	p, err := provision.New(s.t.Context(), s.api, w)
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// run sets the firewall up, and fails unless nothing is left to do then.
func (s *site) run(w provision.Wish) {
	s.t.Helper()
	if err := s.plan(w).Run(s.t.Context(), func(provision.Step) {}); err != nil {
		s.t.Fatal(err)
	}
	w.Apply = false
	s.done(w)
}

func (s *site) done(w provision.Wish) {
	s.t.Helper()
	if left := steps(s.plan(w)); len(left) > 0 {
		s.t.Errorf("left to do: %q", left)
	}
}

func steps(p *provision.Plan) (does []string) {
	for _, step := range p.Steps {
		does = append(does, step.Does)
	}
	return does
}

// gets reports whether a new connection of an attacker passes an interface.
func (s *site) gets(from, iface string) bool {
	s.wall.SetStates()
	return s.wall.Packet(opnsensetest.Packet{From: from, Interface: iface, ToPort: 993}).Passed
}

// What setup makes holds the packets of who is banned then, in every version; it
// changes nothing before it is told to, and nothing twice.
func TestSetupBlocksWhatIsBannedAndChangesNothingTwice(t *testing.T) {
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, opnsensetest.Options{Version: version})
			rules := len(s.wall.Rules())
			if got := steps(s.plan(wish())); len(got) != 3 {
				t.Errorf("the preview is %q, want the alias, the rule and to apply", got)
			}
			if n := s.wall.ConfigWrites(); n > 0 {
				t.Errorf("the preview wrote the configuration %d times", n)
			}
			s.run(wish())
			a, _ := s.wall.Alias(alias)
			if a.Type != "external" || !a.Counters || a.Disabled {
				t.Errorf("the alias is %+v, want an External one with counters", a)
			}
			for _, from := range attackers {
				if !s.gets(from, "wan") {
					t.Errorf("%s does not get in before it is banned", from)
				}
			}
			s.wall.Insert(alias, attackers...)
			for _, from := range attackers {
				if s.gets(from, "wan") {
					t.Errorf("%s is banned, and gets in\n%s", from, s.wall.RulesText())
				}
			}
			writes := s.wall.ConfigWrites()
			s.run(wish())
			if n := s.wall.ConfigWrites() - writes; n > 0 {
				t.Errorf("the second time wrote the configuration %d times", n)
			}
			if got := len(s.wall.Rules()); got != rules+1 {
				t.Errorf("%d rules more than before, want 1", got-rules)
			}
		})
	}
}

func TestEveryInterfaceAndTheWayOut(t *testing.T) {
	for _, version := range versions {
		s := newSite(t, opnsensetest.Options{Version: version})
		w := provision.Wish{Alias: alias, Out: true}
		s.run(w)
		s.wall.Insert(alias, attackers...)
		for _, iface := range []string{"wan", "lan", "opt1"} {
			if s.gets(attacker, iface) {
				t.Errorf("%s: who is banned comes in by %s", version, iface)
			}
			if v := s.wall.Packet(opnsensetest.Packet{From: "192.168.20.7", To: attacker, Interface: iface, Out: true, ToPort: 443}); v.Passed {
				t.Errorf("%s: a host talks to who is banned by %s: %+v", version, iface, v)
			}
		}
		s.run(provision.Wish{Alias: alias, Interfaces: []string{"wan"}, Out: true}) // it is so already
		if got := len(s.wall.Rules()); got != 5 {
			t.Errorf("%s: %d rules, want 5: the three that there were, and ours in and out", version, got)
		}
	}
}

func TestSomeInterfacesAreOneFloatingRule(t *testing.T) {
	s := newSite(t, opnsensetest.Options{})
	s.run(provision.Wish{Alias: alias, Interfaces: []string{"wan", "opt1"}})
	s.wall.Insert(alias, attacker, "192.168.20.7")
	if s.gets(attacker, "wan") || s.gets("192.168.20.7", "opt1") {
		t.Error("who is banned gets in by an interface that was named")
	}
	s.wall.Insert(alias, "192.168.1.7")
	if !s.gets("192.168.1.7", "lan") {
		t.Error("what is banned is blocked at an interface that was not named")
	}
}

// What people broke in our rule and in our alias is mended, whatever it is.
func TestSetupMendsWhatItMade(t *testing.T) {
	for _, change := range []map[string]string{
		{"enabled": "0"},
		{"interface": "lan"},
		{"direction": "out"},
		{"ipprotocol": "inet"},
		{"ipprotocol": "inet6"},
		{"protocol": "TCP"},
		{"source_not": "1"},
		{"destination_port": "22", "protocol": "TCP"},
		{"action": "pass"},
		{"source_net": "somebody_elses"},
		{"destination_net": "lan"},
		{"interfacenot": "1"},
	} {
		s := newSite(t, opnsensetest.Options{})
		s.run(wish())
		n := len(s.wall.Rules())
		i := slices.IndexFunc(s.wall.Rules(), func(r opnsensetest.Rule) bool { return strings.HasPrefix(r.Fields["description"], "edgeban") })
		r := s.wall.Rules()[i]
		for name, value := range change {
			r.Fields[name] = value
		}
		s.wall.AddRule(r)
		a, _ := s.wall.Alias(alias)
		a.Disabled, a.Counters = true, false
		s.wall.AddAlias(a)
		s.wall.Apply()
		s.run(wish())
		s.wall.Insert(alias, attackers...)
		for _, from := range attackers {
			if s.gets(from, "wan") {
				t.Errorf("%v: %s gets in after it was mended\n%s", change, from, s.wall.RulesText())
			}
		}
		if a, _ = s.wall.Alias(alias); a.Disabled || !a.Counters || len(s.wall.Rules()) != n {
			t.Errorf("%v: the alias is %+v, and there are %d rules, want %d", change, a, len(s.wall.Rules()), n)
		}
	}
}

// A rule of somebody else's that does it all is enough; one that does not is left
// alone, and ours is made beside it.
func TestRulesOfOthersAreLeftAlone(t *testing.T) {
	theirs := func(family string) opnsensetest.Options {
		return opnsensetest.Options{
			Aliases: []opnsensetest.Alias{{Name: alias, Counters: true}},
			Rules:   []opnsensetest.Rule{{UUID: "11111111-1111-4111-8111-111111111111", Fields: map[string]string{"action": "block", "interface": "wan", "ipprotocol": family, "source_net": alias}}},
		}
	}
	s := newSite(t, theirs("inet46"))
	s.done(wish())
	s = newSite(t, theirs("inet"))
	s.run(wish())
	if got := s.wall.Rules(); len(got) != 5 {
		t.Errorf("%d rules, want theirs and ours", len(got))
	}
	for _, r := range s.wall.Rules() {
		if r.UUID == "11111111-1111-4111-8111-111111111111" && r.Fields["ipprotocol"] != "inet" {
			t.Errorf("their rule is %v now", r.Fields)
		}
	}
}

func TestAPassRuleThatComesFirstIsSaid(t *testing.T) {
	o := opnsensetest.Options{Rules: []opnsensetest.Rule{{UUID: "11111111-1111-4111-8111-111111111111", Fields: map[string]string{"action": "pass", "interface": "wan,lan", "ipprotocol": "inet46", "description": "games"}}}}
	s := newSite(t, o)
	p := s.plan(wish())
	if len(p.Notes) != 1 || !strings.Contains(p.Notes[0], `"games"`) || !strings.Contains(p.Notes[0], "--interfaces all") {
		t.Errorf("got %q, want the rule and the way out", p.Notes)
	}
	s.run(wish())
	if n := len(s.plan(wish()).Notes); n != 1 {
		t.Errorf("%d notes afterwards, want 1", n)
	}
}

// An alias of the common how-to becomes an External one with its entries and its rule.
func TestAHostAliasIsTakenOverInPlace(t *testing.T) {
	for _, kind := range []string{"host", "network"} {
		s := newSite(t, opnsensetest.Options{
			Aliases: []opnsensetest.Alias{{Name: alias, Type: kind, Content: []string{attacker, "198.51.100.7"}}},
			Rules:   []opnsensetest.Rule{{UUID: "11111111-1111-4111-8111-111111111111", Legacy: true, Fields: map[string]string{"action": "block", "interface": "wan", "ipprotocol": "inet46", "source_net": alias}}},
		})
		before, _ := s.wall.Alias(alias)
		p := s.plan(wish())
		if len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "--take-over") {
			t.Errorf("%s: without being asked: %q, want the advice", kind, p.Notes)
		}
		s.run(wish())
		if a, _ := s.wall.Alias(alias); a.Type != kind {
			t.Errorf("%s: without being asked it became %s", kind, a.Type)
		}
		w := wish()
		w.TakeOver = true
		s.run(w)
		s.wall.Refresh()
		a, _ := s.wall.Alias(alias)
		if a.Type != "external" || len(a.Content) > 0 || a.UUID != before.UUID || !a.Counters {
			t.Errorf("%s: it is %+v, want it External, with counters, and nothing in the configuration", kind, a)
		}
		if got := s.wall.Table(alias); !slices.Equal(got, []string{"198.51.100.7", attacker}) {
			t.Errorf("%s: it holds %v, want what it held", kind, got)
		}
		if s.gets(attacker, "wan") {
			t.Errorf("%s: who was banned before gets in", kind)
		}
	}
}

// lists serves a list to whoever has the token, as a feed does.
type lists struct{ token string }

func (l lists) RoundTrip(r *http.Request) (*http.Response, error) {
	status, text := 401, ""
	if r.Header.Get("Authorization") == "Bearer "+l.token || r.URL.Query().Get("token") == l.token {
		status, text = 200, strings.Join(attackers, "\n")+"\n"
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

func TestTheFirewallPullsTheFeedAndBlocksWhatIsInIt(t *testing.T) {
	const token = "feedtoken0123456789"
	for _, version := range versions {
		s := newSite(t, opnsensetest.Options{Version: version, Fetch: lists{token}})
		w := wish()
		w.Feed = &provision.Feed{URL: "http://192.168.1.10:9098/bans.txt", Token: config.NewSecret(token)}
		p := s.plan(w)
		for _, text := range append(steps(p), p.Notes...) {
			if strings.Contains(text, token) {
				t.Errorf("%s: the preview shows the token: %s", version, text)
			}
		}
		s.run(w)
		a, _ := s.wall.Alias(alias + "_feed")
		if inURL := strings.Contains(strings.Join(a.Content, ""), token); inURL != strings.HasPrefix(version, "25.1") || !inURL && a.Password != token {
			t.Errorf("%s: the alias is %+v; the token belongs into the URL before 25.7 only", version, a)
		}
		s.wall.Reboot()
		for _, from := range attackers {
			if s.gets(from, "wan") {
				t.Errorf("%s: %s is in the list, and gets in; the alias has %v", version, from, s.wall.Table(a.Name))
			}
		}
		w.Feed.Token = config.NewSecret("another")
		if got := steps(s.plan(w)); len(got) != 2 {
			t.Errorf("%s: another token gives %q, want it set and applied", version, got)
		}
	}
}

func TestWhatCannotBeDoneIsSaidBeforeAnythingIsChanged(t *testing.T) {
	port := []opnsensetest.Alias{{Name: alias, Type: "port"}}
	for _, tt := range []struct {
		what string
		o    opnsensetest.Options
		w    func(*provision.Wish)
		want []string
	}{
		{"no privilege", opnsensetest.Options{Users: []opnsensetest.User{setupUser()}}, nil, []string{"Firewall: Alias: Edit", "Firewall: Rules [new]", "Diagnostics: PF Table IP addresses"}},
		{"the privilege to look only", opnsensetest.Options{Users: []opnsensetest.User{setupUser(opnsensetest.AliasView, opnsensetest.FilterAPI, opnsensetest.Tables)}}, nil, []string{"Firewall: Alias: Edit"}},
		{"an old version", opnsensetest.Options{Version: "24.7"}, nil, []string{"24.7", "25.1 and later"}},
		{"the name is taken", opnsensetest.Options{Aliases: port}, nil, []string{"Port(s)", "--alias"}},
		{"no such interface", opnsensetest.Options{}, func(w *provision.Wish) { w.Interfaces = []string{"vlan7"} }, []string{`"vlan7"`, "wan (WAN)", "opt1 (IOT)"}},
		{"a long name", opnsensetest.Options{}, func(w *provision.Wish) {
			w.Alias = strings.Repeat("a", 30)
			w.Feed = &provision.Feed{URL: "http://192.0.2.1/bans.txt"}
		}, []string{"longer than 31"}},
	} {
		s := newSite(t, tt.o)
		w := wish()
		if tt.w != nil {
			tt.w(&w)
		}
		_, err := provision.New(t.Context(), s.api, w)
		for _, want := range tt.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want in it %s", tt.what, err, want)
			}
		}
		if n := s.wall.ConfigWrites(); n > 0 {
			t.Errorf("%s: the configuration was written", tt.what)
		}
	}
}

// An answer may be lost after any call: the same again makes it whole, and nothing twice.
func TestALostAnswerIsMendedByTheSameAgain(t *testing.T) {
	for n := range 12 {
		s := newSite(t, opnsensetest.Options{})
		p := s.plan(wish())
		calls := 0
		err := p.Run(t.Context(), func(provision.Step) {
			if calls++; calls == n/4+1 {
				s.wall.Fail(opnsensetest.Lost, n%4+1)
			}
		})
		s.wall.Heal()
		w := wish()
		w.Apply = err != nil
		s.run(w)
		s.wall.Insert(alias, attacker)
		if s.gets(attacker, "wan") || len(s.wall.Rules()) != 4 {
			t.Errorf("lost at step %d, %d answers: %d rules, want 4, and who is banned gets in: %v", n/4+1, n%4+1, len(s.wall.Rules()), s.gets(attacker, "wan"))
		}
	}
}

// The firewall says ok to rules that pf refuses. That is seen by looking again.
func TestRulesThatAreNotInForceAreSeen(t *testing.T) {
	s := newSite(t, opnsensetest.Options{})
	s.wall.BreakRules(true)
	if err := s.plan(wish()).Run(t.Context(), func(provision.Step) {}); err != nil {
		t.Fatal(err)
	}
	if left := steps(s.plan(wish())); len(left) == 0 {
		t.Error("pf has refused the rules, and nothing is left to do")
	}
	s.wall.BreakRules(false)
	s.run(wish())

	r := s.wall.Rules()[slices.IndexFunc(s.wall.Rules(), func(r opnsensetest.Rule) bool { return strings.HasPrefix(r.Fields["description"], "edgeban") })]
	s.wall.RemoveRule(r.UUID)
	s.wall.Apply()
	s.wall.AddRule(r) // saved by a setup that was interrupted
	if left := steps(s.plan(wish())); len(left) != 2 {
		t.Errorf("a rule was saved and not applied: left to do is %q, want that and to apply", left)
	}
	s.run(wish())
	s.wall.Insert(alias, attacker)
	if s.gets(attacker, "wan") {
		t.Error("who is banned gets in")
	}
}

func TestARefusalNamesTheField(t *testing.T) {
	s := newSite(t, opnsensetest.Options{})
	w := wish()
	w.Alias = "ssh" // a name of a service
	err := s.plan(w).Run(t.Context(), func(provision.Step) {})
	if err == nil || !strings.Contains(fmt.Sprint(err), "alias.name") {
		t.Errorf("got %v, want the field and why", err)
	}
}
