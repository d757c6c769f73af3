package daemon

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban/internal/cli/story"
	"github.com/edgeban/edgeban/internal/web"
)

// doors are a drill with a Traefik before the mail server, and zones.
func doors(t *testing.T, zones string) *drill {
	s := newDrill(t, blockRule())
	s.targets = fmt.Sprintf("  - name: proxy\n    traefik: {file: %s, tcp: [smtp], tls: [imaps]}\n", s.door())
	s.settings = "zones:\n" + zones
	return s
}

func (s *drill) door() string { return filepath.Join(s.dir, "dynamic.yml") }

// shut reports whether Traefik's routers close the connections of an address.
func (s *drill) shut(addr string) bool {
	text, err := os.ReadFile(s.door())
	return err == nil && bytes.Contains(text, []byte("ClientIP(`"+addr+"`)"))
}

// guess is a login from the own network, through Traefik.
func (s *drill) guess(addr string) bool {
	if s.shut(addr) {
		return false
	}
	s.n++
	s.fail(addr, fmt.Sprintf("AAAAAAAAAAA%05d", s.n))
	return true
}

func (s *drill) why(addr string) web.Why {
	s.Helper()
	a := netip.MustParseAddr(addr)
	w, err := api{s.d}.Why(s.Context(), netip.PrefixFrom(a, a.BitLen()))
	if err != nil {
		s.Fatal(err)
	}
	return w
}

const lan = "  lan: {targets: [proxy]}\n"

// The admitted hole: an infected phone in the LAN is seen, and nothing stops it.
func TestInsideAttackerIsHeldAtTheDoor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := doors(t, lan)
		s.run(func() {
			for range 4 { // one less than is too many
				s.guess("192.168.1.50")
				s.guess("192.168.1.51")
				s.pass(time.Second)
			}
			if !s.guess("192.168.1.50") {
				t.Fatal("the door is shut before the deciding failure")
			}
			s.pass(2 * time.Second)
			if !s.shut("192.168.1.50") || s.shut("192.168.1.51") {
				t.Errorf("2 s after the deciding failure: shut for it %v, for another %v; want the one alone\n%s", s.shut("192.168.1.50"), s.shut("192.168.1.51"), s.log)
			}
			if s.holds("192.168.1.50") {
				t.Error("the edge holds it, and its packets never cross that")
			}
			for range 30 {
				s.guess("192.168.1.50")
				s.pass(10 * time.Second)
			}
			s.wantAlarm("Inside", "A device in your network lan, 192.168.1.50 (printer.lan), is guessing passwords (dovecot): 5 failures, last user alice@example.com. Held at proxy after 0.6 s, until")
			s.wantNoLeak()
			w := s.why("192.168.1.50")
			if len(w.Bans) != 1 || w.Bans[0].Refused != "" || len(w.Holds) != 1 || w.Holds[0].Held.IsZero() || w.Holds[0].Target != "proxy" {
				t.Errorf("why: %+v", w)
			}
			s.pass(24 * time.Hour)
			if s.shut("192.168.1.50") {
				t.Error("its ban is over, and the door is shut")
			}
		})
	})
}

// What a zone has besides private addresses: IPv6 of the provider is inside, too.
func TestOwnNetworksAreInside(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := doors(t, lan)
		s.networks = []netip.Prefix{netip.MustParsePrefix("2001:db8:1::10/64")}
		s.run(func() {
			for range 6 {
				s.guess("2001:db8:1::50")
			}
			s.pass(10 * time.Second)
			if !s.shut("2001:db8:1::50") || s.holds("2001:db8:1::50") || s.shut("2001:db8:1::/64") {
				t.Errorf("shut %v, held at the edge %v, all its neighbours shut out %v; want the door shut for it alone", s.shut("2001:db8:1::50"), s.holds("2001:db8:1::50"), s.shut("2001:db8:1::/64"))
			}
			s.wantAlarm("Inside", "network lan, 2001:db8:1::50")
		})
	})
}

func TestAZoneMayBeToldOnlyOrLeftAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := doors(t, "  iot: {networks: 192.168.2.0/24, policy: notify, look: 'Pull its plug.'}\n  vpn: {networks: 192.168.3.0/24, policy: never}\n"+lan)
		s.run(func() {
			for range 6 {
				s.guess("192.168.2.5")
				s.guess("192.168.3.5")
			}
			s.pass(10 * time.Second)
			for _, addr := range []string{"192.168.2.5", "192.168.3.5"} {
				if s.shut(addr) || s.holds(addr) {
					t.Errorf("%s is held", addr)
				}
			}
			s.wantAlarm("Inside", "A device in your network iot, 192.168.2.5, is guessing passwords (dovecot): 5 failures, last user alice@example.com. It is not banned: Pull its plug.")
			if w := s.why("192.168.2.5"); len(w.Bans) != 1 || !strings.Contains(w.Bans[0].Refused, "zone iot") {
				t.Errorf("why: %+v, want the zone as the reason", w.Bans)
			}
			if w := s.why("192.168.3.5"); len(w.Bans) != 0 || !strings.Contains(w.Protected, "192.168.3.0/24") {
				t.Errorf("why: %+v %q, want no ban", w.Bans, w.Protected)
			}
		})
	})
}

// A ban that leaks at the edge is brought to the door, and people can see why.
func TestALeakAtTheEdgeShutsTheDoor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := doors(t, "  internet: {targets: [opnsense], escalate: [proxy]}\n"+lan)
		s.firewall = newDrill(t).firewall // no rule blocks
		s.run(func() {
			knock := func(addr string) {
				if !s.shut(addr) {
					s.n++
					s.knock(addr, uint16(20_000+s.n))
				}
			}
			for range 6 {
				knock("203.0.113.9")
				knock("203.0.113.10")
				s.pass(2 * time.Second)
			}
			if s.shut("203.0.113.9") || !s.holds("203.0.113.9") {
				t.Fatal("the door is shut before anything leaks")
			}
			for range 30 {
				knock("203.0.113.9")
				s.pass(10 * time.Second)
			}
			if !s.shut("203.0.113.9") || s.shut("203.0.113.10") {
				t.Errorf("shut for who leaks %v, for who is silent %v; want the one alone\n%s", s.shut("203.0.113.9"), s.shut("203.0.113.10"), s.log)
			}
			s.wantAlarm("Leak", "No rule blocks what is in alias")
			s.wantAlarm("Leak", "proxy is to hold it as well now.")
			w := s.why("203.0.113.9")
			if len(w.Steps) != 1 || w.Steps[0].From != "opnsense" || w.Steps[0].To != "proxy" || !strings.Contains(w.Steps[0].Why, "No rule") {
				t.Errorf("why: steps %+v", w.Steps)
			}
			at := []string{}
			for _, h := range w.Holds {
				if !h.Held.IsZero() {
					at = append(at, h.Target)
				}
			}
			if slices.Sort(at); !slices.Equal(at, []string{"opnsense", "proxy"}) {
				t.Errorf("held at %v, want both", at)
			}
			var told bytes.Buffer
			story.Tell(&told, w, time.Now())
			if !strings.Contains(told.String(), "proxy is to hold it as well, because it leaks at opnsense") {
				t.Errorf("why says\n%s", &told)
			}
			if got := s.d.leaks.Leaking(time.Now()); len(got) > 0 {
				t.Errorf("it leaks still: %+v", got)
			}
		})
		// The next life begins where this one ended.
		s.run(func() {
			s.pass(time.Minute)
			if !s.shut("203.0.113.9") {
				t.Error("after a restart the door is open")
			}
			s.pass(25 * time.Hour)
			if s.shut("203.0.113.9") {
				t.Error("the ban is over, and the door is shut")
			}
		})
	})
}

// An alias for the rules of the LAN is a target like any other, also for private
// addresses; where it stands in nobody's way the next target is tried.
func TestAnAliasOfTheLANMayHoldPrivateAddresses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := doors(t, "  lan: {targets: [opnsense], escalate: [proxy]}\n")
		s.networks = []netip.Prefix{netip.MustParsePrefix("192.168.1.10/24")}
		s.run(func() {
			for range 6 {
				s.guess("192.168.1.50")
				s.pass(time.Second)
			}
			s.pass(10 * time.Second)
			if !s.holds("192.168.1.50") || s.shut("192.168.1.50") {
				t.Fatalf("held at the alias %v, at the door %v; want the alias alone\n%s", s.holds("192.168.1.50"), s.shut("192.168.1.50"), s.log)
			}
			for range 30 {
				s.guess("192.168.1.50")
				s.pass(10 * time.Second)
			}
			if !s.shut("192.168.1.50") {
				t.Error("it leaks at the alias, and the door is open")
			}
			s.wantAlarm("Inside", "Held at opnsense after")
			s.wantAlarm("Leak", "is in 192.168.1.0/24, like this host: its packets need not cross opnsense. Look at the device. proxy is to hold it as well now.")
		})
	})
}
