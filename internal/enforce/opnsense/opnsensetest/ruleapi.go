package opnsensetest

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

func (f *Firewall) addRule(c *call) reply {
	fields, there := c.root("rule")
	if !there {
		return result("failed")
	}
	if c.readOnly() {
		return denied(c.user.Name)
	}
	r, wrong := f.sys.Conf.SetRule("", fields)
	if wrong != nil {
		return invalid(wrong)
	}
	c.save()
	return ok(map[string]any{"result": "saved", "uuid": r.UUID})
}

// setRule changes some fields; with a UUID that nobody has it makes a rule.
func (f *Firewall) setRule(c *call) reply {
	fields, there := c.root("rule")
	if !there || !uuidForm.MatchString(c.params[0]) {
		return result("failed")
	}
	if c.readOnly() {
		return denied(c.user.Name)
	}
	if _, wrong := f.sys.Conf.SetRule(c.params[0], fields); wrong != nil {
		return invalid(wrong)
	}
	c.save()
	return result("saved")
}

func (f *Firewall) delRule(c *call) reply {
	switch {
	case c.method != "POST":
		return result("failed")
	case c.readOnly():
		return denied(c.user.Name)
	case f.sys.Conf.Rule(c.params[0]) == nil:
		return result("not found")
	}
	f.sys.Conf.RemoveRule(c.params[0])
	c.save()
	return result("deleted")
}

func (f *Firewall) toggleRule(c *call) reply {
	r := f.sys.Conf.Rule(c.params[0])
	if r == nil || c.method != "POST" {
		return result("failed")
	}
	if c.readOnly() {
		return denied(c.user.Name)
	}
	before := r.Get("enabled")
	r.Fields["enabled"] = map[string]string{"1": "0", "0": "1"}[before]
	if len(c.params) > 1 {
		r.Fields["enabled"] = c.params[1]
	}
	return c.toggled(r.Get("enabled") == "1", r.Get("enabled") != before)
}

// searchRule lists rules in their order. Those of the old kind and the automatic
// ones are only there when asked for, since 26.7 always, before 25.7 never.
func (f *Firewall) searchRule(c *call) reply {
	asked, _ := c.text("show_all")
	asked = strings.TrimPrefix(asked, "0")
	v := f.sys.Conf.Version
	others := v.Since(26, 7) || v.Since(25, 7) && asked != ""
	if asked != "" {
		c.Ran(0, "-sr -v")
	}
	var rows []map[string]any
	for _, r := range f.sys.Conf.Ordered() {
		if !r.Legacy || others && r.Get("enabled") == "1" {
			row := f.sys.Conf.Row(r)
			if stats := f.sys.PF.Stats(r.UUID); asked != "" && stats["pf_rules"] > 0 {
				for field, n := range stats {
					row[field] = n
				}
			}
			rows = append(rows, row)
		}
	}
	// The product compares whole records where the order is the same: shorter ones
	// come first.
	slices.SortStableFunc(rows, func(a, b map[string]any) int {
		return cmp.Or(strings.Compare(a["sort_order"].(string), b["sort_order"].(string)), cmp.Compare(len(a), len(b)))
	})
	if phrase, _ := c.text("searchPhrase"); asked != "" && v.Since(25, 7) {
		rows = f.findAddresses(c, rows, strings.Fields(phrase))
	}
	return c.page(rows)
}

// findAddresses looks for an address by itself or by the tables that hold it.
func (f *Firewall) findAddresses(c *call, rows []map[string]any, words []string) []map[string]any {
	var rest []string
	for _, w := range words {
		a, err := netip.ParseAddr(w)
		if err != nil {
			rest = append(rest, w)
			continue
		}
		names := []string{w}
		for _, name := range f.sys.PF.Names() {
			if f.sys.PF.Tables[name].Find(a) != nil {
				names = append(names, strings.ToLower(name))
			}
		}
		rows = slices.DeleteFunc(rows, func(row map[string]any) bool {
			return !slices.ContainsFunc(names, func(name string) bool { return holds(row, name) })
		})
	}
	if c.post != nil {
		c.post["searchPhrase"] = strings.Join(rest, " ")
	}
	return rows
}

func (f *Firewall) interfaceList(*call) reply { return ok(f.sys.Conf.InterfaceList()) }

// applyRules reloads the rules: every table keeps what it has. The answer is the
// same if pf refused them.
func (f *Firewall) applyRules(c *call) reply {
	if c.method != "POST" {
		return status("error")
	}
	f.sys.Load(&c.Commands)
	return status("OK\n\n")
}
