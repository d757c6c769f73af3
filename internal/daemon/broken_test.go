package daemon_test

import (
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/web"
)

const why = "/f2b/jail.local:7: its filter is nowhere"

func (s *site) reload() {
	s.Helper()
	before := strings.Count(s.out.String(), "msg=reloaded")
	s.hup <- syscall.SIGHUP
	s.until("it is reloaded", func() bool { return strings.Count(s.out.String(), "msg=reloaded") > before })
}

// troubled counts the messages with a text.
func (s *site) troubled(text string) (n int) {
	for _, m := range s.ntfy.Messages(topic) {
		n += strings.Count(m.Title+" "+m.Message, text)
	}
	return n
}

func TestJailThatCannotRunIsNotHealthy(t *testing.T) {
	s := newSite(t)
	s.broken = []config.Broken{{Jail: "sshd", Why: why}}
	s.start()
	trouble := "jail sshd does not run: " + why
	if st, err := s.client.Status(t.Context()); err != nil || st.Healthy || !slices.Equal(st.Troubles, []string{trouble}) {
		t.Errorf("status: got %+v, %v; want trouble with the jail alone, once", st, err)
	}
	s.until("the phone is told", func() bool { return s.troubled("jail sshd does not run") == 1 })
	s.reload()
	s.attack("203.0.113.9")
	s.until("the other jail bans", func() bool { return s.troubled("203.0.113.9") > 0 })
	if n := s.troubled("jail sshd does not run"); n != 1 {
		t.Errorf("told %d times over a reload, want once", n)
	}
	s.broken = nil
	s.reload()
	if st, err := s.client.Status(t.Context()); err != nil || !st.Healthy {
		t.Errorf("mended: got %+v, %v; want it healthy", st, err)
	}
}

func TestReloadNeverStopsAJailThatBroke(t *testing.T) {
	s := newSite(t)
	s.yaml += "  sshd: {logpath: auth.log}\n"
	s.start()
	s.broken = []config.Broken{{Jail: "dovecot", Why: why}}
	s.hup <- syscall.SIGHUP
	s.until("it is refused, and told", func() bool {
		return s.troubled("the old one goes on: jail dovecot would stop: ") == 1
	})
	if st, err := s.client.Status(t.Context()); err != nil || st.Healthy || !strings.Contains(strings.Join(st.Troubles, "\n"), why) {
		t.Errorf("status: got %+v, %v; want the place of the mistake", st, err)
	}
	s.attack("203.0.113.9")
	s.until("the jail goes on", func() bool { return s.holds("203.0.113.9") })
	s.broken = []config.Broken{{Jail: "postfix", Why: why}} // which has never run: nothing is lost
	s.reload()
}

func TestCountersGoOnOverAReload(t *testing.T) {
	s := newSite(t)
	s.start()
	s.attack("203.0.113.9")
	s.until("held", func() bool { return s.holds("203.0.113.9") })
	s.reload()
	st, err := s.client.Status(t.Context())
	if err != nil || st.Jails[0].Lines != 5 || st.Jails[0].Failures != 5 {
		t.Errorf("after a reload: got %+v, %v; want 5 lines and failures", st.Jails, err)
	}
	for _, log := range st.Streams {
		if log.Read.IsZero() {
			t.Errorf("%s: was read never, want when the generation before did", log.Origin)
		}
	}
	s.write("dovecot.log", failure("203.0.113.8", "alice"))
	s.until("it counts on", func() bool {
		st, err := s.client.Status(t.Context())
		return err == nil && st.Jails[0].Lines == 6 && st.Jails[0].Failures == 6
	})
}

func TestPrivateAddressBannedByHandIsNoAttack(t *testing.T) {
	s := newSite(t)
	s.start()
	for _, addr := range []string{"10.9.9.9/32", "203.0.113.77/32"} {
		res, err := s.client.Ban(t.Context(), web.BanRequest{Subject: netip.MustParsePrefix(addr), For: time.Hour})
		if err != nil || (res.Ban.Refused != "") != strings.HasPrefix(addr, "10.") {
			t.Fatalf("ban %s: got %+v, %v; want only the private one refused at the target", addr, res, err)
		}
	}
	s.until("the other one is told", func() bool { return s.troubled("203.0.113.77") > 0 })
	if n := s.troubled("10.9.9.9"); n != 0 {
		t.Errorf("10.9.9.9 was told %d times, want never: %+v", n, s.ntfy.Messages(topic))
	}
}

func TestProlongedBanIsOneBan(t *testing.T) {
	s := newSite(t)
	s.start()
	subject := netip.MustParsePrefix("203.0.113.77/32")
	ban := func(d time.Duration) {
		t.Helper()
		if _, err := s.client.Ban(t.Context(), web.BanRequest{Subject: subject, For: d}); err != nil {
			t.Fatal(err)
		}
	}
	ban(time.Hour)
	ban(2 * time.Hour)
	if _, err := s.client.Unban(t.Context(), subject); err != nil {
		t.Fatal(err)
	}
	ban(time.Hour)
	w, err := s.client.Why(t.Context(), subject)
	if err != nil {
		t.Fatal(err)
	}
	var got []bool
	for _, b := range w.Bans {
		got = append(got, b.Prolongs)
	}
	if want := []bool{false, true, false}; !slices.Equal(got, want) {
		t.Errorf("prolonging: got %v, want %v: the second alone", got, want)
	}
}
