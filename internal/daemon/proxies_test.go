package daemon

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// replay writes a captured log, line by line, as if it were written now.
func (s *drill) replay(name string) {
	s.Helper()
	text, err := os.ReadFile(filepath.Join("..", "filter", "testdata", "captured", name))
	if err != nil {
		s.Fatal(err)
	}
	const stamp = len("Nov 22 11:43:52 ")
	for line := range strings.Lines(string(text)) {
		s.write(strings.TrimSpace(line[stamp:]))
		s.pass(time.Second)
	}
}

// Two services whose log shows the proxy have one fault, and nobody is banned for it.
func TestWhatHidesTheClientsIsToldOnceAndBansNobody(t *testing.T) {
	for name, c := range map[string]struct{ told, says string }{
		"nopp":    {"172.30.0.2 for everybody", "dovecot and postfix log 172.30.0.2 for everybody: the PROXY protocol is off"},
		"dproxy6": {"172.30.0.1 for everybody", "dovecot and postfix log 172.30.0.1 for everybody: that is Docker's bridge"},
		"ppx":     {"PROXY protocol from 172.30.0.2", "dovecot and postfix get the PROXY protocol from 172.30.0.2 and do not expect it"},
		"ppy":     {"172.30.0.2 does not send it", "dovecot and postfix expect the PROXY protocol and 172.30.0.2 does not send it"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newDrill(t, blockRule())
				s.run(func() {
					for range 3 {
						s.replay("dovecot." + name + ".log")
						s.replay("postfix." + name + ".log")
					}
					s.pass(2 * time.Minute)
					var got []string
					for _, m := range s.ntfy.Messages("alerts") {
						got = append(got, m.Title+": "+m.Message)
					}
					if len(got) != 1 || !strings.Contains(got[0], c.told) {
						t.Errorf("messages %q, want one that says %q", got, c.told)
					}
					bans, err := api{s.d}.Bans(t.Context())
					if all := slices.Collect(bans); err != nil || len(all) > 0 {
						t.Errorf("bans %+v (%v), want none", all, err)
					}
					st, err := api{s.d}.Status(t.Context())
					if err != nil || len(st.Troubles) != 1 || !strings.Contains(st.Troubles[0], c.says) {
						t.Errorf("troubles %q (%v), want one that says %q", st.Troubles, err, c.says)
					}
				})
			})
		})
	}
}

// Dovecot says where its clients are received, and Postfix does not: what stands for
// clients at one of Postfix's ports is known by Dovecot's lines.
func TestProxyIsKnownFromAnotherService(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newDrill(t, blockRule())
		s.run(func() {
			s.write("imap-login: Info: Login: user=<alice@example.com>, method=PLAIN, rip=203.0.113.16, lip=172.30.0.2, mpid=42, TLS, session=<W5n+zNtgD8TLAHEQ>")
			s.write("mail postfix/smtps/smtpd[440]: C5162A5002D: client=unknown[203.0.113.49], sasl_method=PLAIN, sasl_username=alice@example.com")
			s.pass(20 * time.Second)
			for range 3 {
				s.replay("postfix.nopp.log")
			}
			bans, err := api{s.d}.Bans(t.Context())
			if all := slices.Collect(bans); err != nil || len(all) > 0 {
				t.Errorf("bans %+v (%v), want none", all, err)
			}
			const says = "postfix logs 172.30.0.2 for some of the clients: the PROXY protocol is off"
			st, err := api{s.d}.Status(t.Context())
			if err != nil || !strings.Contains(strings.Join(st.Troubles, "\n"), says) {
				t.Errorf("troubles %q (%v), want %q", st.Troubles, err, says)
			}
		})
	})
}
