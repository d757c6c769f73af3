// Package opnsensetest is a small OPNsense: the part of its REST API that
// concerns aliases, with the product's rules and its faults, as recorded from
// the real controllers (testdata/transcripts.jsonl, replayed by this package's
// test). Tests and the demo talk to it in process or over loopback.
//
// It must not be kinder than the product: what was not recorded is answered with
// 501, and nothing here may be reachable from a configuration by accident.
package opnsensetest

import (
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/edgeban/edgeban/internal/config"
)

// What a Firewall has unless its Options say otherwise.
const (
	AliasName = "fail2ban_blocklist"
	Key       = "w86XNZob/8Oq8aC5r0kbNarNtdpoQU781fyoeaOBQsBwkXUt"
	Secret    = "XeD26XVrJ5ilAc/EmglCRC+0j2e57tRsjHwFepOseySWLM53"
)

// InProcess is the URL under which Client reaches a Firewall that listens nowhere.
const InProcess = "https://opnsense.invalid"

// Privileges, by their names in the firewall's configuration.
const (
	Tables      = "page-diagnostics-tables"
	ShowStates  = "page-diagnostics-showstates"
	AliasEdit   = "page-firewall-alias-edit"
	AliasView   = "page-firewall-aliases"
	FilterAPI   = "page-filter-api"
	SystemState = "page-system-status"
	ReadOnly    = "user-config-readonly"
	All         = "page-all"
)

// Options are what a Firewall is made of.
type Options struct {
	Aliases []Alias // one External alias called AliasName if empty
	Users   []User  // one with Key, Secret, Tables and ShowStates if empty
	Fresh   bool    // nothing was applied yet: pf has no table
	Latency bool    // answer as slowly as was recorded, one call at a time
	Expired bool    // the certificate of ListenTLS has ended

	// OnAdd is called for each entry that an API call put into a table, one at a
	// time and before the call is answered.
	OnAdd func(alias string, p netip.Prefix)
}

// An Alias is one alias of the firewall's configuration.
type Alias struct {
	Name     string
	Type     string   // external, host, network, port, urltable; external if empty
	UUID     string   // made up if empty
	Content  []string // what the configuration lists
	Fetched  []string // what a urltable last fetched
	Disabled bool
}

// A User is somebody with an API key.
type User struct {
	Name, Key, Secret string
	Privileges        []string
	Disabled          bool
}

// A Request is one call as the firewall saw it.
type Request struct {
	Time         time.Time
	Method, Path string
	User         string // empty before authentication
	Body         string
	Status       int      // 0 for none: the connection was cut
	Pfctl        []string // the commands that it ran, with their exit status
	Wrote        bool     // config.xml was written, with a copy into the history
}

// A Firewall is a fake OPNsense. It is safe for use by many goroutines. In a
// synctest bubble it must be made inside the bubble.
type Firewall struct {
	o Options

	// The product's lock on config.xml, which serialises all calls. It is a
	// channel because a bubble's clock stands still while a mutex is waited for.
	lock chan struct{}

	mu      sync.Mutex // guards what follows
	aliases map[string]*Alias
	tables  map[string]table
	states  []State
	log     []Request
	fault   Fault
	faults  int // how many calls it is still for; negative for all
	slow    time.Duration

	open listeners
}

// New returns a Firewall that has just booted.
func New(o Options) *Firewall {
	if len(o.Aliases) == 0 {
		o.Aliases = []Alias{{Name: AliasName}}
	}
	if len(o.Users) == 0 {
		o.Users = []User{{Name: "edgeban", Key: Key, Secret: Secret, Privileges: []string{Tables, ShowStates}}}
	}
	f := &Firewall{o: o, lock: make(chan struct{}, 1), aliases: map[string]*Alias{}, tables: map[string]table{}}
	for _, name := range []string{"virusprot", "sshlockout", "bogons", "bogonsv6", "__wan_network", "__lan_network", "__opt1_network"} {
		f.AddAlias(Alias{Name: name, Type: "internal"})
	}
	f.aliases["virusprot"].Type = "external"
	for _, a := range o.Aliases {
		f.AddAlias(a)
	}
	if !o.Fresh {
		f.Reconfigure()
	}
	return f
}

// Config returns the settings of a client that reaches f by its Client.
func (f *Firewall) Config() config.OPNsense {
	return config.OPNsense{
		URL: InProcess, Key: config.NewSecret(f.o.Users[0].Key), Secret: config.NewSecret(f.o.Users[0].Secret),
		Alias: f.o.Aliases[0].Name, Timeout: 30 * time.Second,
	}
}

// AddAlias saves an alias; its table appears with Reconfigure or the first add.
func (f *Firewall) AddAlias(a Alias) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if a.Type == "" {
		a.Type = "external"
	}
	if a.UUID == "" {
		a.UUID = fmt.Sprintf("edb00000-0000-4000-8000-%012d", len(f.aliases))
	}
	a.Content = slices.Clone(a.Content)
	f.aliases[a.Name] = &a
}

// RemoveAlias deletes an alias and its table.
func (f *Firewall) RemoveAlias(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.aliases, name)
	delete(f.tables, name)
}

// Reconfigure does what the Apply button does: every enabled alias gets its
// table, and all but external ones get their content. External entries stay.
func (f *Firewall) Reconfigure() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reconfigure()
}

func (f *Firewall) reconfigure() {
	for _, a := range f.aliases {
		if a.Disabled || a.Type == "port" {
			continue
		}
		if f.tables[a.Name] == nil {
			f.tables[a.Name] = table{}
		}
		f.load(a)
	}
}

func (f *Firewall) load(a *Alias) {
	from := a.Content
	switch a.Type {
	case "urltable":
		from = a.Fetched
	case "host", "network":
	default:
		return
	}
	t := table{}
	for _, item := range from {
		t.add(item)
	}
	f.tables[a.Name] = t
}

// Refresh does what the firewall's cron job does each minute: host and network
// tables get back what the configuration says, url tables and external ones are
// left alone.
func (f *Firewall) Refresh() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.aliases {
		if !a.Disabled && (a.Type == "host" || a.Type == "network") {
			f.load(a)
		}
	}
}

// Reboot empties pf and restores what a boot restores: external tables are
// there, and empty. What else was not declared is gone.
func (f *Firewall) Reboot() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.tables)
	f.reconfigure()
}

// Insert puts entries into an alias as another administrator would. Anything
// that pf would not show as it is (a name, a range) is shown as given.
func (f *Firewall) Insert(alias string, items ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tables[alias] == nil {
		f.tables[alias] = table{}
	}
	a := f.aliases[alias]
	for _, item := range items {
		if !f.tables[alias].add(item) {
			f.tables[alias][item] = netip.Prefix{}
		}
		if a != nil && (a.Type == "host" || a.Type == "network") {
			a.Content = append(a.Content, item)
		}
	}
}

// Remove takes entries out of an alias as another administrator would.
func (f *Firewall) Remove(alias string, items ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, item := range items {
		delete(f.tables[alias], item)
		if a := f.aliases[alias]; a != nil {
			a.Content = slices.DeleteFunc(a.Content, func(s string) bool { return s == item })
		}
	}
}

// SetContent replaces what the configuration lists for an alias, without applying it.
func (f *Firewall) SetContent(alias string, items ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.aliases[alias].Content = slices.Clone(items)
}

// Content returns what the configuration lists for an alias.
func (f *Firewall) Content(alias string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.aliases[alias].Content)
}

// Entries returns the addresses and networks that pf holds for an alias, sorted.
func (f *Firewall) Entries(alias string) []netip.Prefix {
	f.mu.Lock()
	defer f.mu.Unlock()
	var ps []netip.Prefix
	for text, p := range f.tables[alias] {
		if p.IsValid() && !strings.HasPrefix(text, "!") {
			ps = append(ps, p)
		}
	}
	slices.SortFunc(ps, netip.Prefix.Compare)
	return ps
}

// Table returns pf's table as pf spells it, sorted as text; nil if there is none.
func (f *Firewall) Table(alias string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tables[alias] == nil {
		return nil
	}
	return slices.AppendSeq([]string{}, slices.Values(slices.Sorted(maps.Keys(f.tables[alias]))))
}

// Requests returns every call so far, oldest first.
func (f *Firewall) Requests() []Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.log)
}

// Count returns how many calls there were whose path holds part.
func (f *Firewall) Count(part string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, r := range f.log {
		if strings.Contains(r.Path, part) {
			n++
		}
	}
	return n
}

// ConfigWrites returns how often the API wrote config.xml: each time pushes an
// older copy out of the history.
func (f *Firewall) ConfigWrites() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, r := range f.log {
		if r.Wrote {
			n++
		}
	}
	return n
}

var _ http.Handler = (*Firewall)(nil)
