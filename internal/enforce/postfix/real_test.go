package postfix

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What is here runs against the real Postfix whose command EDGEBAN_POSTFIX names, as
// root. Clients are addresses of loopback.
const (
	bad  = "127.0.0.2"
	good = "127.0.0.3"
)

type lab struct{ dir, smtp, ours string }

func newLab(t *testing.T) *lab {
	t.Helper()
	if os.Getenv("EDGEBAN_POSTFIX") == "" {
		t.Skip("EDGEBAN_POSTFIX names no Postfix")
	}
	dir, err := os.MkdirTemp("/tmp", "pf") //nolint:usetesting // a socket's path has room for 107 bytes only
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l := &lab{dir: dir, smtp: free(t), ours: free(t)}
	main := fmt.Sprintf(`compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
maillog_file = /dev/stdout
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.example.com
mydestination = example.com
local_recipient_maps =
local_transport = discard
mynetworks = 127.0.0.1
alias_maps =
smtpd_peername_lookup = no
smtpd_delay_reject = no
edgeban = check_policy_service { inet:%[2]s, timeout=2s, try_limit=1, default_action=DUNNO }
smtpd_client_restrictions = $edgeban
smtpd_helo_restrictions = $edgeban
smtpd_sender_restrictions = $edgeban
smtpd_recipient_restrictions = $edgeban, reject_unauth_destination
smtpd_data_restrictions = $edgeban
smtpd_policy_service_retry_delay = 1s
`, dir, l.ours)
	master := l.smtp + ` inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
discard unix - - n - - discard
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
`
	owner, err := user.Lookup("postfix")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(owner.Uid)
	err = errors.Join(os.Chmod(dir, 0o755), os.WriteFile(dir+"/main.cf", []byte(main), 0o644), os.WriteFile(dir+"/master.cf", []byte(master), 0o644),
		os.Mkdir(dir+"/queue", 0o755), os.Mkdir(dir+"/data", 0o755), os.Chown(dir+"/data", uid, -1))
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Getenv("EDGEBAN_POSTFIX"), "-c", dir, "start-fg")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = exec.Command(os.Getenv("EDGEBAN_POSTFIX"), "-c", dir, "abort").Run()
		_ = cmd.Wait()
		log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(dir + "/log")
			t.Logf("%s", text)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for greeting(l.smtp, good) != "220" {
		select {
		case <-ctx.Done():
			t.Fatal("Postfix does not greet")
		case <-time.After(20 * time.Millisecond):
		}
	}
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

// greeting returns the code with which a client is received.
func greeting(addr, from string) string {
	c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).Dial("tcp", addr)
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return err.Error()
	}
	return line[:min(3, len(line))]
}

// deliver sends a mail, and returns the code of the last answer.
func deliver(t *testing.T, addr, from string) string {
	t.Helper()
	c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	r := bufio.NewReader(c)
	code := ""
	for _, command := range []string{"", "HELO client.example.net", "MAIL FROM:<a@example.net>", "RCPT TO:<b@example.com>", "DATA", "Subject: x\r\n\r\nx\r\n."} {
		if command != "" {
			fmt.Fprint(c, command+"\r\n")
		}
		line, err := r.ReadString('\n')
		if err != nil {
			return err.Error()
		}
		if code = line[:min(3, len(line))]; code[0] > '3' {
			return code
		}
	}
	return code
}

// A session is an SMTP session that is open.
type session struct {
	net.Conn
	r *bufio.Reader
}

// open opens a session and does the first n of its commands.
func open(t *testing.T, addr, from string, n int) session {
	t.Helper()
	c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	s := session{c, bufio.NewReader(c)}
	for _, command := range append([]string{""}, dialogue[:n]...) {
		if got := s.say(command); got[0] > '3' {
			t.Fatalf("%q is answered %s", command, got)
		}
	}
	return s
}

var dialogue = []string{"HELO client.example.net", "MAIL FROM:<a@example.net>", "RCPT TO:<b@example.com>", "DATA"}

// say says a command and returns the code of the answer.
func (s session) say(command string) string {
	if command != "" {
		fmt.Fprint(s, command+"\r\n")
	}
	line, err := s.r.ReadString('\n')
	if err != nil {
		return err.Error()
	}
	return line[:min(3, len(line))]
}

// A session that was open when its client was banned ends at its next command.
func TestRealPostfixEndsOpenSessions(t *testing.T) {
	l := newLab(t)
	d, stop := l.serve(t)
	defer stop()
	ban(t, d)
	var sessions []session
	for n := range dialogue {
		sessions = append(sessions, open(t, l.smtp, bad, n))
	}
	other := open(t, l.smtp, good, 1)
	ban(t, d, bad+"/32")
	for n, s := range sessions {
		if got := s.say(dialogue[n]); got != "421" {
			t.Errorf("%s of who is banned is answered %s, want 421", dialogue[n], got)
		}
		if got := s.say("NOOP"); got[0] <= '9' { // a code, and no error
			t.Errorf("after the 421 of %s: %s, want the end", dialogue[n], got)
		}
	}
	for _, command := range dialogue[1:] {
		if got := other.say(command); got[0] > '3' {
			t.Errorf("%s of another is answered %s", command, got)
		}
	}
}

func (l *lab) serve(t *testing.T) (d *Door, stop func()) {
	t.Helper()
	d = newDoor()
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

func (l *lab) wants(t *testing.T, when, badCode, goodCode string) {
	t.Helper()
	for from, want := range map[string]string{bad: badCode, good: goodCode} {
		if got := deliver(t, l.smtp, from); got != want {
			t.Errorf("%s: %s gets %s, want %s", when, from, got, want)
		}
	}
}

// asks waits until the processes of Postfix, of which there are two at most here and
// which take turns, ask again: one whose question was not answered in time leaves the
// others out, until the late answer comes to it between two clients.
func (l *lab) asks(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for n := 0; n < 10; n++ {
		if greeting(l.smtp, bad) == "421" {
			continue
		}
		n = 0
		select {
		case <-ctx.Done():
			t.Fatal("Postfix does not ask again")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func TestRealPostfixTurnsAwayWhoIsBanned(t *testing.T) {
	l := newLab(t)
	l.wants(t, "we do not run", "250", "250")
	d, stop := l.serve(t)
	l.wants(t, "nothing is known yet", "250", "250") // it waits for 2 s, and goes on
	ban(t, d, bad+"/32")
	l.asks(t)
	l.wants(t, "banned", "421", "250")
	if notes := strings.Join(d.Notes(), " "); strings.Contains(notes, "smtpd_delay_reject") || strings.Contains(notes, "refused 0 times") {
		t.Errorf("notes: %q", notes)
	}
	ban(t, d)
	l.wants(t, "free again", "250", "250")
	ban(t, d, bad+"/32")
	stop()
	l.wants(t, "we are stopped", "250", "250")
	d, stop = l.serve(t)
	ban(t, d, bad+"/32")
	l.wants(t, "we are back", "421", "250")
	stop()

	for name, answer := range map[string]func(net.Conn){
		"nothing": func(c net.Conn) { _, _ = io.Copy(io.Discard, c) },
		"garbage": func(c net.Conn) { fmt.Fprint(c, "\x00\xff\n\n\n=\n\n") },
		"the end": func(net.Conn) {},
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
		if got := deliver(t, l.smtp, good); got != "250" {
			t.Errorf("we answer %s: mail gets %s, want it delivered", name, got)
		}
		ln.Close()
	}
}
