package model

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest/pf"
)

// An Alias is one alias of the firewall's configuration.
type Alias struct {
	Name     string
	Type     string   // external, host, network, port, urltable, ...; external if empty
	UUID     string   // made up if empty
	Content  []string // what the configuration lists
	Fetched  []string // what a url table last fetched
	Disabled bool

	Counters            bool   // packets are counted for each entry
	Expire              string // seconds after which an entry of an external alias goes; empty for never
	UpdateFreq          string // days after which a url table is fetched again; empty for never
	Description         string
	AuthType            string // Basic, Bearer, Header
	Username, Password  string
	PathExpression      string // of urljson
	Proto, On, Category string
}

// strings are the fields that are text, by their names in the API.
func (a *Alias) strings() map[string]*string {
	return map[string]*string{
		"name": &a.Name, "type": &a.Type, "expire": &a.Expire, "updatefreq": &a.UpdateFreq, "description": &a.Description,
		"authtype": &a.AuthType, "username": &a.Username, "password": &a.Password, "path_expression": &a.PathExpression,
		"proto": &a.Proto, "interface": &a.On, "categories": &a.Category,
	}
}

// Fields are what the configuration says, by the names of the API.
func (a *Alias) Fields() map[string]any {
	out := map[string]any{"enabled": bit(!a.Disabled), "counters": bit(a.Counters), "content": strings.Join(a.Content, "\n")}
	for name, value := range a.strings() {
		out[name] = *value
	}
	return out
}

// Set changes the fields that are given. Others stay; names that are no field are
// ignored.
func (a *Alias) Set(fields map[string]any) {
	for name, value := range fields {
		text := Text(value)
		switch field := a.strings()[name]; {
		case field != nil:
			*field = text
		case name == "enabled":
			a.Disabled = text != "1"
		case name == "counters":
			a.Counters = text == "1"
		case name == "content":
			a.Content = strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
		}
	}
}

// Text is a posted value as PHP would make text of it.
func Text(value any) string {
	switch value {
	case nil, false:
		return ""
	case true:
		return "1"
	}
	return fmt.Sprint(value)
}

func bit(set bool) string {
	if set {
		return "1"
	}
	return "0"
}

// InConfiguration reports whether the product rewrites the configuration for an
// entry of such an alias, and refills its table from there.
func (a *Alias) InConfiguration() bool { return a.Type == "host" || a.Type == "network" }

// IsURL reports whether the content is where the entries are fetched from.
func (a *Alias) IsURL() bool { return a.Type == "url" || a.Type == "urltable" || a.Type == "urljson" }

// Types are the types of an alias and what the product calls them.
func Types(v Version) map[string]string {
	types := map[string]string{
		"host": "Host(s)", "network": "Network(s)", "port": "Port(s)", "url": "URL (IPs)", "urltable": "URL Table (IPs)",
		"urljson": "URL Table in JSON format (IPs)", "geoip": "GeoIP", "networkgroup": "Network group", "mac": "MAC address",
		"asn": "BGP ASN", "dynipv6host": "Dynamic IPv6 Host", "authgroup": "OpenVPN group",
		"internal": "Internal (automatic)", "external": "External (advanced)",
	}
	if !v.Since(25, 7) {
		delete(types, "urljson")
	}
	return types
}

var (
	aliasName = regexp.MustCompile(`^(_[0-9A-Za-z]|[A-Za-z])[0-9A-Za-z_]*$`)
	hostName  = regexp.MustCompile(`^([0-9a-z_-]+\.)*[0-9a-z_-]*[a-z][0-9a-z_-]*$`)
	token     = regexp.MustCompile(`^[0-9A-Za-z._-]{1,512}$`)
)

// reserved are some of the names of pf, services and protocols; the product has all.
var reserved = strings.Fields("any all pass block quick log in out on from to inet inet6 proto port flags state table " +
	"ssh http https smtp imap imaps pop3 domain ftp telnet ntp snmp ldap tcp udp icmp esp gre ipv6 sctp")

// Validate returns what the model has against an alias, by field; nothing if it
// may be saved.
func (c *Config) validateAlias(a *Alias) map[string]any {
	wrong := map[string]any{}
	switch other := c.Alias(a.Name); {
	case !aliasName.MatchString(a.Name) || len(a.Name) > 31:
		wrong["alias.name"] = "The name must start with a letter or single underscore, be less than 32 characters and only consist of alphanumeric characters or underscores."
	case slices.Contains(reserved, a.Name):
		wrong["alias.name"] = "Reserved protocol or service names may not be used"
	case other != nil && other.UUID != a.UUID:
		wrong["alias.name"] = "An alias with this name already exists."
	}
	if Types(c.Version)[a.Type] == "" {
		wrong["alias.type"] = "Option [] not in list."
	}
	if n, err := strconv.Atoi(a.Expire); a.Expire != "" && (err != nil || n < 60 || n > 999_999_999) && c.Version.Since(25, 7) {
		wrong["alias.expire"] = "Invalid integer value."
	}
	if _, err := strconv.ParseFloat(a.UpdateFreq, 64); a.UpdateFreq != "" && (err != nil || strings.ContainsAny(a.UpdateFreq, "eE")) {
		wrong["alias.updatefreq"] = []string{"Days and hours should be numeric values or left empty."}
	}
	if a.AuthType == "Bearer" && !token.MatchString(a.Password) {
		wrong["alias.authtype"] = "Illegal characters in token"
	}
	var lines []string
	for _, item := range a.Content {
		switch {
		case a.Type == "host" && !ValidItem(a.Type, item):
			lines = append(lines, fmt.Sprintf("Entry %q is not a valid hostname, IP address or range.", item))
		case a.Type == "network" && !ValidItem(a.Type, item):
			lines = append(lines, fmt.Sprintf("Entry %q is not a network.", item)) // not recorded
		}
	}
	if lines != nil {
		wrong["alias.content"] = lines
	}
	return wrong
}

// ValidItem is the model's check of a line of content.
func ValidItem(kind, item string) bool {
	item = strings.TrimPrefix(item, "!")
	if kind == "network" {
		_, fine := pf.Parse(item)
		return fine
	}
	if from, to, isRange := strings.Cut(item, "-"); isRange && len(Between(from, to)) > 0 {
		return true
	}
	_, err := netip.ParseAddr(item)
	return err == nil || hostName.MatchString(item)
}

// Between is a range of addresses as networks; nil if it is none.
func Between(from, to string) []string {
	a, err := netip.ParseAddr(from)
	z, bad := netip.ParseAddr(to)
	if err != nil || bad != nil || a.BitLen() != z.BitLen() || z.Less(a) {
		return nil
	}
	var out []string
	for {
		bits := a.BitLen()
		for bits > 0 {
			if wider, _ := a.Prefix(bits - 1); wider.Addr() != a || z.Less(last(wider)) {
				break
			}
			bits--
		}
		p := netip.PrefixFrom(a, bits)
		out = append(out, p.String())
		if a = last(p).Next(); !a.IsValid() || z.Less(a) {
			return out
		}
	}
}

func last(p netip.Prefix) netip.Addr {
	raw := p.Addr().AsSlice()
	for i := p.Bits(); i < len(raw)*8; i++ {
		raw[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(raw)
	return a
}
