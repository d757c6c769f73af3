package prepare

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/provision"
)

// rest says what only people can do: the daemon's own key, its configuration, and to
// see that all of it holds.
func (f *Firewall) rest(o config.OPNsense, w provision.Wish) {
	for _, p := range [][]string{f.keySteps(o), f.yamlSteps(o, w), f.lastSteps()} {
		f.say("")
		for _, line := range p {
			fmt.Fprintln(f.Stdout, line) // ours, and what was checked
		}
	}
}

func (f *Firewall) keySteps(o config.OPNsense) []string {
	return []string{
		"1. Give edgeban a key of its own, which may do as little as it needs. In the firewall's GUI:",
		"   System > Access > Groups: add a group edgeban with these privileges and no others:",
		"       Diagnostics: PF Table IP addresses   adds and removes addresses",
		"       Firewall: Aliases                    reads what the alias is, how full it is, what it stopped",
		"       Diagnostics: Show States             only with states: kill, which ends a banned address's connections",
		"     and (since 25.7) Source networks " + host(o.URL) + ": then",
		"     the key is worth nothing anywhere else. System: Deny config write must not be among its privileges.",
		"   System > Access > Users: add a user edgeban, with a scrambled password and no login shell, member of",
		"     that group alone. Then make an API key for it (the ticket beside the user), and save the file that",
		"     is downloaded as apikey.txt where edgeban can read it, and nobody else.",
	}
}

func (f *Firewall) yamlSteps(o config.OPNsense, w provision.Wish) []string {
	trust := ""
	switch {
	case o.Pin != "":
		trust = fmt.Sprintf("\n         pin: %q", o.Pin)
	case o.CA != "":
		trust = fmt.Sprintf("\n         ca: %q", o.CA)
	}
	yaml := "   targets:\n     - opnsense:\n         url: " + o.URL + trust + "\n         apikey: file:/run/secrets/apikey.txt\n         alias: " + o.Alias
	if w.Feed != nil {
		may := "allow: [" + address(o.URL) + "]" // the firewall alone
		if !w.Feed.Token.Empty() {
			may = "token: file:/run/secrets/feed_token"
		}
		yaml += "\n     - feed:\n         listen: 0.0.0.0:" + port(w.Feed.URL) + "\n         " + may
	}
	return append([]string{"2. Write this into /etc/edgeban/edgeban.yaml, with the paths of your files:", ""}, strings.Split(yaml, "\n")...)
}

func (f *Firewall) lastSteps() []string {
	file := f.KeyFile
	if file == "" || file == "-" {
		file = "FILE"
	}
	return []string{
		"3. Now run",
		"",
		"   edgeban doctor --apikey " + file,
		"",
		"   which looks at every link, and at the rules with the key that you used here. When it says that all is",
		"   good, delete that key in System > Access > Users: edgeban doctor without it does for every day.",
	}
}

// address is that of the firewall, as far as it is known.
func address(firewall string) string {
	u, err := url.Parse(firewall)
	if err != nil {
		return "ADDRESS-OF-THE-FIREWALL"
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil {
		return fmt.Sprintf("%q", a)
	}
	if all, err := net.LookupHost(u.Hostname()); err == nil && len(all) > 0 {
		return fmt.Sprintf("%q", all[0])
	}
	return "ADDRESS-OF-THE-FIREWALL"
}

// port is where a list's URL leads.
func port(feed string) string {
	host := strings.TrimPrefix(strings.TrimPrefix(feed, "http://"), "https://")
	host, _, _ = strings.Cut(host, "/")
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		return host[i+1:]
	}
	return "9098"
}
