package intake

import (
	"fmt"
	"net/netip"
	"sync"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/never"
)

// A vantage is where a jail's clients seem to come from. Where all of them come
// from one address of a container network, the log shows a proxy in place of the
// clients: to ban that would lock everybody out, and says nothing of anybody.
type vantage struct {
	mu      sync.Mutex
	outside bool // some client came from outside: no proxy hides them
	proxy   netip.Addr
	seen    int
	several bool // more than one inside address
}

// containers is the range that container networks are made of unless told otherwise.
var containers = netip.MustParsePrefix("172.16.0.0/12")

// look takes a match in, and says why it does not count, or returns "".
func (v *vantage) look(m *edgeban.Match) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.outside || v.several:
		return ""
	case !never.Private(m.Addr):
		v.outside = true
		return ""
	case !containers.Contains(m.Addr), v.proxy.IsValid() && v.proxy != m.Addr:
		v.several = true
		return ""
	}
	v.proxy = m.Addr
	v.seen += max(1, m.Count)
	return "all clients of this log come from " + m.Addr.String() + ", which looks like a proxy"
}

// add takes in what was seen in another log.
func (v *vantage) add(o *vantage) {
	v.outside = v.outside || o.outside
	v.several = v.several || o.several || v.proxy.IsValid() && o.proxy.IsValid() && v.proxy != o.proxy
	if !v.proxy.IsValid() {
		v.proxy = o.proxy
	}
	v.seen += o.seen
}

// diagnosis says what to change where a proxy hides the clients, or returns "".
func (v *vantage) diagnosis(jail string) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	const enough = 3
	if v.outside || v.several || v.seen < enough {
		return ""
	}
	return fmt.Sprintf("jail %s: every client comes from %s. That looks like your proxy: the log shows it in place of the clients, so nobody can be banned. "+
		"Turn the PROXY protocol on at both ends: in Traefik proxyProtocol on the TCP service; in Dovecot haproxy = yes in the inet_listener and haproxy_trusted_networks; "+
		"in Postfix smtpd_upstream_proxy_protocol = haproxy (postscreen_upstream_proxy_protocol for port 25).", jail, v.proxy)
}
