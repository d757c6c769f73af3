package daemon

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
	"github.com/edgeban/edgeban/internal/web"
)

func TestBanIsToldWithItsProof(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newDrill(t, blockRule())
		s.firewall.RemoveAlias(opnsensetest.AliasName)
		s.firewall.AddAlias(opnsensetest.Alias{Name: opnsensetest.AliasName, Counters: true})
		s.firewall.Apply()
		s.run(func() {
			s.attack(2*time.Minute, "203.0.113.9")
			s.wantAlarm("Banned 203.0.113.9", ", held at opnsense after 0.")
			for range 37 {
				s.knock("203.0.113.9", 4711)
			}
			s.pass(time.Minute)
			st, err := api{s.d}.Status(t.Context())
			if err != nil || len(st.Targets) != 1 || st.Targets[0].Dropped < 37 || st.Targets[0].From.IsZero() || st.Targets[0].Sync != nil {
				t.Errorf("status %+v (%v), want 37 packets dropped or more", st.Targets, err)
			}
			n := st.Targets[0].Dropped
			bans, err := api{s.d}.Bans(t.Context())
			if all := slices.Collect(bans); err != nil || len(all) != 1 || len(all[0].Held) != 1 || all[0].Held[0].Packets != n {
				t.Errorf("bans %+v (%v), want %d packets", all, err, n)
			}
			w, err := api{s.d}.Why(t.Context(), web.Canonical(s.firewall.Entries(opnsensetest.AliasName)[0]))
			if err != nil || len(w.Holds) != 1 || w.Holds[0].Packets != n {
				t.Errorf("why %+v (%v), want %d packets", w.Holds, err, n)
			}
		})
	})
}

// A firewall that is away must not keep a message waiting.
func TestBanIsToldWithoutAProofWhenTheFirewallIsAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newDrill(t, blockRule())
		s.run(func() {
			s.firewall.Fail(opnsensetest.Hang, -1)
			s.pass(2 * time.Minute)
			s.attack(time.Minute, "203.0.113.9")
			s.wantAlarm("Banned 203.0.113.9", "until")
			if got := s.alarms("Banned"); strings.Contains(strings.Join(got, ""), "held") {
				t.Errorf("%q: nobody holds it", got)
			}
		})
	})
}
