// Package client is who connects to a mail server: attackers, and people.
package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"github.com/edgeban/edgeban/e2e/lab/netns"
)

// A Door is a way to log in.
type Door int

// The doors of a mail server.
const (
	IMAPS      Door = 993
	SMTPS      Door = 465
	Submission Door = 587 // with STARTTLS
	SMTP       Door = 25
	HTTPS      Door = 443 // a page that needs a password
)

// The page.
const webHost, webPath = "ntfy.example.org", "/intruder_alerts/json?poll=1"

// Mail returns the doors at which one logs in.
func Mail() []Door { return []Door{IMAPS, SMTPS, Submission} }

// A Client connects from one address to the mail server, by the address that it has
// where the client is.
type Client struct {
	Net    *netns.Net
	From   netip.Addr
	Server string
}

// Dial opens a TCP connection.
func (c *Client) Dial(ctx context.Context, d Door) (conn net.Conn, err error) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: c.From.AsSlice()}, Timeout: 3 * time.Second}
	err = c.Net.Do(func() error {
		conn, err = dialer.DialContext(ctx, "tcp", net.JoinHostPort(c.Server, fmt.Sprint(int(d))))
		return err
	})
	return conn, err
}

// A Session is a connection on which one may log in, over TLS.
type Session struct {
	door Door
	conn net.Conn
	text *textproto.Conn
}

// patience is how long an answer may take. A refusal takes Dovecot 2 s, and Postfix
// one more.
const patience = 12 * time.Second

// Knock connects, and returns an error if no server is met: a door that is shut closes
// the connection, or answers that nobody may come in.
func (c *Client) Knock(ctx context.Context, d Door, first string) error {
	s, err := c.Open(ctx, d, first)
	if err != nil {
		return err
	}
	defer s.Close()
	if d != HTTPS {
		return nil
	}
	status, err := s.get("/v1/health", "", "")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("answered %d", status)
	}
	return err
}

// Open connects, after what is sent first, which is empty for honest clients.
func (c *Client) Open(ctx context.Context, d Door, first string) (*Session, error) {
	conn, err := c.Dial(ctx, d)
	if err != nil {
		return nil, err
	}
	s, err := greet(conn, d, first)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return s, nil
}

// Try logs in once, on a connection of its own.
func (c *Client) Try(ctx context.Context, d Door, user, password string) (bool, error) {
	s, err := c.Open(ctx, d, "")
	if err != nil {
		return false, err
	}
	defer s.Close()
	return s.Login(user, password)
}

// Right logs in, and returns an error if that is refused.
func (c *Client) Right(ctx context.Context, d Door, user, password string) error {
	ok, err := c.Try(ctx, d, user, password)
	if err == nil && !ok {
		err = errors.New("the right password was refused")
	}
	return err
}

func greet(conn net.Conn, d Door, first string) (*Session, error) {
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	if _, err := conn.Write([]byte(first)); err != nil {
		return nil, err
	}
	s := &Session{door: d, conn: conn}
	switch d {
	case IMAPS:
		s.secure()
		_, err := s.text.ReadLine()
		return s, err
	case HTTPS:
		s.secure()
		return s, nil
	case SMTPS:
		s.secure()
		return s, errors.Join(s.expect(220), s.cmd(250, "EHLO attacker.example.net"))
	case Submission, SMTP:
		s.text = textproto.NewConn(conn)
		if err := errors.Join(s.expect(220), s.cmd(250, "EHLO attacker.example.net"), s.cmd(220, "STARTTLS")); err != nil {
			return nil, err
		}
		s.secure()
		return s, s.cmd(250, "EHLO attacker.example.net")
	}
	return nil, fmt.Errorf("no door %d", d)
}

func (s *Session) secure() {
	s.conn = tls.Client(s.conn, &tls.Config{InsecureSkipVerify: true, ServerName: webHost}) //nolint:gosec // an attacker does not care
	s.text = textproto.NewConn(s.conn)
}

func (s *Session) expect(code int) error {
	_, _, err := s.text.ReadResponse(code)
	return err
}

func (s *Session) cmd(code int, line string) error {
	if err := s.text.PrintfLine("%s", line); err != nil {
		return err
	}
	return s.expect(code)
}

// Login tries to log in, and reports whether that was right. An error says that nobody
// could look: there was no answer, or Postfix has lost Dovecot, which edgeban does not
// count as a failure.
func (s *Session) Login(user, password string) (bool, error) {
	if err := s.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return false, err
	}
	switch s.door {
	case IMAPS:
		return s.imap(user, password)
	case HTTPS:
		status, err := s.get(webPath, user, password)
		if err == nil && status != http.StatusOK && status != http.StatusUnauthorized {
			err = fmt.Errorf("answered %d", status)
		}
		return status == http.StatusOK, err
	}
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
	err := s.cmd(235, "AUTH PLAIN "+plain)
	var refused *textproto.Error
	if errors.As(err, &refused) && refused.Code == 535 && !strings.Contains(refused.Msg, "Connection lost") {
		return false, nil
	}
	return err == nil, err
}

func (s *Session) imap(user, password string) (bool, error) {
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	_, ok, err := s.tagged(fmt.Sprintf(`LOGIN "%s" "%s"`, quote.Replace(user), quote.Replace(password)))
	return ok, err
}

// tagged sends a command of IMAP, and returns what was answered, and whether that was OK.
func (s *Session) tagged(command string) (lines []string, ok bool, err error) {
	if err := s.text.PrintfLine("a %s", command); err != nil {
		return nil, false, err
	}
	for {
		line, err := s.text.ReadLine()
		if err != nil {
			return nil, false, err
		}
		if strings.HasPrefix(line, "a ") {
			return lines, strings.HasPrefix(line, "a OK"), nil
		}
		lines = append(lines, line)
	}
}

// Has reports whether a mail of that subject is in the inbox of who has logged in over
// IMAP.
func (s *Session) Has(subject string) (bool, error) {
	for _, command := range []string{"SELECT INBOX", "SEARCH SUBJECT " + subject} {
		lines, ok, err := s.tagged(command)
		if err != nil || !ok {
			return false, fmt.Errorf("%s: answered OK: %t: %w", command, ok, err)
		}
		if i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "* SEARCH ") }); i >= 0 {
			return true, nil
		}
	}
	return false, nil
}

// Send sends a mail over SMTP.
func (s *Session) Send(from, to, subject string) error {
	if err := s.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	for _, step := range []struct {
		code int
		line string
	}{{250, "MAIL FROM:<" + from + ">"}, {250, "RCPT TO:<" + to + ">"}, {354, "DATA"}, {250, "Subject: " + subject + "\r\n\r\nHello.\r\n."}} {
		if err := s.cmd(step.code, step.line); err != nil {
			return fmt.Errorf("%.20q: %w", step.line, err)
		}
	}
	return nil
}

// TurnedAway reports whether an error is Postfix's, for a client that is banned.
func TurnedAway(err error) bool {
	e, ok := errors.AsType[*textproto.Error](err)
	return ok && e.Code == 421
}

// get asks for a page.
func (s *Session) get(path, user, password string) (status int, err error) {
	req, err := http.NewRequest(http.MethodGet, "https://"+webHost+path, nil)
	if err != nil {
		return 0, err
	}
	if user != "" {
		req.SetBasicAuth(user, password)
	}
	if err := req.Write(s.conn); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(s.text.R, req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, errors.Join(err, resp.Body.Close())
}

// Wait waits until the other end hangs up.
func (s *Session) Wait(ctx context.Context) error {
	end := context.AfterFunc(ctx, func() { _ = s.conn.SetDeadline(time.Now()) }) // which ends the wait
	defer end()
	if err := s.conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, s.conn) // that it ends is what is waited for
	return ctx.Err()
}

// Close hangs up.
func (s *Session) Close() { _ = s.conn.Close() } // nothing is lost

// Certificate is the server's own.
func (s *Session) Certificate() *x509.Certificate {
	return s.conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
}
