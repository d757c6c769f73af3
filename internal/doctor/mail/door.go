package mail

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"strings"
	"time"
)

// A door is a port that takes logins.
type door struct {
	port string
	tls  bool // from the first byte
	imap bool
}

var doors = []door{{"993", true, true}, {"465", true, false}, {"587", false, false}}

// patience is how long an answer may take: servers hold back refusals for seconds.
const patience = 15 * time.Second

// refused fails to log in by a name, after what is sent first. It returns nil when the
// server has refused.
func (d door) refused(conn net.Conn, first, name string) error {
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte(first)); err != nil {
		return err
	}
	err := d.login(conn, name)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("it takes the connection, and then says nothing for %s", patience)
	}
	return err
}

func (d door) login(conn net.Conn, name string) error {
	c := &client{textproto.NewConn(conn)}
	if d.tls {
		c = secured(conn)
	}
	if d.imap {
		return c.imap(name)
	}
	if err := c.expect(220); err != nil {
		return err
	}
	if err := c.cmd(250, "EHLO edgeban.invalid"); err != nil {
		return err
	}
	if !d.tls {
		if err := c.cmd(220, "STARTTLS"); err != nil {
			return err
		}
		c = secured(conn)
		if err := c.cmd(250, "EHLO edgeban.invalid"); err != nil {
			return err
		}
	}
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + name + "\x00wrong"))
	return c.cmd(535, "AUTH PLAIN "+plain)
}

// A client speaks IMAP or SMTP.
type client struct{ *textproto.Conn }

// secured begins TLS. Whose certificate it is does not matter: nothing is told but a
// name that nobody has.
func secured(conn net.Conn) *client {
	return &client{textproto.NewConn(tls.Client(conn, &tls.Config{InsecureSkipVerify: true}))} //nolint:gosec // see above
}

func (c *client) expect(code int) error {
	_, _, err := c.ReadResponse(code)
	return err
}

func (c *client) cmd(code int, line string) error {
	if err := c.PrintfLine("%s", line); err != nil {
		return err
	}
	return c.expect(code)
}

func (c *client) imap(name string) error {
	if _, err := c.ReadLine(); err != nil {
		return err
	}
	if err := c.PrintfLine("a LOGIN %s wrong", name); err != nil {
		return err
	}
	for {
		line, err := c.ReadLine()
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(line, "a NO"):
			return nil
		case strings.HasPrefix(line, "a "):
			return fmt.Errorf("a wrong login is answered with %q", line)
		}
	}
}
