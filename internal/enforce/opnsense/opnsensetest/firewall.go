// Package opnsensetest is a small OPNsense: the part of its REST API that
// concerns aliases, with the product's rules and its faults, as recorded from
// the real controllers (testdata/transcripts.jsonl, replayed by this package's
// test). Tests and the demo talk to it in process or over loopback.
//
// It must not be kinder than the product: what was not recorded is answered with
// 501, and nothing here may be reachable from a configuration by accident.
package opnsensetest

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest/model"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest/pf"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest/system"
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
	Dashboard   = "page-system-login-logout"
	Firmware    = "page-system-firmware-manualupdate"
	ReadOnly    = "user-config-readonly"
	All         = "page-all"
)

// DefaultVersion is the release that a Firewall is, unless its Options say otherwise.
const DefaultVersion = "26.7.2"

// Options are what a Firewall is made of.
type Options struct {
	Version    string      // 25.1 to 26.7.x; DefaultVersion if empty
	Interfaces []Interface // wan, lan and opt1 if empty
	Aliases    []Alias     // one External alias called AliasName if empty
	Rules      []Rule      // besides those that a new firewall has
	Users      []User      // one with Key, Secret, Tables and ShowStates if empty
	TableLimit int         // entries of all tables together; a million if zero
	Fresh      bool        // nothing was applied yet: pf has no table and no rule
	Expired    bool        // the certificate of ListenTLS has ended

	Latency bool          // answer as slowly as was recorded, one call at a time
	PerCall time.Duration // what each call takes under the lock, in place of what was recorded

	// Fetch is how url tables get their lists; without it they keep what they have.
	Fetch http.RoundTripper

	// OnAdd is called for each entry that an API call put into a table, one at a
	// time and before the call is answered.
	OnAdd func(alias string, p netip.Prefix)
}

// What a firewall is configured with, and what pf holds; see their packages.
type (
	Alias     = model.Alias
	Rule      = model.Rule
	Interface = model.Interface
	State     = pf.State
	Verdict   = pf.Verdict
)

// A User is somebody with an API key.
type User struct {
	Name, Key, Secret string
	Privileges        []string
	Disabled          bool
	From              []netip.Prefix // the source networks of the group; anywhere if empty
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

	mu     sync.Mutex // guards what follows
	sys    *system.System
	log    []Request
	fault  Fault
	faults int // how many calls it is still for; negative for all
	slow   time.Duration

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
	if len(o.Interfaces) == 0 {
		o.Interfaces = model.Interfaces()
	}
	if o.Version == "" {
		o.Version = DefaultVersion
	}
	if o.TableLimit == 0 {
		o.TableLimit = 1_000_000
	}
	o.Users = slices.Clone(o.Users)
	f := &Firewall{o: o, lock: make(chan struct{}, 1)}
	f.sys = system.New(model.Config{Version: model.Version(o.Version), Interfaces: o.Interfaces}, o.TableLimit)
	f.sys.Fetch = o.Fetch
	for _, name := range []string{"virusprot", "sshlockout", "bogons", "bogonsv6"} {
		f.AddAlias(Alias{Name: name, Type: "internal"})
	}
	for _, i := range o.Interfaces {
		f.AddAlias(Alias{Name: "__" + i.Key + "_network", Type: "internal"})
	}
	for _, a := range o.Aliases {
		f.AddAlias(a)
	}
	for _, r := range append(model.LegacyRules(), o.Rules...) {
		f.AddRule(r)
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
