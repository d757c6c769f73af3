package daemon_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/daemon"
	"github.com/edgeban/edgeban/internal/web"
)

const secretOfDovecot = "the-secret-of-dovecot"

// doors adds a Dovecot and a Postfix that ask, and a jail of what Dovecot reports.
func (s *site) doors() (policy, smtp string) {
	s.Helper()
	var addrs []string
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			s.Fatal(err)
		}
		addrs = append(addrs, l.Addr().String())
		l.Close()
	}
	s.yaml = strings.Replace(s.yaml, "notify:", fmt.Sprintf("  - name: logins\n    dovecot: {listen: %q, token: %s}\n  - postfix: {listen: %q}\nzones:\n  lan: {targets: [logins, postfix]}\nnotify:", addrs[0], secretOfDovecot, addrs[1]), 1)
	s.yaml += "  reports: {filter: dovecot, source: logins, maxretry: 3}\n"
	return addrs[0], addrs[1]
}

// policy asks as Dovecot does, which tries again if the connection is closed just
// then, as in a reload.
func policy(t testing.TB, addr, command, body, secret string) (int, string) {
	t.Helper()
	var err error
	for range 5 {
		var code int
		var text string
		if code, text, err = post(t.Context(), "http://"+addr+"/policy?command="+command, body, secret); err == nil {
			return code, text
		}
	}
	t.Fatal(err)
	return 0, ""
}

// answered waits until somebody listens at each address.
func (s *site) answered(addrs ...string) {
	s.Helper()
	for _, addr := range addrs {
		s.until(addr+" is answered", func() bool {
			c, err := net.Dial("tcp", addr)
			if err == nil {
				c.Close()
			}
			return err == nil
		})
	}
}

func post(ctx context.Context, url, body, secret string) (int, string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

func login(addr, user string, success bool) string {
	return fmt.Sprintf(`{"device_id":"","login":%q,"protocol":"imap","pwhash":"0aba","remote":%q,"session_id":"p5K8O9xgC9PLAHHA","success":%v,"policy_reject":false,"tls":true}`, user, addr, success)
}

// guesses reports logins that fail with different passwords, as guesses do.
func (s *site) guesses(dovecot, addr, user string, n int) {
	s.Helper()
	for i := range n {
		body := strings.Replace(login(addr, user, false), "0aba", fmt.Sprintf("%04x", i), 1)
		policy(s, dovecot, "report", body, secretOfDovecot)
	}
}

// An old password on a device of the office is named, and locks nobody out; who
// guesses from the same address is banned.
func TestAnOldPhoneDoesNotLockOutTheOffice(t *testing.T) {
	s := newSite(t)
	dovecot, _ := s.doors()
	s.start()
	s.answered(dovecot)
	for range 50 {
		policy(t, dovecot, "report", login("192.0.2.77", "alice", false), secretOfDovecot)
	}
	told := func() (n int) {
		for _, m := range s.ntfy.Messages(topic) {
			n += strings.Count(m.Message, "An old password on a device of alice")
		}
		return n
	}
	s.until("the account is named", func() bool { return told() == 1 })
	if s.holds("192.0.2.77") || told() != 1 {
		t.Errorf("the office is banned %v, told %d times", s.holds("192.0.2.77"), told())
	}
	s.guesses(dovecot, "192.0.2.77", "bob", 3)
	s.until("who guesses from there is banned", func() bool { return s.holds("192.0.2.77") })
}

// What Dovecot reports bans as lines do, and the doors know of it at once.
func TestReportedLoginsBanAtTheEdgeAndAtTheDoors(t *testing.T) {
	s := newSite(t)
	dovecot, postfix := s.doors()
	s.start()
	s.answered(dovecot, postfix)
	refused := func(addr string) bool {
		_, text := policy(t, dovecot, "allow", login(addr, "alice", false), secretOfDovecot)
		return strings.Contains(text, `"status":-1`)
	}
	turnedAway := func(addr string) bool {
		c, err := net.Dial("tcp", postfix)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "request=smtpd_access_policy\nprotocol_state=CONNECT\nclient_address=%s\n\n", addr)
		line, err := bufio.NewReader(c).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return strings.HasPrefix(line, "action=421")
	}
	for range 3 { // whoever has not the secret bans nobody
		if code, _ := policy(t, dovecot, "report", login("203.0.113.7", "alice", false), "guessed"); code != 401 {
			t.Errorf("with a guessed secret: %d, want 401", code)
		}
	}
	for _, addr := range []string{"203.0.113.9", "192.168.77.50"} {
		s.guesses(dovecot, addr, "alice", 3)
	}
	policy(t, dovecot, "report", login("203.0.113.10", "bob", true), secretOfDovecot)
	s.until("the edge holds the one outside", func() bool { return s.holds("203.0.113.9") })
	for _, addr := range []string{"203.0.113.9", "192.168.77.50"} {
		s.until(addr+" is refused at both doors", func() bool { return refused(addr) && turnedAway(addr) })
	}
	if s.holds("192.168.77.50") || s.holds("203.0.113.7") || refused("203.0.113.7") || refused("203.0.113.10") {
		t.Error("somebody else is held")
	}
	s.until("it is told once as an incident", func() bool {
		n := 0
		for _, m := range s.ntfy.Messages(topic) {
			n += strings.Count(m.Message, "A device in your network lan, 192.168.77.50")
		}
		return n == 1
	})
	s.until("status says that it is held, and asked for", func() bool {
		st, err := s.client.Status(t.Context())
		return err == nil && st.Targets[1].Held == 2 && strings.Contains(strings.Join(st.Targets[1].Notes, " "), "asked last at")
	})
	w, err := s.client.Why(t.Context(), netip.MustParsePrefix("192.168.77.50/32"))
	if err != nil || len(w.Lines) == 0 || w.Lines[0].User != "alice" || !strings.Contains(w.Lines[0].Text, "Dovecot reports a refused login of alice over imap") {
		t.Errorf("why %+v, %v", w.Lines, err)
	}
	if _, err := s.client.Unban(t.Context(), netip.MustParsePrefix("192.168.77.50/32")); err != nil {
		t.Fatal(err)
	}
	s.until("it is let in again", func() bool { return !refused("192.168.77.50") && !turnedAway("192.168.77.50") })

	s.hup <- syscall.SIGHUP // a reload opens no door
	s.until("the reload", func() bool {
		if !refused("203.0.113.9") {
			t.Error("the door was open")
		}
		return strings.Contains(s.out.String(), "msg=reloaded")
	})
	for range 50 {
		if !refused("203.0.113.9") {
			t.Fatal("after the reload the door was open")
		}
	}

	for range 5 { // and what stood stands in the next life, from its first answer on
		s.stop()
		s.start()
		s.answered(dovecot, postfix)
		if !refused("203.0.113.9") || !turnedAway("203.0.113.9") {
			t.Error("after a restart a door was open")
		}
	}
}

// BenchmarkDovecotAsks measures how long Dovecot waits for an answer when 2,000 users
// log in each second, each of which asks twice and reports once, while the reports go
// to the ledger on disk.
func BenchmarkDovecotAsks(b *testing.B) {
	const rate, clients = 2000, 32
	dir, err := os.MkdirTemp("", "eb") //nolint:usetesting // short, for the socket
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	path := filepath.Join(dir, "edgeban.yaml")
	yaml := fmt.Sprintf("state: state\nsocket: s\ntargets:\n  - dovecot: {listen: %q, token: %s}\njails:\n  reports: {filter: dovecot, source: dovecot}\n", addr, secretOfDovecot)
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		b.Fatal(err)
	}
	c, err := config.Load(path)
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		_ = daemon.Run(b.Context(), daemon.Options{Config: c, Log: slog.New(slog.DiscardHandler), Version: "test"})
	}()
	for client := web.NewClient(c.Socket); ; {
		if st, err := client.Status(b.Context()); err == nil && len(st.Targets) > 0 && !st.Targets[0].Looked.IsZero() {
			break
		}
	}
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = clients
	turns := make(chan int, rate)
	var mu sync.Mutex
	var took []time.Duration
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for i := range turns {
				body := login(fmt.Sprintf("203.0.%d.%d", i>>8&127, i&255), "alice", i%10 > 0)
				for _, command := range []string{"allow", "allow", "report"} {
					began := time.Now()
					policy(b, addr, command, body, secretOfDovecot)
					mu.Lock()
					took = append(took, time.Since(began))
					mu.Unlock()
				}
			}
		})
	}
	began, n := time.Now(), 0
	for b.Loop() {
		time.Sleep(time.Until(began.Add(time.Duration(n) * time.Second / rate)))
		turns <- n
		n++
	}
	close(turns)
	all.Wait()
	b.ReportMetric(float64(n)/time.Since(began).Seconds(), "logins/s")
	slices.Sort(took)
	for share, unit := range map[float64]string{0.5: "median-ms", 0.99: "p99-ms", 1: "max-ms"} {
		at := min(int(share*float64(len(took))), len(took)-1)
		b.ReportMetric(float64(took[at])/float64(time.Millisecond), unit)
	}
	b.ReportMetric(0, "ns/op")
}
