// Package mail asks whether the client's real address reaches the logs of a mail
// server: it connects to the public ports as a client does, fails to log in once with
// a name that nobody has, and looks for that name in the logs.
//
// It needs the logs, so it runs where edgeban does. Its own address is never banned.
package mail

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/intake"
)

// Options say what is looked at.
type Options struct {
	Host  string        // of the mail server, or of the proxy before it
	Jails []config.Jail // whose logs may show the login
	Wait  time.Duration // for the line of a login

	// Dial opens a TCP connection; nil for the system's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Check looks at the ports for IMAP and SMTP that take logins.
func Check(ctx context.Context, o Options) []edgeban.Finding {
	if o.Dial == nil {
		o.Dial = (&net.Dialer{Timeout: patience}).DialContext
	}
	var found []edgeban.Finding
	for _, d := range doors {
		for _, f := range (visit{o, d}).all(ctx) {
			f.Part = "mail " + net.JoinHostPort(o.Host, d.port)
			found = append(found, f)
		}
	}
	return found
}

// A visit is what is done at one port.
type visit struct {
	Options
	door door
}

// A seen is what a log says of a login.
type seen struct {
	from netip.Addr
	jail config.Jail
}

func (v visit) all(ctx context.Context) []edgeban.Finding {
	own, shown, err := v.fail(ctx, "")
	switch {
	case errors.Is(err, errAbsent):
		return []edgeban.Finding{{Link: "login", Grade: edgeban.Untried, Evidence: err.Error()}}
	case err != nil:
		return []edgeban.Finding{{Link: "login", Grade: edgeban.Broken, Evidence: err.Error(), Fix: hung}}
	case shown == nil:
		return []edgeban.Finding{
			{Link: "login", Grade: edgeban.Good, Evidence: "a wrong login is refused"},
			{Link: "log", Grade: edgeban.Broken, Evidence: "no log shows that login", Fix: "in Dovecot: auth_verbose = yes; and see that a jail reads the log of this server"},
		}
	}
	login := edgeban.Finding{Link: "login", Grade: edgeban.Good, Evidence: "a wrong login is refused, and jail " + shown.jail.Name + " sees it"}
	return []edgeban.Finding{login, v.address(own, *shown), v.spoofing(ctx)}
}

const hung = "is the server up, or does it still wait for its certificate? If it is up, one end speaks the PROXY protocol and the other does not, or the proxy waits for TLS where the server speaks first. " +
	"Traefik: proxyProtocol: {version: 2} in the serversTransport of the TCP service, and tls: {passthrough: true} on 465 and 993 only. " +
	"Dovecot: haproxy = yes in the inet_listener and haproxy_trusted_networks = the proxy. Postfix: smtpd_upstream_proxy_protocol = haproxy. All of it or none"

// address compares the address in the log with ours.
func (v visit) address(own netip.Addr, s seen) edgeban.Finding {
	f := edgeban.Finding{Link: "address", Grade: edgeban.Good, Evidence: fmt.Sprintf("the log shows %s, which is us", s.from)}
	if s.from == own {
		return f
	}
	f.Grade = edgeban.Broken
	f.Evidence = fmt.Sprintf("we came from %s, and the log shows %s", own, s.from)
	f.Fix = "if that is the proxy: " + intake.Hidden{How: intake.ProxyOff, Addr: s.from, Everybody: true}.Diagnosis(s.jail) +
		" If it is a router or Docker's bridge, we came through NAT: name the proxy's own address in place of " + v.Host
	return f
}

// The address that a header claims to come from; one for documentation.
const claimed = "192.0.2.77"

// spoofing says first that we come from elsewhere, as a proxy would.
func (v visit) spoofing(ctx context.Context) edgeban.Finding {
	f := edgeban.Finding{Link: "spoofing", Grade: edgeban.Good, Evidence: "a PROXY header of our own is not believed"}
	_, shown, err := v.fail(ctx, fmt.Sprintf("PROXY TCP4 %s 192.0.2.1 40000 %s\r\n", claimed, v.door.port))
	if err != nil || shown == nil || shown.from != netip.MustParseAddr(claimed) {
		return f
	}
	f.Grade = edgeban.Broken
	f.Evidence = "a PROXY header of our own is believed: whoever comes from where we do chooses the address that is logged, and banned"
	f.Fix = "Traefik: take proxyProtocol.trustedIPs out of the entry point, or name in it only a proxy of yours that stands in front. Dovecot: haproxy_trusted_networks = Traefik's address, and no network. " +
		"Postfix: let only Traefik reach its ports, by a container network of their own"
	return f
}

var errAbsent = errors.New("nothing listens there")

// fail connects, sends first, fails to log in, and returns what address we had and
// what the logs say; nil for nothing.
func (v visit) fail(ctx context.Context, first string) (own netip.Addr, shown *seen, err error) {
	marks := v.marks()
	name := intake.Probe + strings.ToLower(rand.Text()[:12]) // as Dovecot writes any name
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	conn, err := v.Dial(ctx, "tcp", net.JoinHostPort(v.Host, v.door.port))
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
			return own, nil, fmt.Errorf("no connection within %s", patience)
		}
		return own, nil, fmt.Errorf("%w: %w", errAbsent, err)
	}
	defer conn.Close()
	if a, err := netip.ParseAddrPort(conn.LocalAddr().String()); err == nil {
		own = a.Addr().Unmap()
	}
	if err := v.door.refused(conn, first, name); err != nil {
		return own, nil, err
	}
	return own, v.find(ctx, marks, name), nil
}
