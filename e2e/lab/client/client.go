// Package client is who connects to a mail server: attackers, and people.
package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/textproto"
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
)

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
	s.conn = tls.Client(s.conn, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // an attacker does not care
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
	if s.door == IMAPS {
		return s.imap(user, password)
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
	if err := s.text.PrintfLine(`a LOGIN "%s" "%s"`, quote.Replace(user), quote.Replace(password)); err != nil {
		return false, err
	}
	for {
		line, err := s.text.ReadLine()
		if err != nil {
			return false, err
		}
		if strings.HasPrefix(line, "a ") {
			return strings.HasPrefix(line, "a OK"), nil
		}
	}
}

// Close hangs up.
func (s *Session) Close() { _ = s.conn.Close() } // nothing is lost

// Certificate is the server's own.
func (s *Session) Certificate() *x509.Certificate {
	return s.conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
}
