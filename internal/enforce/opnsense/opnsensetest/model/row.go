package model

import (
	"strconv"
	"strings"
)

// words are what the list of rules shows for a value.
func words(field, value string) string {
	all := map[string]string{
		"statetype keep": "keep state", "action block": "Block", "action pass": "Pass", "action reject": "Reject",
		"direction in": "In", "direction out": "Out", "direction any": "Both",
		"ipprotocol inet": "IPv4", "ipprotocol inet6": "IPv6", "ipprotocol inet46": "any",
	}
	return all[field+" "+value]
}

// Row is a rule as the API lists it.
func (c *Config) Row(r *Rule) map[string]any {
	row := map[string]any{"uuid": r.UUID, "sort_order": r.sortOrder(), "prio_group": strconv.Itoa(r.Group()), "category_colors": []any{}}
	for field := range defaults() {
		row[field] = r.Get(field)
	}
	for _, field := range []string{"statetype", "action", "direction", "ipprotocol"} {
		row["%"+field] = words(field, r.Get(field))
	}
	if names := c.interfaceNames(r.Get("interface")); names != "" {
		row["%interface"] = names
	}
	for _, field := range []string{"source_net", "destination_net"} {
		row["alias_meta_"+field] = []any{c.aliasMeta(r.Get(field))}
	}
	if r.Legacy {
		row["legacy"], row["is_automatic"], row["ref"] = true, r.Automatic, ""
	}
	return row
}

func (c *Config) interfaceNames(keys string) string {
	var names []string
	for _, key := range strings.Split(keys, ",") {
		if i, there := c.Interface(key); there {
			names = append(names, i.Name)
		}
	}
	return strings.Join(names, ", ")
}

func (c *Config) aliasMeta(text string) map[string]any {
	if a := c.Alias(text); a != nil {
		return map[string]any{
			"summary": "<strong>" + a.Description + "</strong><br/>", "description": a.Description,
			"value": text, "%value": text, "isAlias": true,
		}
	}
	return map[string]any{"value": text, "%value": text, "isAlias": false, "description": ""}
}
