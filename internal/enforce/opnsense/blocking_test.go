package opnsense_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce/opnsense"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
)

const attacker, attacker6 = "203.0.113.9", "2001:db8:bad::9"

// watched returns a firewall with rules, and its alias with a key that may look at them.
func watched(t *testing.T, version string, privileges []string, rules ...opnsensetest.Rule) (*opnsensetest.Firewall, *opnsense.Alias) {
	t.Helper()
	wall := opnsensetest.New(opnsensetest.Options{
		Version: version, Rules: rules,
		Users: []opnsensetest.User{{Name: "edgeban", Key: opnsensetest.Key, Secret: opnsensetest.Secret, Privileges: privileges}},
	})
	wall.Insert(opnsensetest.AliasName, attacker, attacker6)
	a, err := opnsense.NewWithTransport(wall.Config(), wall.Client())
	if err != nil {
		t.Fatal(err)
	}
	return wall, a
}

func mayLook() []string {
	return []string{opnsensetest.Tables, opnsensetest.AliasView, opnsensetest.FilterAPI}
}

// chance makes up a rule that blocks or passes something, more or less.
func chance(r *rand.Rand, n int) opnsensetest.Rule {
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	f := map[string]string{
		"action": pick("block", "block", "reject", "pass"), "interface": pick("wan", "wan", "", "lan", "wan,lan"), "direction": pick("in", "in", "in", "any", "out"),
		"ipprotocol": pick("inet46", "inet46", "inet", "inet6"), "source_net": pick(opnsensetest.AliasName, opnsensetest.AliasName, "any", "192.0.2.0/24"),
		"protocol": pick("any", "any", "any", "TCP"), "enabled": pick("1", "1", "1", "0"), "quick": pick("1", "1", "1", "0"),
		"sequence": fmt.Sprint(1 + r.IntN(4)), "description": fmt.Sprint("rule ", n),
	}
	for _, field := range []string{"interfacenot", "source_not"} {
		if r.IntN(5) == 0 {
			f[field] = "1"
		}
	}
	return opnsensetest.Rule{UUID: fmt.Sprintf("11111111-1111-4111-8111-%012d", n), Fields: f}
}

// When it is said that rules block a banned address, no packet of it gets in; and when
// a link is named, some packet does, or would if nothing else kept it out.
func TestWhatIsSaidOfRulesIsWhatTheyDo(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	blocked, open, leaks := 0, 0, 0
	// Whatever no rule blocks comes in.
	wall, a := watched(t, "26.7.2", mayLook(), opnsensetest.Rule{Legacy: true, Fields: map[string]string{"interface": "wan", "ipprotocol": "inet46", "description": "the last"}})
	for range 150 {
		for n := range 4 {
			if made := chance(r, n); n == 0 || r.IntN(2) == 0 {
				wall.AddRule(made)
			} else {
				wall.RemoveRule(made.UUID)
			}
		}
		wall.Apply()
		for _, from := range []string{attacker, attacker6} {
			b, err := a.Blocking(t.Context(), netip.MustParseAddr(from))
			if err != nil || !b.Known {
				t.Fatalf("got %+v, %v; want to know", b, err)
			}
			through := ""
			for _, protocol := range []string{"tcp", "udp"} {
				wall.SetStates()
				if v := wall.Packet(opnsensetest.Packet{From: from, Interface: "wan", ToPort: 993, Protocol: protocol}); v.Passed {
					through = protocol + " by " + v.By
				}
			}
			if b.Link == "" {
				if blocked++; through != "" {
					t.Fatalf("%s: %s, and %s passes:\n%s", from, b.Evidence, through, wall.RulesText())
				}
				continue
			}
			if open++; b.Evidence == "" || b.Fix == "" {
				t.Fatalf("%s: got %+v, want evidence and what to do", from, b)
			}
			if through != "" {
				leaks++
			}
		}
	}
	if blocked < 20 || leaks < 40 || leaks < open*8/10 {
		t.Errorf("%d times blocked, %d times not, of which a packet came in %d times: this proves too little", blocked, open, leaks)
	}
}

func TestWithoutThePrivilegeTheCountersTell(t *testing.T) {
	block := opnsensetest.Rule{Fields: map[string]string{"action": "block", "interface": "wan", "source_net": opnsensetest.AliasName}}
	for _, tt := range []struct {
		version        string
		traffic, known bool
	}{{"26.7.2", true, true}, {"26.7.2", false, false}, {"25.7.11", true, false}} {
		wall, a := watched(t, tt.version, []string{opnsensetest.Tables, opnsensetest.AliasView}, block)
		if tt.traffic {
			wall.Packet(opnsensetest.Packet{From: attacker, Interface: "wan"})
		}
		b, err := a.Blocking(t.Context(), netip.MustParseAddr(attacker))
		if err != nil || b.Known != tt.known || b.Blocks != tt.known {
			t.Errorf("%+v: got %+v, %v", tt, b, err)
		}
		if !tt.known && !strings.Contains(b.Fix, "--apikey") {
			t.Errorf("%+v: the advice is %q", tt, b.Fix)
		}
		a.LookWith(config.NewSecret(opnsensetest.Key), config.NewSecret(opnsensetest.Secret)) // may not either
		if again, err := a.Blocking(t.Context(), netip.MustParseAddr(attacker)); err != nil || again != b {
			t.Errorf("%+v: with another key: %+v, %v", tt, again, err)
		}
	}
}

func TestEachThingWrongWithARuleIsNamed(t *testing.T) {
	for change, link := range map[string]string{
		"": "", "enabled=0": "block rule enabled", "interface=lan": "block rule interface", "direction=out": "block rule direction",
		"ipprotocol=inet6": "IPv4 covered", "protocol=UDP": "block rule scope", "source_net=any": "block rule", "action=pass": "block rule",
	} {
		f := map[string]string{"action": "block", "interface": "wan", "ipprotocol": "inet46", "source_net": opnsensetest.AliasName}
		if name, value, ok := strings.Cut(change, "="); ok {
			f[name] = value
		}
		_, a := watched(t, "26.7.2", mayLook(), opnsensetest.Rule{Fields: f})
		b, err := a.Blocking(t.Context(), netip.MustParseAddr(attacker))
		if err != nil || b.Link != link || b.Blocks != (link == "") {
			t.Errorf("%s: got %+v, %v; want %q", change, b, err, link)
		}
	}
}
