package stage

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/edgeban/edgeban/e2e/lab/netns"
)

// The addresses of the small internet.
const (
	EdgeWAN  = "203.0.113.1"
	edgeLAN  = "192.168.77.1"
	MailHost = "192.168.77.10"
	MailIPv6 = "2001:db8:77::10"
	LANPhone = "192.168.77.51"

	ntfyServer = "192.168.77.20"
)

// Bridge is the mail host's own address on the network of the containers.
var Bridge = netip.MustParseAddr("172.30.0.1")

// Attackers have the addresses 203.0.113.N and 2001:db8:113:N::a; those inside
// 192.168.77.50 and downwards.
const (
	firstAttacker, lastAttacker = 10, 120
	firstInside, lastInside     = 50, 30
)

// Nets are the namespaces, by name.
type Nets map[string]*netns.Net

// wire makes the namespaces and their links, those of containers where Docker does
// not. Each IPv6 attacker has a /64 of its own, as in the internet.
func wire(containers bool) (Nets, error) {
	all := Nets{}
	for _, name := range []string{"inet", "edge", "lan", "host", "traefik", "postfix", "dovecot", "edgeban", "certs"} {
		n, err := netns.New(name)
		if err != nil {
			return nil, err
		}
		all[name] = n
	}
	var attackers strings.Builder
	for i := firstAttacker; i <= lastAttacker; i++ {
		fmt.Fprintf(&attackers, "addr add 203.0.113.%d/24 dev wan\naddr add 2001:db8:113:%x::a/48 dev wan nodad\n", i, i)
	}
	var inside strings.Builder
	for i := firstInside; i >= lastInside; i-- {
		fmt.Fprintf(&inside, "addr add 192.168.77.%d/24 dev eth0\n", i)
	}
	err := errors.Join(
		all["inet"].IP("link add wan type veth peer name wan netns edge\nlink set wan up\naddr add "+acmeServer+"/24 dev wan\n"+attackers.String()+`
route add default via 203.0.113.1
route add default via 2001:db8:113::1
`),
		all["edge"].IP(`link add lan type bridge
link set lan up
link set wan up
addr add 203.0.113.1/24 dev wan
addr add 2001:db8:113::1/48 dev wan nodad
addr add 192.168.77.1/24 dev lan
addr add 192.168.77.20/24 dev lan
addr add 2001:db8:77::1/64 dev lan nodad
link add pc type veth peer name eth0 netns lan
link add mail type veth peer name eth0 netns host
link set pc master lan up
link set mail master lan up
`),
		all["lan"].IP(`link set eth0 up
addr add 192.168.77.51/24 dev eth0
`+inside.String()+`route add default via 192.168.77.1
`),
		all["host"].IP(`link set eth0 up
addr add 192.168.77.10/24 dev eth0
addr add 2001:db8:77::10/64 dev eth0 nodad
route add default via 192.168.77.1
route add default via 2001:db8:77::1
`),
		all["edge"].NFT(edgeRules),
	)
	if err != nil || !containers {
		return all, err
	}
	return all, errors.Join(
		all["host"].NFT(hostRules),
		all["host"].IP(`link add docker0 type bridge
link set docker0 up
addr add 172.30.0.1/24 dev docker0
addr add 172.30.2.1/24 dev docker0
addr add fd00:30::1/64 dev docker0 nodad
`),
		all.container("traefik", 2, proxied, push), all.container("postfix", 3, proxied),
		all.container("dovecot", 4, proxied), all.container("edgeban", 5, push))
}

// The networks of the project, 172.30.N.0/24, are one here.
const proxied, push = 0, 2

// container links a namespace to the bridge of the mail host, as Docker does. It has
// an address in each of some networks, and goes out by the first.
func (all Nets) container(name string, number int, networks ...int) error {
	lines := "link set eth0 up\n"
	for _, n := range networks {
		lines += fmt.Sprintf("addr add 172.30.%d.%d/24 dev eth0\n", n, number)
	}
	lines += fmt.Sprintf("route add default via 172.30.%d.1\n", networks[0])
	if networks[0] == proxied {
		lines += fmt.Sprintf("addr add fd00:30::%d/64 dev eth0 nodad\nroute add default via fd00:30::1\n", number)
	}
	return errors.Join(
		all["host"].IP(fmt.Sprintf("link add %[1]s type veth peer name eth0 netns %[1]s\nlink set %[1]s master docker0 up\n", name)),
		all[name].IP(lines))
}

// edgeRules drop before anything else what comes from a banned address, forward the
// ports of mail, and reflect them to clients inside, who then look like the edge. Port
// 9 is where probes go.
const edgeRules = `
table inet edge {
	set banned4 { type ipv4_addr; flags interval; }
	set banned6 { type ipv6_addr; flags interval; }
	chain bans {
		type filter hook prerouting priority raw;
		iifname "wan" ip saddr @banned4 counter drop
		iifname "wan" ip6 saddr @banned6 counter drop
	}
	chain forward_ports {
		type nat hook prerouting priority dstnat;
		ip daddr 203.0.113.1 tcp dport { 25, 80, 443, 465, 587, 993 } dnat ip to 192.168.77.10
		ip daddr 203.0.113.1 udp dport 9 dnat ip to 192.168.77.10
	}
	chain reflect {
		type nat hook postrouting priority srcnat;
		ip saddr 192.168.77.0/24 ip daddr 192.168.77.10 ct status dnat masquerade
		oifname "wan" ip saddr 192.168.77.0/24 masquerade
	}
}
`

// hostRules publish ports as Docker does, without a userland proxy.
const hostRules = `
table inet docker {
	chain publish {
		type nat hook prerouting priority dstnat;
		ip daddr 192.168.77.10 tcp dport { 25, 80, 443, 465, 587, 993 } dnat ip to 172.30.0.2
		ip6 daddr 2001:db8:77::10 tcp dport { 25, 80, 443, 465, 587, 993 } dnat ip6 to fd00:30::2
	}
	chain out {
		type nat hook postrouting priority srcnat;
		ip saddr 172.30.0.0/16 oifname "eth0" masquerade
		ip6 saddr fd00:30::/64 oifname "eth0" masquerade
	}
}
`
