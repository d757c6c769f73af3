package daemon_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/daemon"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
	"github.com/edgeban/edgeban/internal/notify/ntfytest"
	"github.com/edgeban/edgeban/internal/web"
)

const (
	token = "tk_0123456789abcdefghijklmnopqrs"
	topic = "alerts"
)

// A site is a whole daemon with a log, beside a fake firewall and a fake ntfy.
type site struct {
	*testing.T
	dir      string
	firewall *opnsensetest.Firewall
	ntfy     *ntfytest.Server
	yaml     string
	broken   []config.Broken // jails of fail2ban's folder that cannot run
	client   *web.Client
	hup      chan os.Signal
	stdin    io.Reader
	stop     func()
	out      *logBuffer
}

// logBuffer keeps what the daemon logs.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newSite(t *testing.T) *site {
	dir, err := os.MkdirTemp("", "eb") //nolint:usetesting // a socket's path has room for 107 bytes only
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &site{T: t, dir: dir, hup: make(chan os.Signal, 1), out: &logBuffer{}}
	s.firewall = opnsensetest.New(opnsensetest.Options{})
	url, err := s.firewall.ListenTLS()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.firewall.Close() })
	pin, err := s.firewall.Pin()
	if err != nil {
		t.Fatal(err)
	}
	s.ntfy = ntfytest.New(ntfytest.Options{Users: []ntfytest.User{{Name: "e", Tokens: map[string]time.Time{token: {}}, Write: []string{"*"}}}})
	srv := httptest.NewServer(s.ntfy)
	t.Cleanup(srv.Close)
	s.yaml = fmt.Sprintf(`state: state
socket: s
targets:
  - opnsense: {url: %s, pin: "%s", key: %s, secret: %s, alias: %s}
notify:
  - ntfy: {url: %s, topic: %s, token: %s}
never: [192.0.2.1]
jails:
  dovecot: {logpath: "*.log"}
`, url, pin, opnsensetest.Key, opnsensetest.Secret, opnsensetest.AliasName, srv.URL, topic, token)
	return s
}

func (s *site) load() (config.Config, error) {
	path := filepath.Join(s.dir, "edgeban.yaml")
	if err := os.WriteFile(path, []byte(s.yaml), 0o600); err != nil {
		return config.Config{}, err
	}
	c, err := config.Load(path)
	c.Broken = s.broken
	for _, b := range s.broken { // what fail2ban's folder has cannot run twice
		c.Jails = slices.DeleteFunc(c.Jails, func(j config.Jail) bool { return j.Name == b.Jail })
	}
	return c, err
}

func (s *site) start() {
	s.Helper()
	c, err := s.load()
	if err != nil {
		s.Fatal(err)
	}
	s.client = web.NewClient(c.Socket)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- daemon.Run(ctx, daemon.Options{
			Config: c, Log: slog.New(slog.NewTextHandler(s.out, &slog.HandlerOptions{Level: slog.LevelDebug})), Version: "test",
			Reload: s.hup, Load: s.load, Stdin: s.stdin,
			Networks: func() ([]netip.Prefix, error) { return nil, nil }, // whatever this machine is in
			HostName: func(context.Context, netip.Addr) string { return "" },
		})
	}()
	s.stop = sync.OnceFunc(func() {
		began := time.Now()
		cancel()
		if err := <-done; err != nil {
			s.Errorf("run: %v", err)
		}
		if took := time.Since(began); took > 5*time.Second {
			s.Errorf("the end took %v, want 5 s at most", took)
		}
	})
	s.Cleanup(s.stop)
	s.until("the daemon is up", func() bool {
		st, err := s.client.Status(s.Context())
		return err == nil && len(st.Targets) > 0 && !st.Targets[0].Looked.IsZero()
	})
}

// until waits for a condition; what hangs is ended by the test's own limit.
func (s *site) until(what string, ok func() bool) {
	s.Helper()
	limit := time.After(time.Minute)
	for !ok() {
		select {
		case <-limit:
			st, err := s.client.Status(context.Background())
			s.Fatalf("after a minute, not: %s\nstatus: %+v %v\nlog: %s", what, st, err, s.out)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func (s *site) write(name string, lines ...string) {
	s.Helper()
	f, err := os.OpenFile(filepath.Join(s.dir, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(strings.Join(lines, "\n") + "\n"); err != nil {
		s.Fatal(err)
	}
}

var session int

// failure is a line in which a login from addr fails now.
func failure(addr, user string) string {
	session++
	return fmt.Sprintf("%s auth: Info: passwd-file(%s,%s,<s%d>): Password mismatch", time.Now().Format("Jan _2 15:04:05"), user, addr, session)
}

func repeat(n int, f func() string) (lines []string) {
	for range n {
		lines = append(lines, f())
	}
	return lines
}

func (s *site) attack(addr string) {
	s.Helper()
	s.write("dovecot.log", repeat(5, func() string { return failure(addr, "root") })...)
}

func (s *site) holds(addr string) bool {
	return slices.Contains(s.firewall.Entries(opnsensetest.AliasName), netip.MustParsePrefix(addr+"/32"))
}

func TestFailedLoginsBecomeABanAndAMessage(t *testing.T) {
	s := newSite(t)
	s.start()
	s.write("dovecot.log", failure("203.0.113.8", "alice"))
	s.attack("203.0.113.9")
	s.until("the firewall holds the attacker", func() bool { return s.holds("203.0.113.9") })
	s.until("the phone buzzes", func() bool { return len(s.ntfy.Messages(topic)) > 0 })
	if m := s.ntfy.Messages(topic)[0]; !strings.Contains(m.Title, "203.0.113.9") {
		t.Errorf("message: got %q, want it to name the attacker", m.Title)
	}
	s.until("it is proven", func() bool {
		bans, err := s.client.Bans(t.Context())
		return err == nil && len(bans) == 1 && len(bans[0].Held) == 1 && !bans[0].Held[0].Held.IsZero()
	})
	if got := s.firewall.Entries(opnsensetest.AliasName); len(got) != 1 {
		t.Errorf("the firewall holds %v, want the attacker alone", got)
	}
}

func TestOwnerIsNeverBanned(t *testing.T) {
	s := newSite(t)
	s.start()
	s.attack("192.0.2.1") // never:
	s.attack("127.0.0.1") // loopback
	s.attack("10.9.8.7")  // private: told, not sent
	s.attack("203.0.113.9")
	s.until("the attacker is held", func() bool { return s.holds("203.0.113.9") })
	s.until("the inside attacker is told", func() bool {
		return slices.ContainsFunc(s.ntfy.Messages(topic), func(m ntfytest.Message) bool { return strings.Contains(m.Title+m.Message, "10.9.8.7") })
	})
	if got := s.firewall.Entries(opnsensetest.AliasName); len(got) != 1 {
		t.Errorf("the firewall holds %v, want the attacker alone", got)
	}
	w, err := s.client.Why(t.Context(), netip.MustParsePrefix("192.0.2.1/32"))
	if err != nil || w.Protected == "" || len(w.Bans) != 0 {
		t.Errorf("why the owner: got %+v, %v; want protected and no ban", w, err)
	}
	var bad *web.BadRequest
	if _, err := s.client.Ban(t.Context(), web.BanRequest{Subject: netip.MustParsePrefix("192.0.2.0/24"), For: time.Hour}); !errors.As(err, &bad) {
		t.Errorf("ban around the owner by hand: got %v, want a refusal", err)
	}
}

func TestRestartKeepsBansAndTellsNothingTwice(t *testing.T) {
	s := newSite(t)
	s.start()
	s.attack("203.0.113.9")
	s.write("dovecot.log", repeat(4, func() string { return failure("203.0.113.10", "bob") })...)
	s.until("the phone buzzes", func() bool { return s.holds("203.0.113.9") && len(s.ntfy.Messages(topic)) == 1 })
	s.stop()
	if !s.holds("203.0.113.9") {
		t.Error("stopping lifted the ban")
	}
	s.write("dovecot.log", failure("203.0.113.10", "bob")) // the fifth, while the daemon is down
	s.start()
	s.until("the slow attacker is held", func() bool { return s.holds("203.0.113.10") })
	s.until("the second message", func() bool { return len(s.ntfy.Messages(topic)) == 2 })
	if m := s.ntfy.Messages(topic)[1]; strings.Contains(m.Title+m.Message, "203.0.113.9 ") {
		t.Errorf("told again after the restart: %q %q", m.Title, m.Message)
	}
}

func TestUnbanLiftsEverywhereAndOldLinesDoNotBringItBack(t *testing.T) {
	s := newSite(t)
	s.start()
	s.attack("203.0.113.9")
	s.until("held", func() bool { return s.holds("203.0.113.9") })
	res, err := s.client.Unban(t.Context(), netip.MustParsePrefix("203.0.113.0/24"))
	if err != nil || len(res.Lifted) != 1 {
		t.Fatalf("unban: got %+v, %v; want one lifted", res, err)
	}
	s.until("let go", func() bool { return !s.holds("203.0.113.9") })
	s.stop()
	s.start()
	s.attack("203.0.113.10") // read after whatever is read again
	s.until("the next attacker is held", func() bool { return s.holds("203.0.113.10") })
	if s.holds("203.0.113.9") {
		t.Error("the lifted ban came back")
	}
}

func TestBadReloadIsRefusedAndGoodOneTaken(t *testing.T) {
	s := newSite(t)
	s.start()
	good := s.yaml
	s.yaml = strings.Replace(good, "jails:", "jailz:", 1)
	s.hup <- syscall.SIGHUP
	s.until("the bad one is refused", func() bool { return strings.Contains(s.out.String(), "reload refused") })
	s.attack("203.0.113.9")
	s.until("the old one goes on", func() bool { return s.holds("203.0.113.9") })
	s.yaml = strings.Replace(good, `logpath: "*.log"`, `logpath: "*.log", maxretry: 2`, 1)
	s.hup <- syscall.SIGHUP
	s.until("the good one is taken", func() bool { return strings.Contains(s.out.String(), "msg=reloaded") })
	s.write("dovecot.log", failure("203.0.113.10", "a"), failure("203.0.113.10", "a"))
	s.until("its rules count", func() bool { return s.holds("203.0.113.10") })
	if s.until("the trouble is told", func() bool { return len(s.ntfy.Messages(topic)) >= 1 }); !s.holds("203.0.113.9") {
		t.Error("the reload lifted a ban")
	}
}

func TestReloadLosesNoLine(t *testing.T) {
	s := newSite(t)
	s.start()
	const n = 200
	for i := range n {
		s.write("dovecot.log", failure(fmt.Sprintf("203.0.113.%d", i%4), fmt.Sprint("u", i)))
		if i%10 == 5 {
			select {
			case s.hup <- syscall.SIGHUP:
			default:
			}
		}
	}
	counted := func() (sum int) {
		for i := range 4 {
			w, err := s.client.Why(t.Context(), netip.MustParsePrefix(fmt.Sprintf("203.0.113.%d/32", i)))
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range w.Lines {
				sum += l.Count
			}
		}
		return sum
	}
	s.until("every line is counted", func() bool { return counted() >= n })
	if got := counted(); got != n {
		t.Errorf("%d failures were counted, want %d", got, n)
	}
}

func TestNoSecretIsEverSaid(t *testing.T) {
	s := newSite(t)
	s.start()
	s.attack("203.0.113.9")
	s.until("held", func() bool { return s.holds("203.0.113.9") })
	for _, f := range []opnsensetest.Fault{opnsensetest.Unauthorized, opnsensetest.Page, opnsensetest.ServerError} {
		s.firewall.Fail(f, 1)
		s.attack(fmt.Sprintf("203.0.113.%d", 20+int(f)))
		s.until("held all the same, or said", func() bool {
			return strings.Count(s.out.String(), "target not kept") > 0 || s.holds(fmt.Sprintf("203.0.113.%d", 20+int(f)))
		})
		s.firewall.Heal()
	}
	s.ntfy.Forget("e") // the token is unknown now
	s.attack("203.0.113.30")
	s.until("the notifier fails", func() bool {
		st, err := s.client.Status(t.Context())
		return err == nil && st.Notifiers[0].Error != ""
	})
	st, err := s.client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.stop()
	said := fmt.Sprintf("%s %+v", s.out, st)
	for _, secret := range []string{token, opnsensetest.Key, opnsensetest.Secret} {
		if strings.Contains(said, secret) {
			t.Errorf("the secret %s… was said", secret[:6])
		}
	}
}

func TestTwoDaemonsDoNotShareALedger(t *testing.T) {
	s := newSite(t)
	s.start()
	c, err := s.load()
	if err != nil {
		t.Fatal(err)
	}
	err = daemon.Run(t.Context(), daemon.Options{Config: c, Log: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "ledger.db") {
		t.Errorf("a second daemon: got %v, want an error that names the ledger", err)
	}
	if _, err := s.client.Status(t.Context()); err != nil {
		t.Errorf("the first daemon does not answer any more: %v", err)
	}
}

func TestDamagedLedgerRemovesNothingUntilAdopted(t *testing.T) {
	s := newSite(t)
	s.start()
	s.attack("203.0.113.9")
	s.until("held", func() bool { return s.holds("203.0.113.9") })
	s.stop()
	s.firewall.Insert(opnsensetest.AliasName, "198.51.100.7") // somebody else's, unknown to the ledger
	path := filepath.Join(s.dir, "state", "ledger.db")
	if err := os.WriteFile(path, bytes.Repeat([]byte("garbage "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	os.Remove(path + "-wal")
	s.start()
	st, err := s.client.Status(t.Context())
	if err != nil || !slices.ContainsFunc(st.Troubles, func(s string) bool { return strings.Contains(s, "adopt") }) {
		t.Errorf("status: got %+v, %v; want a trouble that names adopt", st.Troubles, err)
	}
	s.attack("203.0.113.10")
	s.until("bans go on", func() bool { return s.holds("203.0.113.10") })
	if !s.holds("203.0.113.9") {
		t.Error("the lost ban was removed from the firewall")
	}
	if damaged, err := filepath.Glob(path + ".damaged*"); err != nil || len(damaged) == 0 {
		t.Errorf("the damaged ledger was not set aside: %v %v", damaged, err)
	}
	res, err := s.client.Adopt(t.Context())
	if err != nil || !res.Found || res.Adopted["opnsense"] != 2 {
		t.Errorf("adopt: got %+v, %v; want two entries and the ledger found", res, err)
	}
	if _, err := s.client.Unban(t.Context(), netip.MustParsePrefix("203.0.113.9/32")); err != nil {
		t.Fatal(err)
	}
	s.until("what was adopted can be let go", func() bool { return !s.holds("203.0.113.9") })
}

func TestReloadWithATakenPortIsRefused(t *testing.T) {
	s := newSite(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s.start()
	s.yaml = strings.Replace(s.yaml, "notify:", fmt.Sprintf("  - feed: {listen: %q}\nnotify:", l.Addr()), 1)
	s.hup <- syscall.SIGHUP
	s.until("it is refused, and says what to do", func() bool {
		return strings.Contains(s.out.String(), "reload refused") && strings.Contains(s.out.String(), "stop what listens there, or let the target listen elsewhere: targets: ")
	})
	s.attack("203.0.113.9")
	s.until("the old one goes on", func() bool { return s.holds("203.0.113.9") })
}

func TestStandardInputIsReadAlsoOverAReload(t *testing.T) {
	s := newSite(t)
	s.yaml = strings.Replace(s.yaml, `logpath: "*.log"`, `logpath: ["-", "*.log"]`, 1)
	r, w := io.Pipe()
	defer w.Close()
	s.stdin = r
	s.start()
	counted := func() (n int) {
		x, err := s.client.Why(t.Context(), netip.MustParsePrefix("203.0.113.9/32"))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range x.Lines {
			n += l.Count
		}
		return n
	}
	fmt.Fprintln(w, failure("203.0.113.9", "a"))
	s.until("a line is counted", func() bool { return counted() == 1 })
	s.hup <- syscall.SIGHUP
	s.until("reloaded", func() bool { return strings.Contains(s.out.String(), "msg=reloaded") })
	for range 3 {
		fmt.Fprintln(w, failure("203.0.113.9", "a"))
	}
	s.write("dovecot.log", failure("203.0.113.9", "a"))
	s.until("all are counted, and the attacker is banned", func() bool { return counted() == 5 && s.holds("203.0.113.9") })
}

func TestAttackDuringAReloadWithOtherRulesIsBanned(t *testing.T) {
	s := newSite(t)
	s.start()
	for i := range 20 {
		addr := fmt.Sprintf("203.0.113.%d", 100+i)
		s.attack(addr)
		s.yaml = regexp.MustCompile(`logpath: "\*.log".*}`).ReplaceAllString(s.yaml, fmt.Sprintf(`logpath: "*.log", maxretry: %d}`, 4+i%2))
		s.hup <- syscall.SIGHUP
		s.until(addr+" is held", func() bool { return s.holds(addr) })
	}
}

func TestMendedLogIsNoTroubleAnyMore(t *testing.T) {
	s := newSite(t)
	path := filepath.Join(s.dir, "pipe.log")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	troubles := func() []string {
		st, err := s.client.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return st.Troubles
	}
	s.until("it is told", func() bool { return len(troubles()) == 1 })
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	s.write("pipe.log", "hello")
	s.until("it is mended", func() bool { return len(troubles()) == 0 })
}

func TestStopDoesNotWaitForIdleClients(t *testing.T) {
	s := newSite(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	s.yaml = strings.Replace(s.yaml, "notify:", fmt.Sprintf("  - feed: {listen: %q}\nnotify:", addr), 1)
	s.start()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET / HT")
	s.stop() // which wants it within 5 s
}

func TestSessionOverARotationIsCountedOnce(t *testing.T) {
	s := newSite(t)
	s.start()
	now := time.Now().Format("Jan _2 15:04:05")
	s.write("d.log", now+" auth: Info: passwd-file(eve,203.0.113.9,<s1>): Password mismatch")
	counted := func(addr string) (n int) {
		w, err := s.client.Why(t.Context(), netip.MustParsePrefix(addr+"/32"))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range w.Lines {
			n += l.Count
		}
		return n
	}
	s.until("the failure is counted", func() bool { return counted("203.0.113.9") == 1 })
	if err := os.Rename(filepath.Join(s.dir, "d.log"), filepath.Join(s.dir, "d.log.1")); err != nil {
		t.Fatal(err)
	}
	s.write("d.log", now+" imap-login: Info: Disconnected (auth failed, 1 attempts in 2 secs): user=<eve>, method=PLAIN, rip=203.0.113.9, lip=10.0.0.1, TLS, session=<s1>",
		failure("203.0.113.10", "marker"))
	s.until("the new file is read", func() bool { return counted("203.0.113.10") == 1 })
	if n := counted("203.0.113.9"); n != 1 {
		t.Errorf("one failed login over a rotation: counted %d times, want once", n)
	}
}

func TestSocketNeverTakesThePlaceOfAFile(t *testing.T) {
	s := newSite(t)
	path := filepath.Join(s.dir, "s")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := s.load()
	if err != nil {
		t.Fatal(err)
	}
	err = daemon.Run(t.Context(), daemon.Options{Config: c, Log: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want an error that names the file", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "mine" {
		t.Errorf("the file is %q, %v; want it untouched", b, err)
	}
}
