package rules

import "slices"

// Take sets the fields of a rule as they are posted, and where it comes among the others.
func (r *Rule) Take(fields map[string]string, order string) {
	for name, to := range map[string]*Text{
		"enabled": &r.Enabled, "action": &r.Action, "quick": &r.Quick, "interface": &r.Interface, "interfacenot": &r.InterfaceNot,
		"direction": &r.Direction, "ipprotocol": &r.IPProtocol, "protocol": &r.Protocol, "source_net": &r.Source, "source_not": &r.SourceNot,
		"source_port": &r.SourcePort, "destination_net": &r.Destination, "destination_not": &r.DestinationNot, "destination_port": &r.DestinationPort,
		"description": &r.Description,
	} {
		if value, ok := fields[name]; ok {
			*to = Text(value)
		}
	}
	r.Order = Text(order)
}

// Same reports whether two rules do the same, wherever they stand and whatever they
// are called.
func (r Rule) Same(o Rule) bool { return r.plain() == o.plain() }

// plain returns the rule with one spelling for what has two.
func (r Rule) plain() Rule {
	r.Order, r.Description, r.Loaded = "", "", ""
	for _, t := range []*Text{&r.InterfaceNot, &r.SourceNot, &r.DestinationNot} {
		if *t == "0" {
			*t = ""
		}
	}
	for _, t := range []*Text{&r.Source, &r.SourcePort, &r.Destination, &r.DestinationPort, &r.Protocol} {
		if *t == "any" {
			*t = ""
		}
	}
	return r
}

// Mirror returns the rules as packets the other way see them: what is said of
// sources is said of destinations, and out is in.
func Mirror(all []Rule) []Rule {
	all = slices.Clone(all)
	for i := range all {
		r := &all[i]
		r.Source, r.Destination = r.Destination, r.Source
		r.SourceNot, r.DestinationNot = r.DestinationNot, r.SourceNot
		r.SourcePort, r.DestinationPort = r.DestinationPort, r.SourcePort
		switch r.Direction {
		case "in", "":
			r.Direction = "out"
		case "out":
			r.Direction = "in"
		}
	}
	return all
}
