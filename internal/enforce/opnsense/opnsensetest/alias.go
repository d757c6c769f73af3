package opnsensetest

import (
	"cmp"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func (c *call) readOnly() bool { return slices.Contains(c.user.Privileges, ReadOnly) }

// save is one write of config.xml, and one copy pushed into the history.
func (c *call) save() { c.req.Wrote = true }

var notAddress = regexp.MustCompile(`[^0-9a-f:./_]`)

// add looks at nothing but the characters: what pfctl says to it is not asked.
func (f *Firewall) add(c *call) reply {
	if c.readOnly() {
		return denied(c.user.Name)
	}
	item, there := c.text("address")
	if c.method != "POST" || !there {
		return status("failed")
	}
	if _, list := c.post["address"].([]any); list {
		return unexpected()
	}
	if notAddress.MatchString(item) {
		return status("not_an_address")
	}
	name := c.params[0]
	a := f.aliases[name]
	if a == nil {
		return ok(map[string]any{"status": "failed", "status_msg": "nonexistent alias " + name})
	}
	if a.Type == "network" {
		item = masked(item)
	}
	if a.Type == "host" || a.Type == "network" {
		if !valid(a.Type, item) {
			return unexpected()
		}
		// The product takes the index 0 for "not found".
		if slices.Index(a.Content, item) <= 0 {
			a.Content = append(a.Content, item)
			c.save()
		}
	}
	f.pfAdd(c, name, item)
	return status("done")
}

func (f *Firewall) pfAdd(c *call, name, item string) {
	p, isAddress := parse(item)
	if !isAddress {
		c.ran(1, "-t "+name+" -T add "+item)
		return
	}
	c.ran(0, "-t "+name+" -T add "+item)
	if f.tables[name] == nil {
		f.tables[name] = table{}
	}
	f.tables[name].add(item)
	c.added = append(c.added, p)
}

// masked appends the mask of a single address. The product takes a colon at the
// very beginning for none.
func masked(item string) string {
	switch {
	case strings.Contains(item, "/"):
		return item
	case strings.Index(item, ":") > 0:
		return item + "/128"
	}
	return item + "/32"
}

var hostName = regexp.MustCompile(`^([0-9a-z_-]+\.)*[0-9a-z_-]*[a-z][0-9a-z_-]*$`)

// valid is the model's check of a line of content.
func valid(kind, item string) bool {
	if kind == "network" {
		_, fine := parse(item)
		return fine
	}
	_, err := netip.ParseAddr(item)
	return err == nil || hostName.MatchString(item)
}

// delete takes one copy of each of two spellings out of the configuration, and
// the entry out of pf only if it is spelled as pf does.
func (f *Firewall) delete(c *call) reply {
	if c.readOnly() {
		return denied(c.user.Name)
	}
	item, there := c.text("address")
	if c.method != "POST" || !there {
		return status("failed")
	}
	name := c.params[0]
	if a := f.aliases[name]; a != nil && (a.Type == "host" || a.Type == "network") {
		for _, spelling := range []string{masked(item), item} {
			if i := slices.Index(a.Content, spelling); i >= 0 {
				a.Content = slices.Delete(a.Content, i, i+1)
				c.save()
			}
		}
	}
	t := f.tables[name]
	c.ran(f.missing(name), "-t "+name+" -T show")
	if _, listed := t[item]; listed {
		c.ran(0, "-t "+name+" -T delete "+item)
		delete(t, item)
	} else if item == "ALL" {
		c.ran(f.missing(name), "-t "+name+" -T flush")
		clear(t)
	}
	return status("done")
}

func (f *Firewall) missing(name string) int {
	if f.tables[name] == nil {
		return 255
	}
	return 0
}

func (f *Firewall) flush(c *call) reply {
	if c.readOnly() {
		return denied(c.user.Name)
	}
	if c.method != "POST" {
		return status("failed")
	}
	name := c.params[0]
	c.ran(f.missing(name), "-t "+name+" -T show")
	c.ran(f.missing(name), "-t "+name+" -T flush")
	clear(f.tables[name])
	return status("done")
}

func (f *Firewall) list(c *call) reply {
	name := c.params[0]
	c.ran(f.missing(name), "-t "+name+" -vT show")
	rows := f.tables[name].show()
	if c.method != "POST" {
		c.post = nil
	}
	if phrase, _ := c.text("searchPhrase"); phrase != "" {
		words := strings.Fields(strings.ToLower(phrase))
		rows = slices.DeleteFunc(rows, func(row string) bool {
			return slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(row, w) })
		})
	}
	if sort, _ := c.post["sort"].(map[string]any); sort["ip"] != nil {
		slices.SortFunc(rows, natural)
		if sort["ip"] == "desc" {
			slices.Reverse(rows)
		}
	}
	page, size := c.number("current", 1), c.number("rowCount", 9999)
	total, from, to := len(rows), 0, len(rows)
	if size >= 0 {
		from = min((page-1)*size, total)
		to = min(from+size, total)
	}
	out := make([]map[string]string, 0, to-from)
	for _, row := range rows[from:to] {
		out = append(out, map[string]string{"ip": row})
	}
	return ok(map[string]any{"total": total, "rowCount": len(out), "current": page, "rows": out})
}

// natural compares as people sort: runs of digits by their number.
func natural(a, b string) int {
	for a != "" && b != "" {
		n, m := digits(a), digits(b)
		if n == 0 || m == 0 {
			if a[0] != b[0] {
				return cmp.Compare(a[0], b[0])
			}
			a, b = a[1:], b[1:]
			continue
		}
		x, _ := strconv.Atoi(a[:n])
		y, _ := strconv.Atoi(b[:m])
		if x != y {
			return cmp.Compare(x, y)
		}
		a, b = a[n:], b[m:]
	}
	return cmp.Compare(len(a), len(b))
}

func digits(s string) int { return len(s) - len(strings.TrimLeft(s, "0123456789")) }

func (c *call) number(field string, otherwise int) int {
	text, _ := c.text(field)
	n, err := strconv.Atoi(text)
	if err != nil {
		return otherwise
	}
	return n
}

func (f *Firewall) tableNames(c *call) reply {
	c.ran(0, "-sT")
	return ok(f.names())
}

// names lists the tables, in the product's order without case: "_" comes last.
func (f *Firewall) names() []string {
	return slices.SortedFunc(maps.Keys(f.tables), func(a, b string) int {
		return strings.Compare(strings.ToUpper(a), strings.ToUpper(b))
	})
}

func (f *Firewall) findReferences(c *call) reply {
	item, there := c.text("ip")
	if c.method != "POST" || !there {
		return status("IP parameter not specified!")
	}
	if notAddress.MatchString(item) {
		return status("Not an IP address!")
	}
	a, err := netip.ParseAddr(item)
	if err != nil {
		return status("Invalid IP specified!")
	}
	c.ran(0, "-sT")
	matches := []string{}
	for _, name := range f.names() {
		rc := 2
		if f.tables[name].contains(a) {
			rc, matches = 0, append(matches, name)
		}
		c.ran(rc, "-t "+name+" -Ttest "+item)
	}
	return ok(map[string]any{"status": "ok", "matches": matches})
}

func (f *Firewall) aliasUUID(c *call) reply {
	c.model()
	if a := f.aliases[c.params[0]]; a != nil && a.Type != "internal" {
		return ok(map[string]any{"uuid": a.UUID})
	}
	return ok([]any{})
}

// model is what every call of the alias controller runs first.
func (c *call) model() {
	c.ran(0, "-vvsT")
	c.ran(0, "-sm")
}

// typeNames are the types of an alias and what the product calls them.
func typeNames() map[string]string {
	return map[string]string{
		"host": "Host(s)", "network": "Network(s)", "port": "Port(s)", "url": "URL (IPs)", "urltable": "URL Table (IPs)",
		"urljson": "URL Table in JSON format (IPs)", "geoip": "GeoIP", "networkgroup": "Network group", "mac": "MAC address",
		"asn": "BGP ASN", "dynipv6host": "Dynamic IPv6 Host", "authgroup": "OpenVPN group",
		"internal": "Internal (automatic)", "external": "External (advanced)",
	}
}

// aliasItem answers with the fields of an alias that were recorded in full.
func (f *Firewall) aliasItem(c *call) reply {
	c.model()
	for _, a := range f.aliases {
		if len(c.params) == 0 || a.UUID != c.params[0] {
			continue
		}
		types := map[string]any{}
		for word, name := range typeNames() {
			selected := 0
			if word == a.Type {
				selected = 1
			}
			types[word] = map[string]any{"value": name, "selected": selected}
		}
		enabled := "1"
		if a.Disabled {
			enabled = "0"
		}
		return ok(map[string]any{"alias": map[string]any{"enabled": enabled, "name": a.Name, "type": types}})
	}
	return ok([]any{})
}

func (f *Firewall) apply(c *call) reply {
	if c.method != "POST" {
		return status("failed")
	}
	f.reconfigure()
	return status("ok")
}

// applyFilter reloads the rules: every table keeps what it has.
func (f *Firewall) applyFilter(c *call) reply {
	if c.method != "POST" {
		return status("error")
	}
	return status("OK\n\n")
}
