package opnsensetest

import (
	"strings"
	"testing"
)

const (
	attacker = "203.0.113.5"
	server   = "192.168.1.10"
)

func block(fields map[string]string) Rule {
	all := map[string]string{"action": "block", "ipprotocol": "inet46", "source_net": AliasName, "description": "bans"}
	for name, value := range fields {
		all[name] = value
	}
	return Rule{UUID: "b0000000-0000-4000-8000-000000000001", Fields: all}
}

// mail lets everybody reach the server behind WAN.
func mail() Rule {
	return Rule{Fields: map[string]string{
		"interface": "wan", "protocol": "TCP", "destination_net": server, "destination_port": "25", "ipprotocol": "inet46", "description": "mail",
	}}
}

func TestARuleBlocksWhatItCovers(t *testing.T) {
	wan := Packet{From: attacker, Interface: "wan", To: server, ToPort: 25}
	lan := Packet{From: "192.168.1.66", Interface: "lan", To: "192.168.20.9", ToPort: 22}
	for name, test := range map[string]struct {
		rule   map[string]string
		packet Packet
		passed bool
		by     string
	}{
		"on wan":                             {map[string]string{"interface": "wan"}, wan, false, "bans"},
		"floating":                           {nil, wan, false, "bans"},
		"disabled":                           {map[string]string{"enabled": "0"}, wan, true, "mail"},
		"another interface":                  {map[string]string{"interface": "opt1"}, wan, true, "mail"},
		"the other direction":                {map[string]string{"direction": "out"}, wan, true, "mail"},
		"both directions":                    {map[string]string{"direction": "any"}, wan, false, "bans"},
		"only IPv6":                          {map[string]string{"ipprotocol": "inet6"}, wan, true, "mail"},
		"without quick":                      {map[string]string{"quick": "0"}, wan, true, "mail"},
		"behind the pass":                    {map[string]string{"interface": "wan", "sequence": "9"}, wan, true, "mail"},
		"a pass":                             {map[string]string{"action": "pass"}, wan, true, "bans"},
		"all but the alias":                  {map[string]string{"source_not": "1"}, wan, true, "mail"},
		"all but wan":                        {map[string]string{"interface": "wan", "interfacenot": "1"}, wan, true, "mail"},
		"an inside attacker, wan only":       {map[string]string{"interface": "wan"}, lan, true, "Default allow LAN to any rule"},
		"an inside attacker":                 {map[string]string{"interface": "wan,lan"}, lan, false, "bans"},
		"a rule of lan, before the old kind": {map[string]string{"interface": "lan"}, lan, false, "bans"},
		"an inside attacker at the GUI":      {nil, Packet{From: "192.168.1.66", Interface: "lan", ToPort: 443}, true, "anti-lockout rule"},
		"to a banned address":                {map[string]string{"source_net": "any", "destination_net": AliasName}, Packet{From: "192.168.1.2", Interface: "lan", To: attacker}, false, "bans"},
		"out to a banned address":            {map[string]string{"direction": "out", "source_net": "any", "destination_net": AliasName}, Packet{From: "198.51.100.2", Interface: "wan", To: attacker, Out: true}, false, "bans"},
		"IPv6":                               {nil, Packet{From: "2001:db8::bad", Interface: "wan", ToPort: 25}, false, "bans"},
		"what nothing passes":                {nil, Packet{From: "203.0.113.9", Interface: "wan", ToPort: 22}, false, "Default deny / state violation rule"},
		"a private source from outside":      {nil, Packet{From: "10.1.1.1", Interface: "wan", To: server, ToPort: 25}, false, "Block private networks from WAN"},
		"a mapped entry and an IPv4 packet":  {nil, Packet{From: "203.0.113.77", Interface: "wan", To: server, ToPort: 25}, true, "mail"},
	} {
		f := New(Options{Rules: []Rule{block(test.rule), mail()}})
		f.Insert(AliasName, attacker, "192.168.1.66", "2001:db8::bad", "::ffff:203.0.113.77")
		if got := f.Packet(test.packet); got.Passed != test.passed || got.By != test.by {
			t.Errorf("%s: passed %v by %q, want %v by %q\n%s", name, got.Passed, got.By, test.passed, test.by, f.RulesText())
		}
	}
}

func TestAStateOutlivesABanUntilItIsKilled(t *testing.T) {
	f := New(Options{Rules: []Rule{block(nil), mail()}})
	p := Packet{From: attacker, FromPort: 4000, Interface: "wan", To: server, ToPort: 25}
	reply := Packet{From: server, FromPort: 25, Interface: "wan", To: attacker, ToPort: 4000, Out: true}
	if v := f.Packet(p); !v.Passed || v.State {
		t.Fatalf("the first packet: %+v, want passed by the rule", v)
	}
	f.Insert(AliasName, attacker)
	for _, p := range []Packet{p, reply} {
		if v := f.Packet(p); !v.Passed || !v.State {
			t.Errorf("during the state: %+v, want passed by it", v)
		}
	}
	other := p
	other.FromPort = 4001
	if v := f.Packet(other); v.Passed {
		t.Errorf("a new connection: %+v, want blocked", v)
	}
	if _, body, _ := post(t, f.Client(), InProcess+"/api/diagnostics/firewall/kill_states", `{"filter":"203.0.113.5"}`); body != `{"dropped_states":1,"result":"ok"}` {
		t.Errorf("kill_states: %s", body)
	}
	if v := f.Packet(p); v.Passed {
		t.Errorf("after it was killed: %+v, want blocked", v)
	}
}

// What the doctor and the proof read: which rule asks the table, and what it dropped.
func TestPacketsAreCounted(t *testing.T) {
	f := New(Options{Aliases: []Alias{{Name: AliasName, Counters: true}}, Rules: []Rule{block(nil)}, Users: admin()})
	f.Insert(AliasName, attacker, "198.51.100.9")
	for range 3 {
		f.Packet(Packet{From: attacker, Interface: "wan", Bytes: 100})
	}
	f.Packet(Packet{From: "203.0.113.6", Interface: "wan"})
	for path, want := range map[string]string{
		"/alias_util/list/" + AliasName: `{"in_block_b":300,"in_block_p":3,"ip":"203.0.113.5"}`,
		"/alias/get_table_size":         `"eval_match":3,"eval_nomatch":1,"in_block_b":300,"in_block_p":3`,
		"/filter/search_rule":           `"packets":3,"pf_rules":2`,
	} {
		_, body, err := post(t, f.Client(), InProcess+"/api/firewall"+path, `{"show_all":"1","searchPhrase":"`+"203.0.113.5"+`"}`)
		if err != nil || !strings.Contains(body, want) {
			t.Errorf("%s: %s %v, want %s in it", path, body, err, want)
		}
	}
}

func admin() []User {
	return []User{{Name: "root", Key: Key, Secret: Secret, Privileges: []string{All}}}
}

func TestRulesActWhenTheyAreApplied(t *testing.T) {
	f := New(Options{Rules: []Rule{mail()}})
	p := Packet{From: attacker, Interface: "wan", To: server, ToPort: 25}
	f.Insert(AliasName, attacker)
	f.AddRule(block(nil))
	if !f.Packet(p).Passed {
		t.Error("a rule acts before it was applied")
	}
	f.SetStates()
	f.BreakRules(true)
	f.Apply()
	if !f.Packet(p).Passed {
		t.Error("rules that pf refuses act")
	}
	f.SetStates()
	f.BreakRules(false)
	f.Apply()
	if f.Packet(p).Passed {
		t.Error("an applied rule does not act")
	}
	f.Reboot()
	if !f.Packet(p).Passed {
		t.Error("an external table has its entries after a reboot")
	}
}
