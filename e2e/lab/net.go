package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// A Net is a network namespace.
type Net struct {
	name string
	fd   int
}

// Do runs f with the sockets and children that it makes inside n.
func (n *Net) Do(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for ever: the thread ends with the goroutine
		if err := unix.Setns(n.fd, unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("setns %s: %w", n.name, err)
			return
		}
		done <- f()
	}()
	return <-done
}

func newNet(name string) (*Net, error) {
	if err := command("ip", "netns", "add", name); err != nil {
		return nil, err
	}
	fd, err := unix.Open("/run/netns/"+name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	n := &Net{name, fd}
	return n, n.Do(func() error {
		// A bridge is a switch, also where Docker has loaded what filters at bridges.
		for _, family := range []string{"iptables", "ip6tables"} {
			err := os.WriteFile("/proc/sys/net/bridge/bridge-nf-call-"+family, []byte("0"), 0o644)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return errors.Join(
			command("ip", "link", "set", "lo", "up"),
			os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644),
			os.WriteFile("/proc/sys/net/ipv6/conf/all/forwarding", []byte("1"), 0o644),
			// An address may be used at once.
			os.WriteFile("/proc/sys/net/ipv6/conf/default/accept_dad", []byte("0"), 0o644),
			os.WriteFile("/proc/sys/net/ipv6/conf/all/accept_dad", []byte("0"), 0o644),
		)
	})
}

// ip runs lines of arguments of the command ip.
func (n *Net) ip(lines string) error {
	return n.Do(func() error { return feed(lines, "ip", "-batch", "-") })
}

// nft runs a script of nftables.
func (n *Net) nft(script string) error {
	return n.Do(func() error { return feed(script, "nft", "-f", "-") })
}

func command(name string, args ...string) error { return feed("", name, args...) }

// feed runs a command on an input; the error holds what it wrote.
func feed(in, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(in)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// The addresses of the small internet.
const (
	edgeWAN  = "203.0.113.1"
	edgeLAN  = "192.168.77.1"
	mailHost = "192.168.77.10"
	mailIPv6 = "2001:db8:77::10"
	lanPC    = "192.168.77.50"
	lanPhone = "192.168.77.51"

	ntfyServer = "192.168.77.20"
)

// bridge is the mail host's own address on the network of the containers.
var bridge = netip.MustParseAddr("172.30.0.1")

// nets are the namespaces, by name.
type nets map[string]*Net

// wire makes the namespaces and their links, those of containers where Docker does
// not. Each IPv6 attacker has a /64 of its own, as in the internet.
func wire(containers bool) (nets, error) {
	all := nets{}
	for _, name := range []string{"inet", "edge", "lan", "host", "traefik", "postfix", "dovecot", "edgeban"} {
		n, err := newNet(name)
		if err != nil {
			return nil, err
		}
		all[name] = n
	}
	var attackers strings.Builder
	for i := firstAttacker; i <= lastAttacker; i++ {
		fmt.Fprintf(&attackers, "addr add 203.0.113.%d/24 dev wan\naddr add 2001:db8:113:%x::a/48 dev wan nodad\n", i, i)
	}
	err := errors.Join(
		all["inet"].ip("link add wan type veth peer name wan netns edge\nlink set wan up\n"+attackers.String()+`
route add default via 203.0.113.1
route add default via 2001:db8:113::1
`),
		all["edge"].ip(`link add lan type bridge
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
		all["lan"].ip(`link set eth0 up
addr add 192.168.77.50/24 dev eth0
addr add 192.168.77.51/24 dev eth0
route add default via 192.168.77.1
`),
		all["host"].ip(`link set eth0 up
addr add 192.168.77.10/24 dev eth0
addr add 2001:db8:77::10/64 dev eth0 nodad
route add default via 192.168.77.1
route add default via 2001:db8:77::1
`),
		all["edge"].nft(edgeRules),
	)
	if err != nil || !containers {
		return all, err
	}
	return all, errors.Join(
		all["host"].nft(hostRules),
		all["host"].ip(`link add docker0 type bridge
link set docker0 up
addr add 172.30.0.1/24 dev docker0
addr add fd00:30::1/64 dev docker0 nodad
`),
		all.container("traefik", 2), all.container("postfix", 3), all.container("dovecot", 4), all.container("edgeban", 5))
}

// container links a namespace to the bridge of the mail host, as Docker does.
func (all nets) container(name string, number int) error {
	return errors.Join(
		all["host"].ip(fmt.Sprintf("link add %[1]s type veth peer name eth0 netns %[1]s\nlink set %[1]s master docker0 up\n", name)),
		all[name].ip(fmt.Sprintf(`link set eth0 up
addr add 172.30.0.%[1]d/24 dev eth0
addr add fd00:30::%[1]d/64 dev eth0 nodad
route add default via 172.30.0.1
route add default via fd00:30::1
`, number)))
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
		ip daddr 203.0.113.1 tcp dport { 25, 465, 587, 993 } dnat ip to 192.168.77.10
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
		ip daddr 192.168.77.10 tcp dport { 25, 465, 587, 993 } dnat ip to 172.30.0.2
		ip6 daddr 2001:db8:77::10 tcp dport { 25, 465, 587, 993 } dnat ip6 to fd00:30::2
	}
	chain out {
		type nat hook postrouting priority srcnat;
		ip saddr 172.30.0.0/24 oifname "eth0" masquerade
		ip6 saddr fd00:30::/64 oifname "eth0" masquerade
	}
}
`
