package opnsensetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest/model"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest/pf"
)

// model is what every call of the alias controller runs first.
func (c *call) model() {
	c.Ran(0, "-vvsT")
	c.Ran(0, "-sm")
}

// save is one write of config.xml, and one copy pushed into the history.
func (c *call) save() { c.req.Wrote = true }

func result(word string) reply { return ok(map[string]any{"result": word}) }

func invalid(wrong map[string]any) reply {
	return ok(map[string]any{"result": "failed", "validations": wrong})
}

// root is what was posted under a name: without it nothing is done at all.
func (c *call) root(name string) (map[string]any, bool) {
	fields, there := c.post[name].(map[string]any)
	return fields, there && c.method == "POST"
}

var uuidForm = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func (f *Firewall) addAlias(c *call) reply {
	fields, there := c.root("alias")
	if !there {
		return result("failed")
	}
	c.model()
	if c.readOnly() {
		return denied(c.user.Name)
	}
	a, wrong := f.sys.Conf.SetAlias("", fields)
	if wrong != nil {
		return invalid(wrong)
	}
	c.save()
	return ok(map[string]any{"result": "saved", "uuid": a.UUID})
}

// setAlias changes some fields; with a UUID that nobody has it makes an alias.
func (f *Firewall) setAlias(c *call) reply {
	fields, there := c.root("alias")
	if !there || !uuidForm.MatchString(c.params[0]) {
		return result("failed")
	}
	c.model()
	if c.readOnly() {
		return denied(c.user.Name)
	}
	if _, wrong := f.sys.Conf.SetAlias(c.params[0], fields); wrong != nil {
		return invalid(wrong)
	}
	c.save()
	return result("saved")
}

func (f *Firewall) delAlias(c *call) reply {
	if c.method != "POST" {
		return result("failed")
	}
	c.model()
	if c.readOnly() {
		return denied(c.user.Name)
	}
	a := f.sys.Conf.AliasByID(c.params[0])
	if a == nil {
		return result("not found")
	}
	if users := f.sys.Conf.Users(a.Name); len(users) > 0 {
		return reply{status: 500, kind: thrown, body: map[string]any{
			"errorMessage": "Cannot delete alias " + a.Name + ". Currently in use by \n[" + strings.Join(users, "] \n[") + "] ",
			"errorTitle":   "Alias in use", "errorLevel": "error",
		}}
	}
	f.sys.Conf.RemoveAlias(a.Name)
	c.save()
	return result("deleted")
}

func (f *Firewall) toggleAlias(c *call) reply {
	c.model()
	a := f.sys.Conf.AliasByID(c.params[0])
	if a == nil || c.method != "POST" {
		return result("failed")
	}
	if c.readOnly() {
		return denied(c.user.Name)
	}
	before := a.Disabled
	a.Disabled = !before
	if len(c.params) > 1 {
		a.Disabled = c.params[1] != "1"
	}
	return c.toggled(!a.Disabled, a.Disabled != before)
}

func (c *call) toggled(enabled, changed bool) reply {
	if changed {
		c.save()
	}
	word := map[bool]string{true: "Enabled", false: "Disabled"}[enabled]
	return ok(map[string]any{"result": word, "changed": changed})
}

func (f *Firewall) aliasUUID(c *call) reply {
	c.model()
	if a := f.sys.Conf.Alias(c.params[0]); a != nil && a.Type != "internal" {
		return ok(map[string]any{"uuid": a.UUID})
	}
	return ok([]any{})
}

// shown is an alias as search_item and export have it, with what pf knows of it.
func (f *Firewall) shown(a *Alias) map[string]any {
	row := a.Fields()
	row["current_items"], row["last_updated"] = "", ""
	stats := map[string]int{"eval_match": 0, "eval_nomatch": 0}
	if t := f.sys.PF.Tables[a.Name]; t != nil {
		row["current_items"], row["last_updated"] = fmt.Sprint(len(t.Entries)), updated(t)
		stats = map[string]int{"eval_match": t.Match, "eval_nomatch": t.NoMatch}
		maps.Copy(stats, counters(t.Traffic))
	}
	if f.sys.Conf.Version.Since(26, 1) {
		for field, n := range stats {
			row[field] = fmt.Sprint(n)
		}
	}
	return row
}

// updated is when a table got a new list, as Python writes it.
func updated(t *pf.Table) string {
	if t.Updated.IsZero() {
		return ""
	}
	return t.Updated.Format("2006-01-02T15:04:05.000000")
}

func (f *Firewall) searchAlias(c *call) reply {
	c.model()
	var rows []map[string]any
	for _, a := range f.sys.Conf.Aliases {
		row := f.shown(a)
		row["uuid"], row["%type"], row["categories_uuid"] = a.UUID, model.Types(f.sys.Conf.Version)[a.Type], []any{}
		rows = append(rows, row)
	}
	return c.page(rows)
}

// page answers with the rows that hold every word of the search.
func (c *call) page(rows []map[string]any) reply {
	phrase, _ := c.text("searchPhrase")
	words := strings.Fields(strings.ToLower(phrase))
	rows = slices.DeleteFunc(rows, func(row map[string]any) bool {
		return slices.ContainsFunc(words, func(w string) bool { return !holds(row, w) })
	})
	page := c.number("current", 1)
	from, to := window(len(rows), page, c.number("rowCount", -1))
	return ok(map[string]any{"rows": append([]map[string]any{}, rows[from:to]...), "rowCount": to - from, "total": len(rows), "current": page})
}

func holds(row map[string]any, word string) bool {
	for _, value := range row {
		if text, is := value.(string); is && strings.Contains(strings.ToLower(text), word) {
			return true
		}
	}
	return false
}

// aliasItem answers with an alias as its dialog needs it.
func (f *Firewall) aliasItem(c *call) reply {
	c.model()
	if len(c.params) == 0 || f.sys.Conf.AliasByID(c.params[0]) == nil {
		return ok([]any{})
	}
	a := f.sys.Conf.AliasByID(c.params[0])
	row := f.shown(a)
	maps.Copy(row, f.sys.Conf.Choices(a))
	return ok(map[string]any{"alias": row})
}

// tableSize says how full the tables are. The limit is of all together.
func (f *Firewall) tableSize(c *call) reply {
	c.model()
	details := map[string]any{}
	for name, t := range f.sys.PF.Tables {
		row := map[string]any{"count": len(t.Entries), "updated": nil}
		if at := updated(t); at != "" {
			row["updated"] = at
		}
		if f.sys.Conf.Version.Since(26, 1) {
			row["eval_match"], row["eval_nomatch"] = t.Match, t.NoMatch
			for field, n := range counters(t.Traffic) {
				row[field] = n
			}
		}
		details[name] = row
	}
	return ok(map[string]any{"status": "ok", "size": f.sys.PF.Limit, "used": f.sys.PF.Used(), "details": details})
}

// exportAliases answers with JSON that is laid out for people.
func (f *Firewall) exportAliases(c *call) reply {
	c.model()
	query, _ := url.ParseQuery(c.query)
	ids, _ := c.text("ids")
	wanted := strings.Split(query.Get("ids")+ids, ",")
	out := map[string]any{}
	for _, a := range f.sys.Conf.Aliases {
		if a.Type != "internal" && (wanted[0] == "" || slices.Contains(wanted, a.UUID)) {
			out[a.UUID] = f.shown(a)
		}
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetIndent("", "    ")
	_ = enc.Encode(map[string]any{"aliases": map[string]any{"alias": out}}) // of strings only
	return ok(bytes.TrimSpace(text.Bytes()))
}

// importAliases makes aliases or replaces them by name, all or none.
func (f *Firewall) importAliases(c *call) reply {
	data, _ := c.post["data"].(map[string]any)
	aliases, _ := data["aliases"].(map[string]any)
	items, there := aliases["alias"].(map[string]any)
	if !there || c.method != "POST" {
		return status("failed")
	}
	c.model()
	if c.readOnly() {
		return denied(c.user.Name)
	}
	before := slices.Clone(f.sys.Conf.Aliases)
	existing, added, problems := 0, 0, map[string]any{}
	for key, item := range items {
		fields, _ := item.(map[string]any)
		uuid := ""
		if a := f.sys.Conf.Alias(model.Text(fields["name"])); a != nil {
			uuid = a.UUID
		}
		if _, wrong := f.sys.Conf.SetAlias(uuid, fields); wrong != nil {
			problems[key] = wrong
		} else if uuid != "" {
			existing++
		} else {
			added++
		}
	}
	answer := map[string]any{"existing": existing, "new": added, "status": "ok"}
	if len(problems) > 0 {
		f.sys.Conf.Restore(before)
		answer["status"], answer["validations"] = "failed", problems
		return ok(answer)
	}
	c.save()
	return ok(answer)
}

func (f *Firewall) reconfigureAliases(c *call) reply {
	if c.method != "POST" {
		return status("failed")
	}
	f.sys.Reconfigure(&c.Commands)
	return status("ok")
}
