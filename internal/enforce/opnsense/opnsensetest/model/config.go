// Package model is the configuration of the fake firewall: aliases, rules and
// interfaces, with the checks that the product makes before it saves, and the
// rule set of pf that it generates. Nothing here acts on packets; see pf.
package model

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A Version is a release, as in 26.1.10. Some things are as they were before.
type Version string

// Since reports whether v is the release year.month[.patch] or a later one.
func (v Version) Since(release ...int) bool {
	have := strings.Split(string(v), ".")
	for i, want := range release {
		n := 0
		if i < len(have) {
			n, _ = strconv.Atoi(have[i])
		}
		if n != want {
			return n > want
		}
	}
	return true
}

// An Interface is one of the firewall's.
type Interface struct {
	Key       string // wan, lan, opt1
	Device    string
	Name      string         // as people call it
	Addresses []netip.Prefix // its own, with the length of its network
}

// Interfaces are those of the recording. The addresses are invented.
func Interfaces() []Interface {
	p := netip.MustParsePrefix
	return []Interface{
		{"wan", "em0", "WAN", []netip.Prefix{p("198.51.100.2/24"), p("2001:db8::2/64")}},
		{"lan", "em1", "LAN", []netip.Prefix{p("192.168.1.1/24"), p("2001:db8:1::1/64")}},
		{"opt1", "vlan0.20", "IOT", []netip.Prefix{p("192.168.20.1/24")}},
	}
}

// A Config is config.xml.
type Config struct {
	Version    Version
	Interfaces []Interface
	Aliases    []*Alias // in their order
	Rules      []*Rule  // in their order

	byName map[string]*Alias
	made   int
}

// uuid makes one up that is not random: a run is like the next.
func (c *Config) uuid() string {
	c.made++
	return fmt.Sprintf("edb00000-0000-4000-8000-%012d", c.made)
}

// Alias returns the alias of that name, or nil.
func (c *Config) Alias(name string) *Alias { return c.byName[name] }

// AliasByID returns an alias that people made, or nil.
func (c *Config) AliasByID(uuid string) *Alias {
	for _, a := range c.Aliases {
		if a.UUID == uuid && a.Type != "internal" {
			return a
		}
	}
	return nil
}

// PutAlias saves an alias, in the place of one with its UUID, without any check.
func (c *Config) PutAlias(a Alias) *Alias {
	if a.Type == "" {
		a.Type = "external"
	}
	if a.UUID == "" {
		a.UUID = c.uuid()
	}
	a.Content = slices.Clone(a.Content)
	i := slices.IndexFunc(c.Aliases, func(b *Alias) bool { return b.UUID == a.UUID || b.Name == a.Name })
	if i < 0 {
		c.Aliases = append(c.Aliases, nil)
		i = len(c.Aliases) - 1
	} else {
		c.rename(c.Aliases[i].Name, a.Name)
	}
	c.Aliases[i] = &a
	c.index()
	return &a
}

func (c *Config) index() {
	c.byName = make(map[string]*Alias, len(c.Aliases))
	for _, a := range c.Aliases {
		c.byName[a.Name] = a
	}
}

// rename changes the rules that refer to an alias, as the product does.
func (c *Config) rename(from, to string) {
	for _, r := range c.Rules {
		for _, field := range []string{"source_net", "destination_net"} {
			if r.Get(field) == from && from != to {
				r.Fields[field] = to
			}
		}
	}
}

// RemoveAlias deletes the alias of that name.
func (c *Config) RemoveAlias(name string) {
	c.Aliases = slices.DeleteFunc(c.Aliases, func(a *Alias) bool { return a.Name == name })
	c.index()
}

// SetAlias saves what is posted for an alias that may be new, if the model has
// nothing against it. Else it returns that, by field.
func (c *Config) SetAlias(uuid string, fields map[string]any) (*Alias, map[string]any) {
	a := Alias{UUID: uuid}
	if have := c.AliasByID(uuid); have != nil {
		a = *have
	}
	if a.UUID == "" {
		a.UUID = c.uuid()
	}
	a.Set(fields)
	if wrong := c.validateAlias(&a); len(wrong) > 0 {
		return nil, wrong
	}
	return c.PutAlias(a), nil
}

// Users lists the rules that refer to an alias, as the product names them.
func (c *Config) Users(alias string) (paths []string) {
	n := 0
	for _, r := range c.Rules {
		for _, field := range []string{"source_net", "destination_net"} {
			if slices.Contains(strings.Split(r.Get(field), ","), alias) {
				paths = append(paths, fmt.Sprintf("OPNsense.Firewall.Filter.rules.rule.%d/%s", n, field))
			}
		}
		if !r.Legacy {
			n++
		}
	}
	return paths
}

// Interface returns the interface of a key.
func (c *Config) Interface(key string) (Interface, bool) {
	i := slices.IndexFunc(c.Interfaces, func(i Interface) bool { return i.Key == key })
	if i < 0 {
		return Interface{}, false
	}
	return c.Interfaces[i], true
}

// Restore gives back the aliases of an earlier time.
func (c *Config) Restore(aliases []*Alias) {
	c.Aliases = aliases
	c.index()
}
