package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeban/edgeban/internal/config/node"
)

// hostOrFile reads a host, or file:PATH of a list of such.
func hostOrFile(v node.Value) (string, bool) {
	s, ok := v.Text()
	path, is := strings.CutPrefix(s, "file:")
	switch {
	case !ok || !is:
		return node.As(Host)(v)
	case path == "":
		v.Wrong("file: names no file; write file:PATH")
		return "", false
	}
	return "file:" + v.Absolute(path), true
}

var (
	hostName = regexp.MustCompile(`^(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.?$`)
	digits   = regexp.MustCompile(`^[0-9.]+$`)
)

func isHostName(s string) bool {
	return len(s) <= 253 && hostName.MatchString(s) && !digits.MatchString(s)
}

// Host reads an address, a network or a host name, in its canonical form.
func Host(s string) (string, error) {
	if strings.Contains(s, "/") {
		p, err := network(s)
		if err == nil && p.Bits() == 0 {
			return "", fmt.Errorf("%s is every address; write a narrower network", node.Quote(s))
		}
		return p.String(), err
	}
	if a, err := netip.ParseAddr(s); err == nil {
		if a.Zone() != "" {
			return "", fmt.Errorf("%s has a zone, which no log shows; write it without the %%", node.Quote(s))
		}
		return a.Unmap().String(), nil
	}
	switch {
	case isHostName(s):
		return strings.ToLower(strings.TrimSuffix(s, ".")), nil
	case digits.MatchString(s), strings.Contains(s, ":"):
		return "", fmt.Errorf("%s is not an address; write one such as 192.0.2.7 or 2001:db8::7", node.Quote(s))
	}
	return "", fmt.Errorf("%s is neither an address, a network nor a host name", node.Quote(s))
}

// network reads a network. Bits beyond its length are cleared.
func network(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%s is not a network; write one such as 192.0.2.0/24 or 2001:db8::/48", node.Quote(s))
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, fmt.Errorf("%s is wider than all of IPv4; write an IPv4 network", node.Quote(s))
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}

// prefix reads a network, or an address as a network of one.
func prefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return network(s)
}

// address reads where to listen: a host, which may be left out, and a port.
func address(s string) (string, error) {
	h, port, err := net.SplitHostPort(s)
	if err != nil || !isPort(port) || h != "" && !isHost(h) {
		return "", fmt.Errorf("%s is not an address to listen on; write host:port, such as %s", node.Quote(s), DefaultFeed)
	}
	return s, nil
}

func isHost(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil || isHostName(s)
}

func isPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

// isLoopback reports whether nobody but this machine can reach or be host.
func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback() || strings.EqualFold(host, "localhost")
}

// ServerURL reads the URL of a server: a scheme, a host, perhaps a port.
func ServerURL(s string) (string, error) {
	u, err := parseURL(s)
	if err != nil {
		return "", err
	}
	if u.Path != "" && u.Path != "/" || u.ForceQuery || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("has something after the host; write only %s://%s", u.Scheme, u.Host)
	}
	return u.Scheme + "://" + strings.ToLower(u.Host), nil
}

// parseURL reads an absolute URL over HTTP. A text that may hold a password is
// not repeated in the error.
func parseURL(s string) (*url.URL, error) {
	if strings.Contains(s, "@") {
		return nil, errors.New("holds an @, and perhaps a password; a user and a password have keys of their own")
	}
	shown := "this"
	if !strings.Contains(s, "?") {
		shown = node.Quote(s)
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || !isHost(u.Hostname()) {
		return nil, fmt.Errorf("%s is not a URL; write https:// and a host", shown)
	}
	if port := u.Port(); strings.HasSuffix(u.Host, ":") || port != "" && (!isPort(port) || port == "0") {
		return nil, fmt.Errorf("%s has no such port; write 1 to 65535, or leave it out", shown)
	}
	return u, nil
}

// Hosts returns the names and addresses of the servers that the configuration
// itself talks to, or that send it lines, without ports, each once. Banning one would cut the hand off
// that holds the bans.
func (c Config) Hosts() []string {
	var urls []string
	for _, t := range c.Targets {
		if t.OPNsense != nil {
			urls = append(urls, t.OPNsense.URL)
		}
		if t.Traefik != nil {
			urls = append(urls, t.Traefik.API)
		}
		if t.Dovecot != nil {
			urls = append(urls, t.Dovecot.Doveadm)
		}
	}
	for _, n := range c.Notify {
		if n.Ntfy != nil {
			urls = append(urls, n.Ntfy.URL)
		}
	}
	for _, s := range c.Sources {
		if s.Docker != nil {
			urls = append(urls, s.Docker.URL)
		}
		if s.Journal != nil {
			urls = append(urls, s.Journal.URL)
		}
	}
	var hosts []string
	for _, s := range c.Sources {
		if s.Syslog == nil {
			continue
		}
		for _, p := range s.Syslog.Allow {
			if p.IsSingleIP() && !slices.Contains(hosts, p.Addr().String()) {
				hosts = append(hosts, p.Addr().String())
			}
		}
	}
	for _, s := range urls {
		if u, err := url.Parse(s); err == nil && u.Hostname() != "" && !slices.Contains(hosts, u.Hostname()) {
			hosts = append(hosts, u.Hostname())
		}
	}
	return hosts
}
