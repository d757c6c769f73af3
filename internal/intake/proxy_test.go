package intake

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/never"
)

func captured(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "filter", "testdata", "captured", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// replayed runs a log through a jail of its filter.
func replayed(t *testing.T, filter, text string) (*Trial, []Verdict) {
	t.Helper()
	c := config.NewJail(filter)
	c.LogPath, c.LogTimezone = []string{"/log"}, time.UTC
	return replay(t, c, text)
}

// The ways in which a log comes to show another address were recorded, and one
// must not be taken for another: what mends it differs.
func TestHowALogHidesItsClientsIsToldApart(t *testing.T) {
	const off, docker, nat = "the PROXY protocol is off", "docker-proxy carries", "NAT reflection"
	const unasked, unsent = "does not expect it", "does not send it"
	ipv6 := func(log string) string { return strings.ReplaceAll(captured(t, log), "172.30.0.1", "fd00:30::1") } // as Docker 20.10 was seen to
	reflected := func(log string) string { return strings.ReplaceAll(captured(t, log), "192.168.77.50", "192.168.77.1") }
	for _, c := range []struct {
		name, filter, text string
		says               []string // none for no diagnosis
	}{
		{"no PROXY", "dovecot", captured(t, "dovecot.nopp.log"), []string{"dovecot logs 172.30.0.2 for everybody: " + off, "haproxy = yes", "Traefik: proxyProtocol"}},
		{"no PROXY", "postfix", captured(t, "postfix.nopp.log"), []string{"postfix logs 172.30.0.2 for everybody: " + off, "smtpd_upstream_proxy_protocol=haproxy", "Traefik: proxyProtocol"}},
		{"docker-proxy", "dovecot", captured(t, "dovecot.dproxy6.log"), []string{"dovecot logs 172.30.0.1 for everybody: ", docker, "enable_ipv6"}},
		{"docker-proxy", "postfix", captured(t, "postfix.dproxy6.log"), []string{"postfix logs 172.30.0.1 for everybody: ", docker, "enable_ipv6"}},
		{"docker-proxy beside real clients", "dovecot", captured(t, "dovecot.pp.log") + captured(t, "dovecot.dproxy6.log"), []string{"dovecot logs 172.30.0.1 for some of the clients: ", docker}},
		{"docker-proxy into IPv6", "dovecot", ipv6("dovecot.dproxy6.log"), []string{"dovecot logs fd00:30::1 for everybody: ", docker, "ip6tables"}},
		{"docker-proxy into IPv6", "postfix", ipv6("postfix.dproxy6.log"), []string{"postfix logs fd00:30::1 for everybody: ", docker, "ip6tables"}},
		{"one port without PROXY", "dovecot", captured(t, "dovecot.pp.log") + captured(t, "dovecot.nopp.log"), []string{"dovecot logs 172.30.0.2 for some of the clients: " + off}},
		{"NAT reflection", "dovecot", reflected("dovecot.lan.log"), []string{"dovecot logs 192.168.77.1 for everybody: ", nat, "Overrides"}},
		{"NAT reflection", "postfix", reflected("postfix.lan.log"), []string{"postfix logs 192.168.77.1 for everybody: ", nat, "Overrides"}},
		{"PROXY that is not expected", "dovecot", captured(t, "dovecot.ppx.log"), []string{"dovecot gets the PROXY protocol from 172.30.0.2 and " + unasked, "haproxy = yes"}},
		{"PROXY that is not expected", "postfix", captured(t, "postfix.ppx.log"), []string{"postfix gets the PROXY protocol from 172.30.0.2 and " + unasked, "smtpd_upstream_proxy_protocol"}},
		{"PROXY that is not sent", "dovecot", captured(t, "dovecot.ppy.log"), []string{"dovecot expects the PROXY protocol and 172.30.0.2 " + unsent, "Traefik: proxyProtocol"}},
		{"PROXY that is not sent", "postfix", captured(t, "postfix.ppy.log"), []string{"postfix expects the PROXY protocol and 172.30.0.2 " + unsent, "Traefik: proxyProtocol"}},
		{"clients in the LAN", "dovecot", captured(t, "dovecot.lan.log"), nil},
		{"clients in the LAN", "postfix", captured(t, "postfix.lan.log"), nil},
		{"real clients", "dovecot", captured(t, "dovecot.pp.log"), nil},
		{"real clients", "postfix", captured(t, "postfix.pp.log"), nil},
	} {
		t.Run(c.name+" "+c.filter, func(t *testing.T) {
			r, _ := replayed(t, c.filter, c.text)
			d := r.Proxy()
			if c.says == nil && d != "" {
				t.Errorf("got %q, want nothing", d)
			}
			for _, say := range c.says {
				if !strings.Contains(d, say) {
					t.Errorf("got %q, want it to say %q", d, say)
				}
			}
			for _, other := range []string{off, docker, nat, unasked, unsent} {
				if strings.Contains(d, other) && !strings.Contains(strings.Join(c.says, " "), other) {
					t.Errorf("got %q, which says %q too", d, other)
				}
			}
		})
	}
}

func TestProxyInPlaceOfTheClientsIsNeverBanned(t *testing.T) {
	for _, log := range []string{"dovecot.nopp.log", "postfix.nopp.log", "dovecot.dproxy6.log", "postfix.dproxy6.log"} {
		filter, _, _ := strings.Cut(log, ".")
		for _, before := range []string{"", captured(t, filter+".pp.log")} {
			if before != "" && log == "postfix.nopp.log" {
				continue // Postfix does not say where it received a client: a container may be one
			}
			_, vs := replayed(t, filter, before+captured(t, log)+captured(t, log))
			for _, v := range vs {
				if never.PrivatePrefix(v.Ban.Subject) {
					t.Errorf("%s: %s is banned, want nobody banned for whom it stands", log, v.Ban.Subject)
				}
			}
			if before != "" && len(vs) == 0 {
				t.Errorf("%s: nobody is banned, want those who are shown as they are", log)
			}
		}
	}
}

func TestWhatThisHostLeansOnIsNoClient(t *testing.T) {
	for _, c := range []struct {
		addr string
		role never.Role
		want Hiding
	}{
		{"10.7.3.9", never.Gateway, Edge},
		{"172.19.3.9", never.Gateway, Bridge},
		{"10.7.3.9", never.Peer, Edge}, // the firewall that is configured
		{"198.51.100.7", never.Peer, Edge},
		{"198.51.100.7", never.Own, ProxyOff}, // something on this host stands before it
		{"172.30.0.1", never.Own, Bridge},     // edgeban runs beside Docker, whose bridges are the host's
		{"127.0.0.1", never.Stranger, ProxyOff},
		{"10.7.3.9", never.Stranger, clients},
		{"203.0.113.1", never.Stranger, clients},
		{"2001:db8::1", never.Stranger, clients},
		{"2001:db8::1", never.Gateway, Edge},
		{"192.168.5.254", never.Stranger, Edge},
		{"fd00:30::1", never.Stranger, Bridge}, // docker-proxy into a network with IPv6, before Docker 27
		{"fd00:30::1", never.Own, Bridge},
		{"fd00:30::1", never.Gateway, Bridge},
		{"fd00:30::50", never.Stranger, clients},
		{"fd00:30::1:0:0:1", never.Stranger, clients},
		{"fe80::1", never.Stranger, clients},
	} {
		if got := hidingOf(netip.MustParseAddr(c.addr), c.role); got != c.want {
			t.Errorf("%s, role %d: %d, want %d", c.addr, c.role, got, c.want)
		}
	}
}

func TestAttackerInTheLANIsNoProxy(t *testing.T) {
	var v vantage
	m := edgeban.Match{Addr: netip.MustParseAddr("192.168.77.50"), Count: 1}
	for range 10 {
		if why := v.look(&m, never.Stranger, true); why != "" {
			t.Fatalf("not counted: %s", why)
		}
	}
	if all := v.hidden(1, 1); len(all) > 0 {
		t.Errorf("hidden: %v, want none", all)
	}
}

// Who sets a mail server up asks the doctor before anybody else has failed to log in,
// and must not be told on the phone that the proxy hides everybody.
func TestDoctorIsNoClientThatIsHidden(t *testing.T) {
	for _, c := range []struct {
		addr string
		role never.Role
	}{{"172.18.0.2", never.Own}, {"172.30.0.2", never.Stranger}} {
		var v vantage
		m := edgeban.Match{Addr: netip.MustParseAddr(c.addr), User: Probe + "abcdef", Count: 1}
		for range 6 {
			if why := v.look(&m, c.role, true); why == "" {
				t.Errorf("%s: its failure counts, want it ignored", c.addr)
			}
		}
		m.User = "" // its PROXY header at a port that speaks first
		if why := v.look(&m, c.role, true); why == "" {
			t.Errorf("%s: its header counts, want it ignored", c.addr)
		}
		if all := v.hidden(1, 1); len(all) > 0 {
			t.Errorf("%s: hidden: %v, want none", c.addr, all)
		}
		m.User = "alice"
		v.look(&m, c.role, true)
		if got := len(v.hidden(1, 1)); got != 1 {
			t.Errorf("%s: %d hidden once somebody else comes from there, want 1", c.addr, got)
		}
	}
}

// One line may be an accident, and a person is woken for it.
func TestDiagnosisWaitsForSeveralLines(t *testing.T) {
	for _, log := range []string{"dovecot.ppy.log", "postfix.ppx.log"} {
		filter, _, _ := strings.Cut(log, ".")
		c := config.NewJail(filter)
		c.LogPath = []string{"/log"}
		w, err := NewWatcher(c, Settings{})
		if err != nil {
			t.Fatal(err)
		}
		for i := 1; i <= 3; i++ {
			text := []byte(captured(t, log))
			w.scan(edgeban.Chunk{Origin: "/log", Stream: "s", Base: int64(i * 10_000), Text: text, Read: time.Now(), Live: true}, nil, nil, nil)
			if got, want := len(w.Hidden()), i/3; got != want {
				t.Errorf("%s, %d times: %d diagnoses, want %d", log, i, got, want)
			}
		}
	}
}

// A client that writes what a mismatch looks like must not send people after it.
func TestNoClientWritesASign(t *testing.T) {
	const unsent = "imap-login: Error: haproxy: Client disconnected: Failed to read valid HAproxy data (rip=172.30.0.2)"
	for _, line := range []string{
		"Nov 22 11:29:49 auth: Info: passwd-file(" + unsent + ",203.0.113.10): Password mismatch",
		"Nov 22 11:32:31 imap-login: Info: Disconnected: Connection closed (auth failed, 2 attempts in 8 secs): user=<" + unsent + ">, method=PLAIN, rip=203.0.113.35, lip=172.30.0.2, TLS, session=<bla71NtgRbDLAHEj>",
		"Nov 22 11:35:13 mail postfix/smtpd[448]: warning: non-SMTP command from unknown[203.0.113.82]: smtpd[1]: warning: haproxy read: unrecognized protocol header: \nNov 22 11:35:13 mail postfix/smtpd[448]: connect from unknown[172.30.0.2]",
		"Nov 22 11:35:13 mail postfix/smtpd[448]: warning: unknown[203.0.113.82]: SASL PLAIN authentication failed: x, sasl_username=x smtpd[1]: warning: TLS library problem: wrong version number",
		"Nov 22 11:46:39 imap-login: Info: Disconnected: Connection closed: SSL_accept() failed: error:0A00010B:SSL routines::wrong version number (no auth attempts in 0 secs): user=<>, rip=203.0.113.9, lip=172.30.0.2, TLS handshaking",
		"Nov 22 11:46:41 imap-login: Error: haproxy: Client disconnected: Failed to read valid HAproxy data (rip=127.0.0.1)", // a check of health
	} {
		var v vantage
		v.read(edgeban.Chunk{Text: []byte(line + "\n")})
		if all := v.hidden(1, 1); len(all) > 0 {
			t.Errorf("%s\nis a sign: %v", line, all)
		}
	}
	wrapped := `{"log":"Nov 22 11:46:41 ` + unsent + `\n","stream":"stderr","time":"2026-11-22T11:46:41.5Z"}` + "\n<19>Nov 22 11:46:41 mail dovecot: " + unsent + "\n"
	var v vantage
	v.read(edgeban.Chunk{Text: []byte(wrapped)})
	if got, want := fmt.Sprint(v.hidden(1, 2)), "[{5 172.30.0.2 2 true}]"; got != want {
		t.Errorf("two true lines in other dress: %s, want %s", got, want)
	}
}

func TestOneDiagnosisNamesAllJails(t *testing.T) {
	h := Hidden{ProxyOff, netip.MustParseAddr("172.30.0.2"), 9, true}
	got := h.Diagnosis(config.NewJail("dovecot"), config.NewJail("postfix"), config.NewJail("web"))
	for _, say := range []string{"dovecot, postfix and web log 172.30.0.2 for everybody: the PROXY protocol is off", "Dovecot: ", "Postfix: ", "Traefik: "} {
		if !strings.Contains(got, say) {
			t.Errorf("got %q, want it to say %q", got, say)
		}
	}
}
