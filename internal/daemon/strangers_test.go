package daemon_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeban/edgeban/internal/web"
)

const (
	stranger = "127.0.0.66"
	caught   = "203.0.113.9"  // is banned
	innocent = "203.0.113.50" // is not
)

// endpoints are all that a site listens at.
type endpoints struct{ dovecot, postfix, traefik, feed, syslog, health string }

// strangers is a site that listens at every endpoint there is, each of which has a
// secret or a list of who may ask. Syslog hears all of loopback: who may send to it is
// tested where it is.
func strangers(t *testing.T) (*site, endpoints) {
	t.Helper()
	s := newSite(t)
	var free []string
	for range 6 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // when all are found
		free = append(free, l.Addr().String())
	}
	e := endpoints{free[0], free[1], free[2], free[3], free[4], free[5]}
	s.yaml = strings.Replace(s.yaml, "notify:", strings.NewReplacer(
		"DOVECOT", e.dovecot, "POSTFIX", e.postfix, "TRAEFIK", e.traefik, "FEED", e.feed, "SYSLOG", e.syslog, "HEALTH", e.health, "TOKEN", secretOfDovecot,
	).Replace(`  - name: logins
    dovecot: {listen: "DOVECOT", token: TOKEN}
  - postfix: {listen: "POSTFIX", allow: 127.0.0.1}
  - traefik: {listen: "TRAEFIK", tcp: [smtp], token: TOKEN}
  - feed: {listen: "FEED", token: TOKEN}
listen: "HEALTH"
sources:
  - name: relay
    syslog: {listen: "tcp://SYSLOG", allow: 127.0.0.1}
notify:`), 1)
	s.yaml += "  reports: {filter: dovecot, source: logins, maxretry: 3, reset_on_success: yes}\n  remote: {filter: dovecot, source: relay, maxretry: 3}\n"
	return s, e
}

// dialAs connects from an address of loopback.
func dialAs(t *testing.T, from, to string) net.Conn {
	t.Helper()
	c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).Dial("tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// exchange says something and returns all that is answered until the connection is
// closed.
func exchange(t *testing.T, from, to, text string) string {
	t.Helper()
	c := dialAs(t, from, to)
	defer c.Close()
	_, _ = io.WriteString(c, text) // it may be closed already
	answer, _ := io.ReadAll(c)
	return string(answer)
}

func httpRequest(method, path, secret, body string) string {
	auth := ""
	if secret != "" {
		auth = "Authorization: Bearer " + secret + "\r\n"
	}
	return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n%s", method, path, auth, len(body), body)
}

func policyRequest(addr string) string {
	return "request=smtpd_access_policy\nprotocol_state=CONNECT\nclient_address=" + addr + "\n\n"
}

var dated = regexp.MustCompile(`Date: [^\r]*\r\n`)

// Who has no secret, or a wrong one, or is not on the list, is answered the same
// whatever he asks about, and whatever he tells changes nothing.
func TestStrangersBanNobodyHealNobodyAndLearnNothing(t *testing.T) {
	s, e := strangers(t)
	s.start()
	s.answered(e.dovecot, e.postfix, e.traefik, e.feed, e.syslog, e.health)
	s.guesses(e.dovecot, caught, "alice", 3)
	s.until("it is banned at the doors", func() bool {
		_, text := policy(t, e.dovecot, "allow", login(caught, "alice", false), secretOfDovecot)
		return strings.Contains(text, `"status":-1`)
	})
	s.guesses(e.dovecot, innocent, "bob", 2) // one less than is too many
	known := func() (web.Why, error) { return s.client.Why(t.Context(), netip.MustParsePrefix(innocent+"/32")) }
	s.until("these are in the ledger", func() bool { w, err := known(); return err == nil && len(w.Lines) == 2 })

	// What a stranger is told does not depend on what he asks.
	for what, c := range map[string]struct {
		to   string
		asks []string
	}{
		"Dovecot": {e.dovecot, []string{
			httpRequest("POST", "/policy?command=allow", "", login(caught, "alice", false)),
			httpRequest("POST", "/policy?command=allow", "", login(innocent, "alice", false)),
			httpRequest("POST", "/policy?command=allow", "guessed", login(caught, "alice", false)),
			httpRequest("POST", "/policy?command=report", "guessed", login(innocent, "bob", true)),
			httpRequest("POST", "/policy?command=report", secretOfDovecot[:10], login(innocent, "bob", false)),
			httpRequest("POST", "/policy?command=nothing", secretOfDovecot+"x", "garbage"),
			httpRequest("GET", "/", "", ""),
		}},
		"Traefik":  {e.traefik, []string{httpRequest("GET", "/", "", ""), httpRequest("GET", "/"+caught, "guessed", ""), httpRequest("POST", "/", secretOfDovecot+"x", "x")}},
		"the feed": {e.feed, []string{httpRequest("GET", "/bans.txt", "", ""), httpRequest("GET", "/bans.json?token=guessed", "", ""), httpRequest("GET", "/nothing", "guessed", "")}},
		"Postfix":  {e.postfix, []string{policyRequest(caught), policyRequest(innocent), "garbage\n\n"}},
	} {
		first := ""
		for i, ask := range c.asks {
			got := dated.ReplaceAllString(exchange(t, stranger, c.to, ask), "")
			if i == 0 {
				first = got
			}
			if got != first || strings.Contains(got, "203.0.113.") || strings.Contains(got, "status\"") {
				t.Errorf("%s: %q is answered %q, another question %q", what, ask, got, first)
			}
		}
	}
	if got := exchange(t, stranger, e.health, httpRequest("GET", "/v1/bans", "", "")+"x\r\n\r\n"); strings.Contains(got, "203.") || strings.Contains(got, "200 OK") {
		t.Errorf("the health endpoint answers %q", got)
	}

	// And what he tells changes nothing.
	for i := range 5 {
		exchange(t, stranger, e.dovecot, httpRequest("POST", "/policy?command=report", "guessed", strings.Replace(login(innocent, "bob", false), "0aba", fmt.Sprint(i), 1)))
		exchange(t, stranger, e.dovecot, httpRequest("POST", "/policy?command=report", "", login(innocent, "bob", true)))
		exchange(t, stranger, e.postfix, policyRequest(innocent))
	}
	s.attack("203.0.113.77") // what comes later is judged later
	s.until("what came meanwhile is judged", func() bool { return s.holds("203.0.113.77") })
	w, err := known()
	if err != nil || len(w.Lines) != 2 || len(w.Bans) != 0 {
		t.Errorf("of somebody of whom strangers told: %+v, %v, want the two failures that Dovecot reported", w, err)
	}
	s.guesses(e.dovecot, innocent, "carol", 1)
	s.until("the failures before were not healed", func() bool { return s.holds(innocent) })
	if text := s.out.String(); strings.Contains(text, secretOfDovecot) || !strings.Contains(text, "client refused") {
		t.Error("the log says the secret, or not that strangers were refused")
	}
}

// However many strangers there are, and however slow, the services are answered.
func TestStrangersKeepNoServiceWaiting(t *testing.T) {
	s, e := strangers(t)
	s.yaml = strings.Replace(s.yaml, "token: "+secretOfDovecot+"}\n  - postfix", "token: "+secretOfDovecot+", allow: 127.0.0.1}\n  - postfix", 1)
	s.start()
	s.answered(e.dovecot, e.postfix, e.traefik, e.feed, e.syslog)
	var open []net.Conn
	var mu sync.Mutex
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	hold := func(from, to, text string) {
		c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).Dial("tcp", to)
		if err != nil {
			return // it is full, as far as strangers go
		}
		_, _ = io.WriteString(c, text)
		mu.Lock()
		defer mu.Unlock()
		open = append(open, c)
	}
	var all sync.WaitGroup
	for host := range 8 {
		all.Go(func() {
			from := fmt.Sprintf("127.0.1.%d", host)
			for range 200 {
				hold(from, e.dovecot, "POST /policy?command=allow HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n{")
				hold(from, e.postfix, "request=smtpd_access_policy\n")
			}
			for range 20 {
				hold(from, e.traefik, "GET / HTTP/1.1\r\nX: "+strings.Repeat("x", 20_000))
				hold(from, e.feed, "GET / HTTP/1.1\r\nHost:")
				hold(from, e.syslog, "<22>never ended")
			}
		})
	}
	all.Wait()
	began := time.Now()
	if code, _ := policy(t, e.dovecot, "allow", login(innocent, "alice", false), secretOfDovecot); code != 200 {
		t.Errorf("Dovecot is answered %d", code)
	}
	if got := turnedAway(t.Context(), e.postfix, innocent); got != "action=DUNNO\n" {
		t.Errorf("Postfix is answered %q", got)
	}
	for _, to := range []string{e.traefik, e.feed} {
		c := dialAs(t, "127.0.0.1", to)
		defer c.Close()
		_, _ = io.WriteString(c, httpRequest("GET", "/", secretOfDovecot, ""))
		if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
			t.Errorf("%s is answered %q, %v", to, line, err)
		}
	}
	c := dialAs(t, "127.0.0.1", e.syslog)
	defer c.Close()
	for range 3 {
		_, _ = io.WriteString(c, "<22>"+failure(caught, "alice")+"\n")
	}
	s.until("a sender on the list is heard", func() bool { return s.holds(caught) })
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("answers took %v beside the strangers", took)
	}
}

// The socket of the commands is its owner's alone from the moment on that it has a
// name: whoever is connected before may ban.
func TestTheSocketIsNeverOpenToOthers(t *testing.T) {
	s := newSite(t)
	path := filepath.Join(s.dir, "s")
	ended := make(chan struct{})
	var wide os.FileMode
	var seen int
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			select {
			case <-ended:
				return
			default:
			}
			if info, err := os.Lstat(path); err == nil {
				seen++
				wide |= info.Mode().Perm() &^ 0o600
			}
		}
	})
	for range 10 {
		s.start()
		s.stop()
	}
	close(ended)
	watching.Wait()
	if seen == 0 || wide != 0 {
		t.Errorf("looked at %d times, others could %v", seen, wide)
	}
}
