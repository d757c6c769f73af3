package dovecot

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
)

// What is here runs against the real Dovecot whose path EDGEBAN_DOVECOT names, as
// root. Clients are addresses of loopback.
const (
	bad  = "127.0.0.2"
	good = "127.0.0.3"
)

type lab struct {
	dir           string
	imap, doveadm string // host:port
	ours          string
}

func newLab(t *testing.T) *lab {
	t.Helper()
	if os.Getenv("EDGEBAN_DOVECOT") == "" {
		t.Skip("EDGEBAN_DOVECOT names no Dovecot")
	}
	dir, err := os.MkdirTemp("/tmp", "dc") //nolint:usetesting // a socket's path has room for 107 bytes only
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l := &lab{dir: dir, imap: free(t), doveadm: free(t), ours: free(t)}
	port := func(addr string) string { _, p, _ := net.SplitHostPort(addr); return p }
	text := fmt.Sprintf(`protocols = imap
base_dir = %[1]s/run
state_dir = %[1]s/state
log_path = %[1]s/log
auth_verbose = yes
ssl = no
disable_plaintext_auth = no
listen = 127.0.0.1
mail_location = maildir:%[1]s/mail/%%u
first_valid_uid = 1
passdb {
  driver = passwd-file
  args = %[1]s/users
}
userdb {
  driver = static
  args = uid=mail gid=mail home=%[1]s/mail/%%u
}
service imap-login {
  inet_listener imap {
    port = %[2]s
  }
  inet_listener imaps {
    port = 0
  }
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service doveadm {
  inet_listener http {
    port = %[3]s
  }
}
doveadm_api_key = key
auth_policy_server_url = http://%[4]s/policy
auth_policy_server_api_header = Authorization: Bearer %[5]s
auth_policy_hash_nonce = nonce
auth_policy_server_timeout_msecs = 500
`, dir, port(l.imap), port(l.doveadm), l.ours, word)
	err = errors.Join(os.Chmod(dir, 0o755), os.WriteFile(dir+"/dovecot.conf", []byte(text), 0o644), os.WriteFile(dir+"/users", []byte("alice:{PLAIN}secret\n"), 0o644), os.Mkdir(dir+"/mail", 0o777), os.Chmod(dir+"/mail", 0o777))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Getenv("EDGEBAN_DOVECOT"), "-F", "-c", filepath.Join(dir, "dovecot.conf"))
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(dir + "/log")
			t.Logf("%s", text)
		}
	})
	until(t, "Dovecot to greet", func() bool {
		c, err := net.Dial("tcp", l.imap)
		if err != nil {
			return false
		}
		defer c.Close()
		line, _ := bufio.NewReader(c).ReadString('\n')
		return strings.HasPrefix(line, "* OK")
	})
	return l
}

func free(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// serve answers Dovecot until it is stopped.
func (l *lab) serve(t *testing.T, c config.Dovecot) (d *Door, stop func()) {
	t.Helper()
	c.Listen, c.Token, c.Doveadm, c.DoveadmKey = l.ours, config.NewSecret(word), "http://"+l.doveadm, config.NewSecret("key")
	d = New(c, nil, slog.New(slog.NewTextHandler(t.Output(), nil)))
	d.Logins()
	ln, err := net.Listen("tcp", l.ours)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Serve(ctx, ln) }()
	return d, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// login logs in from an address, and returns the session and what Dovecot says.
func (l *lab) login(t *testing.T, from, password string) (net.Conn, string) {
	t.Helper()
	c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).Dial("tcp", l.imap)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	r := bufio.NewReader(c)
	if _, err := r.ReadString('\n'); err != nil {
		t.Fatalf("no greeting for %s: %v", from, err)
	}
	fmt.Fprintf(c, "a LOGIN alice %s\r\n", password)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return c, err.Error()
		}
		if rest, ok := strings.CutPrefix(line, "a "); ok {
			word, _, _ := strings.Cut(rest, " ")
			return c, word
		}
	}
}

func (l *lab) wantLogin(t *testing.T, when, from, want string) {
	t.Helper()
	if _, got := l.login(t, from, "secret"); got != want {
		t.Errorf("%s: %s logs in with the right password: %s, want %s", when, from, got, want)
	}
}

func TestRealDovecotRefusesWhoIsBanned(t *testing.T) {
	l := newLab(t)
	d, stop := l.serve(t, config.Dovecot{})
	defer func() { stop() }()
	ban(t, d)
	l.login(t, bad, "guess")
	session, got := l.login(t, bad, "secret")
	if got != "OK" {
		t.Fatalf("before the ban: %s", got)
	}
	l.wantLogin(t, "before the ban", good, "OK")
	var seen []string
	until(t, "the reports", func() bool {
		for _, m := range reported(d) {
			seen = append(seen, fmt.Sprint(m.Kind, " ", m.User, " ", m.Addr))
		}
		return len(seen) >= 3
	})
	if want := []string{"failure alice " + bad, "success alice " + bad, "success alice " + good}; !slices.Equal(seen, want) {
		t.Errorf("reported %q, want %q", seen, want)
	}

	ban(t, d, bad+"/32")
	if _, err := io.ReadAll(session); err != nil {
		t.Errorf("the session goes on: %v, want it ended", err)
	}
	l.wantLogin(t, "banned", bad, "NO")
	l.wantLogin(t, "another is banned", good, "OK")
	seen = nil
	until(t, "the next reports", func() bool {
		for _, m := range reported(d) {
			seen = append(seen, fmt.Sprint(m.Kind, " ", m.Addr))
		}
		return len(seen) >= 1
	})
	if slices.Contains(seen, "failure "+bad) {
		t.Errorf("our own refusal is reported as a failure: %q", seen)
	}
	for _, f := range d.Check(t.Context()) {
		if f.Grade != edgeban.Good {
			t.Errorf("the doctor says %+v", f)
		}
	}
	ban(t, d)
	l.wantLogin(t, "free again", bad, "OK")
	ban(t, d, bad+"/32")
	stop()
	l.wantLogin(t, "we are stopped", bad, "OK") // fails open
	d, stop = l.serve(t, config.Dovecot{})
	l.wantLogin(t, "we have just started", bad, "OK")
	ban(t, d, bad+"/32")
	l.wantLogin(t, "we are back", bad, "NO")
}

func TestRealDovecotMakesThemWait(t *testing.T) {
	l := newLab(t)
	d, stop := l.serve(t, config.Dovecot{Tarpit: time.Second})
	defer stop()
	ban(t, d, bad+"/32")
	began := time.Now()
	l.wantLogin(t, "made to wait", bad, "OK")
	if took := time.Since(began); took < time.Second {
		t.Errorf("it took %v, want a second at least", took)
	}
	l.wantLogin(t, "another", good, "OK")
}

// Whatever becomes of us, mail goes on.
func TestRealDovecotGoesOnWithoutUs(t *testing.T) {
	l := newLab(t)
	for name, answer := range map[string]func(net.Conn){
		"nothing":     func(c net.Conn) { _, _ = io.Copy(io.Discard, c) },
		"garbage":     func(c net.Conn) { fmt.Fprint(c, "\x00\xff\r\n\r\n") },
		"an error":    func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n") },
		"other words": func(c net.Conn) { fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]") },
		"the end":     func(net.Conn) {},
	} {
		ln, err := net.Listen("tcp", l.ours)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					_, _ = c.Read(make([]byte, 100))
					answer(c)
				}()
			}
		}()
		l.wantLogin(t, "we answer "+name, good, "OK")
		ln.Close()
	}
	l.wantLogin(t, "nobody listens", good, "OK")
	wrong := New(config.Dovecot{Listen: l.ours, Token: config.NewSecret("another")}, nil, slog.New(slog.DiscardHandler))
	wrong.Logins()
	ban(t, wrong, good+"/32")
	ln, err := net.Listen("tcp", l.ours)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- wrong.Serve(ctx, ln) }()
	l.wantLogin(t, "with another secret", good, "OK")
	if ms := reported(wrong); len(ms) > 0 {
		t.Errorf("without the secret it reports %+v", ms)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
