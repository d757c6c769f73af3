package opnsensetest

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest/model"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest/pf"
)

func (c *call) readOnly() bool { return slices.Contains(c.user.Privileges, ReadOnly) }

// tablesDenied reports whether alias_util refuses a user who may not write, as
// it does since 26.7.1.
func (f *Firewall) tablesDenied(c *call) bool {
	return c.readOnly() && f.sys.Conf.Version.Since(26, 7, 1)
}

var notAddress = regexp.MustCompile(`[^0-9a-f:./_]`)

// add looks at nothing but the characters: what pfctl says to it is not asked.
func (f *Firewall) add(c *call) reply {
	if f.tablesDenied(c) {
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
	a := f.sys.Conf.Alias(name)
	if a == nil {
		return ok(map[string]any{"status": "failed", "status_msg": "nonexistent alias " + name})
	}
	if a.Type == "network" {
		item = masked(item)
	}
	if a.InConfiguration() {
		if !model.ValidItem(a.Type, item) {
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
	if !f.sys.PF.Add(name, item) {
		c.Ran(1, "-t "+name+" -T add "+item)
		return
	}
	c.Ran(0, "-t "+name+" -T add "+item)
	p, _ := pf.Parse(item)
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

// delete takes one copy of each of two spellings out of the configuration, and
// the entry out of pf only if it is spelled as pf does.
func (f *Firewall) delete(c *call) reply {
	if f.tablesDenied(c) {
		return denied(c.user.Name)
	}
	item, there := c.text("address")
	if c.method != "POST" || !there {
		return status("failed")
	}
	name := c.params[0]
	if a := f.sys.Conf.Alias(name); a != nil && a.InConfiguration() {
		for _, spelling := range []string{masked(item), item} {
			if i := slices.Index(a.Content, spelling); i >= 0 {
				a.Content = slices.Delete(a.Content, i, i+1)
				c.save()
			}
		}
	}
	t := f.sys.PF.Tables[name]
	c.Ran(f.missing(name), "-t "+name+" -T show")
	if t != nil && t.Entries[item] != nil {
		c.Ran(0, "-t "+name+" -T delete "+item)
		delete(t.Entries, item)
	} else if item == "ALL" {
		f.empty(c, name)
	}
	return status("done")
}

func (f *Firewall) empty(c *call, name string) {
	c.Ran(f.missing(name), "-t "+name+" -T flush")
	if t := f.sys.PF.Tables[name]; t != nil {
		clear(t.Entries)
	}
}

func (f *Firewall) missing(name string) int {
	if f.sys.PF.Tables[name] == nil {
		return 255
	}
	return 0
}

func (f *Firewall) flush(c *call) reply {
	if f.tablesDenied(c) {
		return denied(c.user.Name)
	}
	if c.method != "POST" {
		return status("failed")
	}
	name := c.params[0]
	c.Ran(f.missing(name), "-t "+name+" -T show")
	f.empty(c, name)
	return status("done")
}

func (f *Firewall) list(c *call) reply {
	name := c.params[0]
	c.Ran(f.missing(name), "-t "+name+" -vT show")
	t := f.sys.PF.Tables[name]
	rows := t.Show()
	if c.method != "POST" {
		c.post = nil
	}
	paged := f.sys.Conf.Version.Since(25, 7) // before, there was another pager
	if phrase, _ := c.text("searchPhrase"); phrase != "" {
		if paged {
			phrase = strings.ToLower(phrase)
		}
		words := strings.Fields(phrase)
		rows = slices.DeleteFunc(rows, func(row string) bool {
			return slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(row, w) })
		})
	}
	if sort, _ := c.post["sort"].(map[string]any); sort["ip"] != nil {
		slices.SortFunc(rows, pf.Natural)
		if sort["ip"] == "desc" {
			slices.Reverse(rows)
		}
	}
	size := 9999
	if !paged {
		size = -1
	}
	page, asked := c.number("current", 1), c.number("rowCount", size)
	from, to := window(len(rows), page, asked)
	out := make([]map[string]any, 0, to-from)
	for _, text := range rows[from:to] {
		row := map[string]any{"ip": text}
		for field, n := range counters(t.Entries[text].Traffic) {
			if !paged || t.Counters && n > 0 {
				row[field] = n
			}
		}
		out = append(out, row)
	}
	if paged {
		asked = len(out)
	}
	return ok(map[string]any{"total": len(rows), "rowCount": asked, "current": page, "rows": out})
}

// window is the part of total rows that a page of so many is; negative for all.
func window(total, page, size int) (from, to int) {
	if size < 0 {
		return 0, total
	}
	from = min(max(page-1, 0)*size, total)
	return from, min(from+size, total)
}

// counters are named as the API names them: packets and bytes.
func counters(t pf.Traffic) map[string]int {
	return map[string]int{
		"in_block_p": t.InBlock.Packets, "in_block_b": t.InBlock.Bytes, "in_pass_p": t.InPass.Packets, "in_pass_b": t.InPass.Bytes,
		"out_block_p": t.OutBlock.Packets, "out_block_b": t.OutBlock.Bytes, "out_pass_p": t.OutPass.Packets, "out_pass_b": t.OutPass.Bytes,
	}
}

func (c *call) number(field string, otherwise int) int {
	text, _ := c.text(field)
	n, err := strconv.Atoi(text)
	if err != nil {
		return otherwise
	}
	return n
}

func (f *Firewall) tableNames(c *call) reply {
	c.Ran(0, "-sT")
	return ok(f.sys.PF.Names())
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
	c.Ran(0, "-sT")
	matches := []string{}
	for _, name := range f.sys.PF.Names() {
		rc := 2
		if f.sys.PF.Tables[name].Find(a) != nil {
			rc, matches = 0, append(matches, name)
		}
		c.Ran(rc, "-t "+name+" -Ttest "+item)
	}
	return ok(map[string]any{"status": "ok", "matches": matches})
}
