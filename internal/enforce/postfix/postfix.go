// Package postfix answers Postfix's policy delegation requests, and so holds bans
// where SMTP connections begin: a banned client gets a 421, which disconnects it. Asked
// at later commands as well, it ends sessions that were open before.
//
// The protocol (SMTPD_POLICY_README): lines name=value, ended by an empty one; the
// answer is action=… and an empty line, over one connection for many requests. There
// is no secret in it: who may connect is decided by address.
//
// Whatever cannot be understood is closed, and whatever is not known to be banned is
// DUNNO: with default_action=DUNNO Postfix goes on without us. The package must not
// decide who is banned.
package postfix

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce"
	"github.com/edgeban/edgeban/internal/enforce/endpoint"
	"github.com/edgeban/edgeban/internal/enforce/gate"
)

const (
	idle       = 20 * time.Minute // between two requests; Postfix keeps a connection for 1000 s
	asking     = 10 * time.Second // for one request, once it has begun
	telling    = 5 * time.Second  // for one answer
	maxLine    = 4 << 10          // bytes
	maxRequest = 64 << 10         // bytes

	dunno = "action=DUNNO\n\n"
	// 421 is the one reply that ends the connection; REJECT and DEFER leave it open.
	banned = "action=421 4.7.1 Service not available for your address, closing connection\n\n"
)

// bounds let one Postfix ask with as many connections as it has smtpd processes.
var bounds = endpoint.Bounds{All: 1024, Client: 1024}

// A Door is a Target: the policy server of one Postfix.
type Door struct {
	*gate.Gate
	config    config.Postfix
	log       *slog.Logger
	refused   endpoint.Refusals
	atConnect atomic.Bool // Postfix was seen to ask when a client connects
	atRcpt    atomic.Bool // Postfix was seen to ask later
}

var (
	_ enforce.Door    = (*Door)(nil)
	_ enforce.Prober  = (*Door)(nil)
	_ edgeban.Checker = (*Door)(nil)
)

// New returns a Door.
func New(c config.Postfix, log *slog.Logger) *Door {
	return &Door{Gate: gate.New("Postfix"), config: c, log: log}
}

// Passes implements enforce.Door.
func (d *Door) Passes() string { return "SMTP connections to Postfix" }

// Addr returns the address that Postfix is answered at.
func (d *Door) Addr() string { return d.config.Listen }

// Serve answers on ln until ctx is done, once the bans are known, and closes all
// connections then.
func (d *Door) Serve(ctx context.Context, ln net.Listener) error {
	ln = endpoint.Limit(endpoint.Only(ln, d.mayAsk, func(client string) {
		d.refused.Say(d.log, "postfix", client, http.StatusForbidden)
	}), bounds)
	stop := context.AfterFunc(ctx, func() { _ = ln.Close() })
	defer stop()
	if !d.Await(ctx) && ctx.Err() == nil {
		d.log.Warn("Postfix is answered although the bans are not known yet", "listen", ln.Addr().String())
	}
	d.log.Info("Postfix is answered", "listen", ln.Addr().String())
	var conns sync.WaitGroup
	defer conns.Wait()
	for {
		c, err := ln.Accept()
		if err != nil && ctx.Err() != nil {
			return nil
		}
		if err != nil {
			if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() { // as of a listener that is lent
				continue
			}
			_ = ln.Close()
			return fmt.Errorf("postfix: accept: %w", err)
		}
		conns.Go(func() {
			defer c.Close()
			end := context.AfterFunc(ctx, func() { _ = c.Close() })
			defer end()
			if err := d.converse(c); err != nil {
				d.log.Debug("connection of Postfix ended", "client", c.RemoteAddr().String(), "err", err)
			}
		})
	}
}

// mayAsk reports whether a client may ask who is banned.
func (d *Door) mayAsk(client netip.Addr) bool {
	if len(d.config.Allow) == 0 {
		return client.IsLoopback()
	}
	return endpoint.Access{Allow: d.config.Allow}.Allows(client)
}

// converse answers the requests of one connection until it ends.
func (d *Door) converse(c net.Conn) error {
	r := bufio.NewReaderSize(c, maxLine)
	for {
		if err := c.SetReadDeadline(time.Now().Add(idle)); err != nil {
			return err
		}
		if _, err := r.Peek(1); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err := c.SetReadDeadline(time.Now().Add(asking)); err != nil {
			return err
		}
		q, err := read(r)
		if err != nil {
			return err
		}
		if err := c.SetWriteDeadline(time.Now().Add(telling)); err != nil {
			return err
		}
		if _, err := io.WriteString(c, d.answer(q)); err != nil {
			return err
		}
	}
}

// A request is what is asked for of what Postfix sends.
type request struct {
	kind, state, client string
}

// read reads one request. What is no request is an error.
func read(r *bufio.Reader) (q request, err error) {
	for n := 0; n <= maxRequest; {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return q, fmt.Errorf("request: %w", err)
		}
		n += len(line)
		text := strings.TrimRight(string(line), "\r\n")
		if text == "" {
			if q.kind == "" {
				return q, errors.New("request: it has no name")
			}
			return q, nil
		}
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return q, errors.New("request: a line is not name=value")
		}
		// The first counts: what a client says comes after what Postfix does.
		for of, dst := range map[string]*string{"request": &q.kind, "protocol_state": &q.state, "client_address": &q.client} {
			if name == of && *dst == "" {
				*dst = value
			}
		}
	}
	return q, errors.New("request: it is too long")
}

// answer says what Postfix is to do.
func (d *Door) answer(q request) string {
	client, err := netip.ParseAddr(q.client)
	if q.kind != "smtpd_access_policy" || err != nil {
		return dunno
	}
	if q.state == "CONNECT" {
		d.atConnect.Store(true)
	} else {
		d.atRcpt.Store(true)
	}
	if d.Refuses(client) {
		return banned
	}
	return dunno
}

// Notes says for status whether Postfix asks, and whether in time.
func (d *Door) Notes() []string {
	notes := d.Gate.Notes()
	if d.atRcpt.Load() && !d.atConnect.Load() {
		notes = append(notes, "Postfix asks when a mail has a recipient, not when a client connects: who guesses passwords never gets there; "+
			"set smtpd_delay_reject = no, and check_policy_service first in smtpd_client_restrictions")
	}
	return notes
}

// Check implements edgeban.Checker. The endpoint is the daemon's: whether Postfix
// asks it is in its status.
func (d *Door) Check(ctx context.Context) []edgeban.Finding {
	return []edgeban.Finding{endpoint.Listening(ctx, d.config.Listen, fmt.Sprintf(
		"in main.cf: smtpd_delay_reject = no, edgeban = check_policy_service { inet:%s, timeout=2s, try_limit=1, default_action=DUNNO }, "+
			"and $edgeban first in smtpd_client_restrictions, and in those of helo, sender, recipient and data to end sessions that are open", d.config.Listen))}
}
