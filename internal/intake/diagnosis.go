package intake

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/edgeban/edgeban/internal/config"
)

// enough is how many lines show an address in place of clients before it is said.
const enough = 3

// Hidden returns the addresses that the jail's logs show in place of clients.
func (w *Watcher) Hidden() []Hidden { return w.vantage.hidden(enough, enough) }

// Proxies returns where the jail's clients are received that come from elsewhere.
func (w *Watcher) Proxies() []netip.Addr {
	w.vantage.mu.Lock()
	defer w.vantage.mu.Unlock()
	return slices.Collect(maps.Keys(w.vantage.proxies))
}

// KnowProxy takes over where the clients of another jail are received: not every
// service says it.
func (w *Watcher) KnowProxy(a netip.Addr) {
	w.vantage.mu.Lock()
	defer w.vantage.mu.Unlock()
	w.vantage.knowProxy(a)
}

// Proxy says what to change where a log that was read whole shows another address
// in place of its clients, or returns "".
func (t *Trial) Proxy() string {
	var texts []string
	for _, h := range t.watcher.vantage.hidden(2, 1) {
		texts = append(texts, h.Diagnosis(t.Jail))
	}
	return strings.Join(texts, " ")
}

// Diagnosis says of what an address stands for others in the logs of some jails,
// and the lines to change.
func (h Hidden) Diagnosis(jails ...config.Jail) string {
	who := whom(jails)
	log, expect, get, do, everybody := "log", "expect", "get", "do", "for everybody"
	if len(jails) == 1 {
		log, expect, get, do = "logs", "expects", "gets", "does"
	}
	if !h.Everybody {
		everybody = "for some of the clients"
	}
	shown := fmt.Sprintf("%s %s %s %s: ", who, log, h.Addr, everybody)
	switch h.How {
	case ProxyOff:
		return shown + "the PROXY protocol is off, so the log shows the proxy and nobody behind it can be banned. Turn the PROXY protocol on at both ends. " +
			sends + receives(jails, h)
	case Bridge:
		if h.Addr.Is6() {
			return shown + "that is Docker's bridge, so docker-proxy carries the connections: Docker does not forward IPv6. The PROXY protocol does not mend that. " +
				"Docker 27 forwards it by itself; before, write {\"experimental\": true, \"ip6tables\": true} into /etc/docker/daemon.json, and restart Docker."
		}
		return shown + "that is Docker's bridge, so docker-proxy carries the connections: IPv6 into a network without it, a port that Docker does not forward itself, or clients on the host and in its other containers. " +
			"The PROXY protocol does not mend that. In the compose file: networks: {NAME: {enable_ipv6: true}}; in daemon.json: userland-proxy: false; " +
			"or run what listens with network_mode: host."
	case Edge:
		return shown + "that is a router, so NAT reflection brings clients of the LAN in under its address. The PROXY protocol does not mend that. " +
			"Let names lead to the inside address in the LAN (in OPNsense: Services, Unbound DNS, Overrides), " +
			"or turn off Automatic outbound NAT for Reflection (Firewall, Settings, Advanced)."
	case Unasked:
		return fmt.Sprintf("%s %s the PROXY protocol from %s and %s not expect it, so that every connection fails. ", who, get, h.Addr, do) +
			strings.TrimSpace(receives(jails, h)) + " Or take proxyProtocol out of Traefik's service."
	case Unsent:
		return fmt.Sprintf("%s %s the PROXY protocol and %s does not send it, so that every connection fails. ", who, expect, h.Addr) +
			sends + "Or take haproxy = yes (Dovecot) and the upstream_proxy_protocol (Postfix) out."
	}
	return ""
}

// sends is how Traefik sends the PROXY protocol.
const sends = "Traefik: proxyProtocol: {version: 2} in the loadBalancer of each TCP service, from 3.5.2 on better in the serversTransport that it names. "

// receives is how the services of some jails take the PROXY protocol.
func receives(jails []config.Jail, h Hidden) string {
	var lines []string
	dovecot, postfix := programs(jails)
	if dovecot {
		lines = append(lines, fmt.Sprintf("Dovecot: haproxy_trusted_networks = %s, and haproxy = yes in the inet_listener of each port.", h.Addr))
	}
	if postfix {
		lines = append(lines, "Postfix: -o smtpd_upstream_proxy_protocol=haproxy for each smtpd in master.cf, postscreen_upstream_proxy_protocol = haproxy where postscreen listens.")
	}
	if !dovecot && !postfix {
		lines = append(lines, "The service: let it take the PROXY protocol, or for HTTP X-Forwarded-For, from "+h.Addr.String()+" alone.")
	}
	return strings.Join(lines, " ")
}

// programs reports which services some jails watch.
func programs(jails []config.Jail) (dovecot, postfix bool) {
	is := func(name string) bool {
		return slices.ContainsFunc(jails, func(j config.Jail) bool {
			return strings.Contains(j.Name, name) || strings.Contains(j.Filter, name)
		})
	}
	return is("dovecot"), is("postfix")
}

// whom names some jails.
func whom(jails []config.Jail) string {
	var names []string
	for _, j := range jails {
		names = append(names, j.Name)
	}
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
