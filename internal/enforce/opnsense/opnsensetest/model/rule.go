package model

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest/pf"
)

// A Rule is a filter rule of the configuration. Fields has the names of the API;
// one that is left out has the product's default.
type Rule struct {
	UUID   string
	Fields map[string]string

	Legacy    bool // made under the old Firewall: Rules, or automatic: not of the rules' API
	Automatic bool // made by the product itself
	priority  int  // of an automatic one
}

// defaults are the fields of a rule that is new, as recorded.
func defaults() map[string]string {
	out := map[string]string{
		"enabled": "1", "statetype": "keep", "sequence": "1", "action": "pass", "quick": "1", "interfacenot": "0",
		"direction": "in", "ipprotocol": "inet", "protocol": "any", "source_net": "any", "source_not": "0",
		"destination_net": "any", "destination_not": "0", "disablereplyto": "0", "log": "0", "allowopts": "0",
		"nosync": "0", "nopfsync": "0", "tcpflags_any": "0",
	}
	for _, empty := range strings.Fields("state-policy interface icmptype icmp6type source_port destination_port divert-to gateway " +
		"replyto statetimeout udp-first udp-multiple udp-single max-src-nodes max-src-states max-src-conn max max-src-conn-rate " +
		"max-src-conn-rates max-pkt-rate-number max-pkt-rate-seconds overload adaptivestart adaptiveend prio set-prio set-prio-low " +
		"tag tagged tcpflags1 tcpflags2 categories sched tos shaper1 shaper2 description") {
		out[empty] = ""
	}
	return out
}

// Get returns a field, or its default.
func (r *Rule) Get(field string) string {
	if text, set := r.Fields[field]; set {
		return text
	}
	return defaults()[field]
}

func (r *Rule) interfaces() []string {
	return strings.FieldsFunc(r.Get("interface"), func(c rune) bool { return c == ',' })
}

// Group is the priority of a rule: floating ones come before those of one
// interface, automatic ones before all.
func (r *Rule) Group() int {
	switch {
	case r.Automatic:
		return r.priority
	case len(r.interfaces()) == 1 && r.Get("interfacenot") == "0":
		return 400000
	}
	return 200000
}

// Ordered returns every rule as pf gets them, the product's own among them.
func (c *Config) Ordered() []*Rule {
	all := append(c.automatic(), c.Rules...)
	slices.SortStableFunc(all, func(a, b *Rule) int { return strings.Compare(a.sortOrder(), b.sortOrder()) })
	return all
}

// sortOrder puts rules of the old kind behind those of the API in their group.
func (r *Rule) sortOrder() string {
	n, _ := strconv.Atoi(r.Get("sequence"))
	if r.Legacy {
		return fmt.Sprintf("%06d.1%06d", r.Group(), n)
	}
	return fmt.Sprintf("%06d.%07d", r.Group(), n)
}

// PutRule saves a rule, in the place of one with its UUID, without any check.
func (c *Config) PutRule(r Rule) *Rule {
	if r.UUID == "" {
		r.UUID = c.uuid()
	}
	r.Fields = maps.Clone(r.Fields)
	if r.Fields == nil {
		r.Fields = map[string]string{}
	}
	if i := c.rule(r.UUID); i >= 0 {
		c.Rules[i] = &r
	} else {
		c.Rules = append(c.Rules, &r)
	}
	return &r
}

func (c *Config) rule(uuid string) int {
	return slices.IndexFunc(c.Rules, func(r *Rule) bool { return r.UUID == uuid })
}

// Rule returns the rule of the rules' API that has a UUID, or nil.
func (c *Config) Rule(uuid string) *Rule {
	if i := c.rule(uuid); i >= 0 && !c.Rules[i].Legacy {
		return c.Rules[i]
	}
	return nil
}

// RemoveRule deletes a rule and reports whether there was one.
func (c *Config) RemoveRule(uuid string) bool {
	i := c.rule(uuid)
	if i >= 0 {
		c.Rules = slices.Delete(c.Rules, i, i+1)
	}
	return i >= 0
}

// SetRule saves what is posted for a rule that may be new, if the model has
// nothing against it. Else it returns that, by field.
func (c *Config) SetRule(uuid string, fields map[string]any) (*Rule, map[string]any) {
	r := Rule{UUID: uuid, Fields: map[string]string{}}
	if have := c.Rule(uuid); have != nil {
		r.Fields = maps.Clone(have.Fields)
	}
	known := defaults()
	for name, value := range fields {
		if _, is := known[name]; is {
			r.Fields[name] = Text(value)
		}
	}
	if wrong := c.validateRule(&r); len(wrong) > 0 {
		return nil, wrong
	}
	return c.PutRule(r), nil
}

func (c *Config) validateRule(r *Rule) map[string]any {
	wrong := map[string]any{}
	options := map[string][]string{
		"action": {"pass", "block", "reject"}, "direction": {"in", "out"}, "ipprotocol": {"inet", "inet6", "inet46"},
	}
	if c.Version.Since(26, 1) {
		options["direction"] = append(options["direction"], "any")
	}
	for field, may := range options {
		if !slices.Contains(may, r.Get(field)) {
			wrong["rule."+field] = "Option [] not in list."
		}
	}
	for _, key := range r.interfaces() {
		if _, there := c.Interface(key); !there {
			wrong["rule.interface"] = "Option [" + key + "] not in list."
		}
	}
	for field, side := range map[string]string{"source_net": "source", "destination_net": "destination"} {
		for _, text := range strings.Split(r.Get(field), ",") {
			if _, ok := c.endpoint(text); !ok {
				wrong["rule."+field] = text + " is not a valid " + side + " IP address or alias."
			}
		}
	}
	return wrong
}

// endpoint reads what a rule says of one side.
func (c *Config) endpoint(text string) (pf.Endpoint, bool) {
	e := pf.Endpoint{Text: text}
	if a := c.Alias(text); a != nil {
		return pf.Endpoint{Table: a.Name}, a.Type != "port"
	}
	for _, i := range c.Interfaces {
		for _, p := range i.Addresses {
			own, _ := pf.Parse(p.Addr().String())
			switch text {
			case i.Key:
				e.Nets = append(e.Nets, p.Masked())
			case i.Key + "ip", "(self)":
				e.Nets = append(e.Nets, own)
			}
		}
	}
	for _, item := range strings.Split(text, ",") {
		if p, ok := pf.Parse(item); ok {
			e.Nets = append(e.Nets, p)
		}
	}
	return e, text == "any" || e.Nets != nil
}

// Generate returns what pf gets for the enabled rules.
func (c *Config) Generate() (out []pf.Rule) {
	for _, r := range c.Ordered() {
		if r.Get("enabled") != "1" {
			continue
		}
		for _, device := range c.devices(r) {
			for _, family := range []string{"inet", "inet6"} {
				if r.Get("ipprotocol") == family || r.Get("ipprotocol") == "inet46" {
					out = append(out, c.generate(r, device, family))
				}
			}
		}
	}
	return out
}

func (c *Config) devices(r *Rule) []string {
	var out []string
	for _, i := range c.Interfaces {
		if slices.Contains(r.interfaces(), i.Key) != (r.Get("interfacenot") == "1") {
			out = append(out, i.Device)
		}
	}
	if len(r.interfaces()) == 0 {
		return []string{""}
	}
	return out
}

func (c *Config) generate(r *Rule, device, family string) pf.Rule {
	from, _ := c.endpoint(r.Get("source_net"))
	to, _ := c.endpoint(r.Get("destination_net"))
	from.Not, to.Not = r.Get("source_not") == "1", r.Get("destination_not") == "1"
	out := pf.Rule{
		Label: r.UUID, Description: r.Get("description"), Action: r.Get("action"), Log: r.Get("log") == "1", Quick: r.Get("quick") == "1",
		Interface: device, Direction: r.Get("direction"), Family: family, Protocol: strings.ToLower(r.Get("protocol")), From: from, To: to,
		Ports: strings.FieldsFunc(r.Get("destination_port"), func(c rune) bool { return c == ' ' || c == ',' }),
	}
	if out.Direction == "any" {
		out.Direction = ""
	}
	if out.Protocol == "any" {
		out.Protocol = ""
	}
	return out
}
