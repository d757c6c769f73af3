package daemon_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/store/sqlite"
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

// A kill forgets no old password: it neither locks the office out, nor is it named by
// each life anew.
func TestAKilledDaemonKnowsOldPasswords(t *testing.T) {
	if path := os.Getenv(childEnv); path != "" {
		besieged(t, path)
		return
	}
	s := newSite(t)
	dovecot, _ := s.doors()
	c, err := s.load()
	if err != nil {
		t.Fatal(err)
	}
	s.client = web.NewClient(c.Socket)
	const lives = 8
	for life := range lives {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.timeout=0")
		cmd.Env = append(cmd.Environ(), childEnv+"="+filepath.Join(s.dir, "edgeban.yaml"))
		cmd.Stdout, cmd.Stderr = s.out, s.out
		_, err := cmd.StdinPipe() // the child ends with us
		if err = errors.Join(err, cmd.Start()); err != nil {
			t.Fatal(err)
		}
		s.answered(dovecot)
		for n := range 2 { // more than 10 in all, and one a life would be a ban as well
			policy(t, dovecot, "report", login("192.0.2.77", "alice", false), secretOfDovecot)
			s.until("the login is in the ledger", func() bool {
				w, err := s.client.Why(t.Context(), netip.MustParsePrefix("192.0.2.77/32"))
				return err == nil && len(w.Lines) == 2*life+n+1
			})
		}
		if life == lives-1 { // told is told at least once: a kill just then is another test
			s.until("the account is named", func() bool { return len(s.ntfy.Messages(topic)) > 0 })
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
	}
	s.start()
	s.answered(dovecot)
	for range 20 {
		policy(t, dovecot, "report", login("192.0.2.77", "alice", false), secretOfDovecot)
	}
	s.guesses(dovecot, "203.0.113.9", "bob", 3)
	s.until("who guesses is banned, so all before was judged", func() bool { return s.holds("203.0.113.9") })
	w, err := s.client.Why(t.Context(), netip.MustParsePrefix("192.0.2.77/32"))
	counted := 0
	for _, l := range w.Lines {
		if l.Ignored == "" {
			counted++
		}
	}
	if err != nil || counted != 1 || s.holds("192.0.2.77") {
		t.Errorf("after %d kills the old password counts %d times, its office is banned %v (%v); want once, and not", lives, counted, s.holds("192.0.2.77"), err)
	}
	told := 0
	for _, m := range s.ntfy.Messages(topic) {
		told += strings.Count(m.Message, "An old password on a device of alice")
	}
	if told < 1 || told > 2 { // the last life may have been killed before it knew that it had told it
		t.Errorf("after %d kills told %d times, want once", lives, told)
	}
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
	turnedAway := func(addr string) bool { return strings.HasPrefix(turnedAway(t.Context(), postfix, addr), "action=421") }
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

// A banned client must not get in because edgeban is started again, or reads its
// configuration again: whoever asks meanwhile is not answered yet, which each service
// bears, or is told what was true before.
func TestNoRestartOpensADoor(t *testing.T) {
	s := newSite(t)
	dovecot, postfix := s.doors()
	var addrs []string
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addrs = append(addrs, l.Addr().String())
		l.Close()
	}
	s.yaml = strings.Replace(s.yaml, "zones:", fmt.Sprintf("  - traefik: {listen: %q, tcp: [smtp]}\n  - feed: {listen: %q}\nzones:", addrs[0], addrs[1]), 1)
	state := filepath.Join(s.dir, "state")
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(filepath.Join(state, "ledger.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var all []edgeban.Verdict
	for i := range 3000 { // so that it takes a while until they are known
		a := netip.AddrFrom4([4]byte{203, 0, byte(113 + i>>8), byte(i)})
		all = append(all, edgeban.Verdict{Ban: edgeban.Ban{
			Key: edgeban.Key{Jail: "reports", Subject: netip.PrefixFrom(a, 32)}, Addr: a,
			Since: time.Now(), Until: time.Now().Add(time.Hour), Failures: 3, Nth: 1, Cause: edgeban.Seq(i + 1),
		}})
	}
	if err := store.Impose(t.Context(), all...); err != nil {
		t.Fatal(err)
	}
	store.Close()

	const banned = "203.0.113.9"
	ctx, stop := context.WithCancel(t.Context())
	asked := map[string]*atomic.Int64{}
	var asking sync.WaitGroup
	ask := func(what string, f func() (answered, in bool)) {
		n := &atomic.Int64{}
		asked[what] = n
		asking.Go(func() {
			for ctx.Err() == nil {
				answered, in := f()
				if in {
					t.Errorf("%s: the banned client gets in", what)
					return
				}
				if answered {
					n.Add(1)
				}
			}
		})
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	get := func(url string) (bool, string) {
		resp, err := client.Get(url) //nolint:noctx // of loopback
		if err != nil {
			return false, ""
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return err == nil && resp.StatusCode == 200, string(text)
	}
	ask("Dovecot", func() (bool, bool) {
		code, text, err := post(ctx, "http://"+dovecot+"/policy?command=allow", login(banned, "alice", false), secretOfDovecot)
		return err == nil, err == nil && (code != 200 || !strings.Contains(text, `"status":-1`))
	})
	ask("Postfix", func() (bool, bool) {
		line := turnedAway(ctx, postfix, banned)
		return line != "", strings.HasPrefix(line, "action=DUNNO")
	})
	ask("Traefik", func() (bool, bool) {
		ok, text := get("http://" + addrs[0] + "/")
		return ok, ok && !strings.Contains(text, "ClientIP(`"+banned+"`)") && !strings.Contains(text, banned+"\n")
	})
	ask("the feed", func() (bool, bool) {
		ok, text := get("http://" + addrs[1] + "/bans.txt")
		return ok, ok && !strings.Contains(text, banned+"\n")
	})
	more := func() {
		t.Helper()
		for what, n := range asked {
			before := n.Load()
			s.until(what+" is answered", func() bool { return n.Load() > before || t.Failed() })
		}
	}
	for range 3 {
		s.start()
		more()
		s.hup <- syscall.SIGHUP
		more()
		s.stop()
	}
	stop()
	asking.Wait()
}

// turnedAway asks as Postfix does, and returns the answer; "" for none.
func turnedAway(ctx context.Context, postfix, addr string) string {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", postfix)
	if err != nil {
		return ""
	}
	defer c.Close()
	end := context.AfterFunc(ctx, func() { c.Close() })
	defer end()
	fmt.Fprintf(c, "request=smtpd_access_policy\nprotocol_state=CONNECT\nclient_address=%s\n\n", addr)
	line, _ := bufio.NewReader(c).ReadString('\n')
	return line
}
