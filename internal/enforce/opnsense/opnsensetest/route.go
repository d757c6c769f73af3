package opnsensetest

import (
	"slices"
	"strings"
)

// An endpoint is one action of the API. Its name is the path without case and
// underscores: the router takes every spelling, the privileges only one.
type endpoint struct {
	params  int // how many it needs
	answer  func(*Firewall, *call) reply
	fetches bool // url tables are fetched before
}

func endpoints() map[string]endpoint {
	return map[string]endpoint{
		"firewall/aliasutil/add":               {1, (*Firewall).add, false},
		"firewall/aliasutil/delete":            {1, (*Firewall).delete, false},
		"firewall/aliasutil/flush":             {1, (*Firewall).flush, false},
		"firewall/aliasutil/list":              {1, (*Firewall).list, false},
		"firewall/aliasutil/aliases":           {0, (*Firewall).tableNames, false},
		"firewall/aliasutil/findreferences":    {0, (*Firewall).findReferences, false},
		"firewall/aliasutil/updatebogons":      {0, unmodelled, false},
		"firewall/alias/additem":               {0, (*Firewall).addAlias, false},
		"firewall/alias/setitem":               {1, (*Firewall).setAlias, false},
		"firewall/alias/delitem":               {1, (*Firewall).delAlias, false},
		"firewall/alias/toggleitem":            {1, (*Firewall).toggleAlias, false},
		"firewall/alias/getitem":               {0, (*Firewall).aliasItem, false},
		"firewall/alias/searchitem":            {0, (*Firewall).searchAlias, false},
		"firewall/alias/getaliasuuid":          {1, (*Firewall).aliasUUID, false},
		"firewall/alias/gettablesize":          {0, (*Firewall).tableSize, false},
		"firewall/alias/export":                {0, (*Firewall).exportAliases, false},
		"firewall/alias/import":                {0, (*Firewall).importAliases, false},
		"firewall/alias/reconfigure":           {0, (*Firewall).reconfigureAliases, true},
		"firewall/alias/get":                   {0, unmodelled, false},
		"firewall/alias/listnetworkaliases":    {0, unmodelled, false},
		"firewall/filter/addrule":              {0, (*Firewall).addRule, false},
		"firewall/filter/setrule":              {1, (*Firewall).setRule, false},
		"firewall/filter/delrule":              {1, (*Firewall).delRule, false},
		"firewall/filter/togglerule":           {1, (*Firewall).toggleRule, false},
		"firewall/filter/searchrule":           {0, (*Firewall).searchRule, false},
		"firewall/filter/getrule":              {0, unmodelled, false},
		"firewall/filter/getinterfacelist":     {0, (*Firewall).interfaceList, false},
		"firewall/filter/apply":                {0, (*Firewall).applyRules, false},
		"firewall/filter/savepoint":            {0, unmodelled, false},
		"firewall/filterutil/rulestats":        {0, unmodelled, false},
		"diagnostics/firewall/killstates":      {0, (*Firewall).killStates, false},
		"diagnostics/firewall/delstate":        {2, (*Firewall).delState, false},
		"diagnostics/firewall/querystates":     {0, (*Firewall).queryStates, false},
		"diagnostics/firewall/pfstates":        {0, (*Firewall).countStates, false},
		"diagnostics/firewall/flushstates":     {0, unmodelled, false},
		"diagnostics/firewall/log":             {0, unmodelled, false},
		"diagnostics/system/systeminformation": {0, (*Firewall).systemInformation, false},
		"core/system/status":                   {0, (*Firewall).systemStatus, false},
		"core/firmware/status":                 {0, (*Firewall).firmwareStatus, false},
		"core/menu/search":                     {0, func(*Firewall, *call) reply { return ok([]any{}) }, false},
	}
}

// exists reports whether this release has the endpoint.
func (f *Firewall) exists(name string) bool {
	switch name {
	case "firewall/filter/savepoint", "firewall/aliasutil/updatebogons":
		return !f.sys.Conf.Version.Since(26, 7)
	}
	return true
}

func unmodelled(*Firewall, *call) reply {
	return reply{status: 501, body: map[string]any{"errorMessage": "opnsensetest does not know how this is answered"}, kind: thrown}
}

// route finds the endpoint of a path and its parameters. Path elements are not
// decoded.
func (f *Firewall) route(path string) (e endpoint, params []string, controller, found bool) {
	parts := strings.Split(strings.TrimPrefix(path, "/api/"), "/")
	if !strings.HasPrefix(path, "/api/") || len(parts) < 3 {
		return endpoint{}, nil, false, false
	}
	name := strings.ToLower(strings.ReplaceAll(strings.Join(parts[:3], "/"), "_", ""))
	all := endpoints()
	for known := range all {
		controller = controller || strings.HasPrefix(known, name[:strings.LastIndex(name, "/")+1])
	}
	e, found = all[name]
	return e, parts[3:], controller, found && f.exists(name) && len(parts)-3 >= e.params
}

// patterns are the url patterns of a privilege, without their final star.
func patterns(privilege string) []string {
	switch privilege {
	case Tables:
		return []string{"/api/firewall/alias_util/"}
	case ShowStates:
		return []string{"/api/diagnostics/firewall/query_states", "/api/diagnostics/firewall/del_state", "/api/diagnostics/firewall/kill_states", "/api/diagnostics/firewall/flush_"}
	case AliasEdit:
		return []string{"/api/firewall/alias/"}
	case AliasView:
		return []string{"/api/firewall/alias/export", "/api/firewall/alias/get", "/api/firewall/alias/search", "/api/firewall/alias/list"}
	case FilterAPI:
		return []string{"/api/firewall/filter/"}
	case SystemState:
		return []string{"/api/core/system/status"}
	case Dashboard:
		return []string{"/api/diagnostics/system/system_information", "/api/diagnostics/firewall/pf_states"}
	case Firmware:
		return []string{"/api/core/firmware/"}
	case All:
		return []string{"/"}
	}
	return nil
}

func (u *User) may(path string) bool {
	if strings.HasPrefix(path, "/api/core/menu/") {
		return true
	}
	return slices.ContainsFunc(u.Privileges, func(privilege string) bool {
		return slices.ContainsFunc(patterns(privilege), func(p string) bool { return strings.HasPrefix(path, p) })
	})
}
