package model

import (
	"crypto/md5"
	"encoding/hex"
	"maps"
	"strconv"

	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest/pf"
)

// AntiLockout describes the automatic rule that keeps the firewall's own ports
// open for the LAN, whatever rules people make.
const AntiLockout = "anti-lockout rule"

// automatic are the rules that the product makes itself, as far as they matter
// for a ban. Their order is the product's; they were not recorded.
func (c *Config) automatic() []*Rule {
	var out []*Rule
	add := func(priority int, description string, fields map[string]string) {
		sum := md5.Sum([]byte(description))
		r := &Rule{UUID: hex.EncodeToString(sum[:]), Legacy: true, Automatic: true, priority: priority, Fields: maps.Clone(fields)}
		if description == pf.DefaultDenyWords {
			r.UUID = pf.DefaultDeny
		}
		r.Fields["description"], r.Fields["sequence"] = description, strconv.Itoa(len(out)+1)
		out = append(out, r)
	}
	add(1, pf.DefaultDenyWords, map[string]string{"action": "block", "quick": "0", "ipprotocol": "inet46", "direction": "any", "log": "1"})
	add(1, "IPv6 RFC4890 requirements (ICMP)", map[string]string{"ipprotocol": "inet6", "protocol": "ipv6-icmp"})
	add(1, "sshlockout", map[string]string{"action": "block", "log": "1", "ipprotocol": "inet46", "protocol": "tcp", "source_net": "sshlockout", "destination_net": "(self)", "destination_port": "22 443"})
	add(1, "virusprot overload table", map[string]string{"action": "block", "log": "1", "ipprotocol": "inet46", "source_net": "virusprot"})
	for _, i := range c.Interfaces {
		if i.Key == "wan" {
			add(5, "Block bogon IPv4 networks from WAN", map[string]string{"action": "block", "interface": "wan", "source_net": "bogons"})
			add(5, "Block bogon IPv6 networks from WAN", map[string]string{"action": "block", "interface": "wan", "ipprotocol": "inet6", "source_net": "bogonsv6"})
			add(5, "Block private networks from WAN", map[string]string{"action": "block", "interface": "wan", "source_net": "10.0.0.0/8,127.0.0.0/8,100.64.0.0/10,172.16.0.0/12,192.168.0.0/16"})
		}
	}
	add(5, "let out anything from firewall host itself", map[string]string{"quick": "0", "direction": "out", "ipprotocol": "inet46"})
	for _, i := range c.Interfaces {
		if i.Key == "lan" {
			add(5, AntiLockout, map[string]string{"interface": "lan", "ipprotocol": "inet46", "protocol": "tcp", "destination_net": "(self)", "destination_port": "22 80 443"})
		}
	}
	return out
}

// LegacyRules are the rules that a new firewall has.
func LegacyRules() []Rule {
	return []Rule{
		{UUID: "0d5ffb0e3d7a2f5a4b6e6f4b1a6b9c01", Legacy: true, Fields: map[string]string{"interface": "lan", "source_net": "lan", "description": "Default allow LAN to any rule"}},
		{UUID: "0d5ffb0e3d7a2f5a4b6e6f4b1a6b9c02", Legacy: true, Fields: map[string]string{"interface": "lan", "ipprotocol": "inet6", "source_net": "lan", "description": "Default allow LAN IPv6 to any rule"}},
	}
}
