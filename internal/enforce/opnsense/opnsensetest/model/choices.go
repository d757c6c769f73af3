package model

import (
	"slices"
	"strings"
)

// option is one choice of a field as get_item lists them.
func option(name string, selected bool) map[string]any {
	return map[string]any{"value": name, "selected": map[bool]int{true: 1, false: 0}[selected]}
}

// Choices are the fields of an alias whose dialog offers something to choose
// from, with every choice. Of authtype the words were not recorded.
func (c *Config) Choices(a *Alias) map[string]any {
	types, protos, auth := map[string]any{}, map[string]any{}, map[string]any{"": option("None", a.AuthType == "")}
	interfaces := map[string]any{"": option("None", a.On == "")}
	for word, name := range Types(c.Version) {
		types[word] = option(name, word == a.Type)
	}
	for _, word := range []string{"IPv4", "IPv6"} {
		protos[word] = option(word, slices.Contains(strings.Split(a.Proto, ","), word))
	}
	for _, word := range []string{"Basic", "Bearer", "Header"} {
		auth[word] = option(word, word == a.AuthType)
	}
	for _, i := range c.Interfaces {
		interfaces[i.Key] = option(i.Name, i.Key == a.On)
	}
	content := map[string]any{"": option("", len(a.Content) == 0)}
	for _, other := range c.Aliases {
		content[other.Name] = map[string]any{"selected": 0, "value": other.Name, "description": other.Description}
	}
	for _, line := range a.Content {
		content[line] = option(line, true)
	}
	return map[string]any{"type": types, "proto": protos, "interface": interfaces, "content": content, "authtype": auth}
}

// InterfaceList is what a rule may be of, as the API lists it.
func (c *Config) InterfaceList() map[string]any {
	type object = map[string]any
	items := []any{}
	byName := func(a, b Interface) int { return strings.Compare(a.Name, b.Name) }
	for _, i := range slices.SortedFunc(slices.Values(c.Interfaces), byName) {
		items = append(items, object{"value": i.Key, "label": i.Name, "type": "interface"})
	}
	return object{
		"floating": object{"label": "Floating", "icon": "fa fa-layer-group fa-fw text-primary", "items": []any{
			object{"value": "__floating", "label": "Floating", "type": "floating"},
		}},
		"groups":     object{"label": "Groups", "icon": "fa fa-sitemap fa-fw text-warning", "items": []any{}},
		"interfaces": object{"label": "Interfaces", "icon": "fa fa-ethernet fa-fw text-info", "items": items},
		"any":        object{"label": "Any", "icon": "fa fa-globe-europe fa-fw", "items": []any{object{"value": "__any", "label": "All rules", "type": "any"}}},
	}
}
