// Package opnsense holds bans in an alias of an OPNsense firewall, over its REST
// API. It names no other alias than the one it was given and sends nothing but
// canonical addresses: the key that it holds may do much more.
//
// What the firewall answers to an add means that it was accepted, not that it
// was done. Only the list proves what is held.
package opnsense

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/api"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/pf"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/states"
)

// An Alias is one alias of one firewall. It is safe for use by many goroutines.
type Alias struct {
	Log *slog.Logger // told once what a person may want to know; set before the first call, nil for silence

	name    string
	api     *api.Client
	c       config.OPNsense // as configured
	breaker states.Breaker
	looks   *api.Client // reads the filter rules for Check and Blocking

	mu         sync.Mutex // guards what follows
	kind       string     // of the alias; empty while unknown
	asked      time.Time  // when the kind was asked for
	hidden     bool       // the key may not read the kind
	networks   bool       // a network was accepted once, so this is no host alias
	muted      bool       // the key may not end connections
	trusted    string     // pin of a certificate that was not verified
	unreadable int        // entries of the last list that are no addresses

	listed   []netip.Prefix             // the last list, sorted
	packets  []enforce.Count            // what that said of packets, sorted
	listedAt time.Time                  // when that was asked for
	changed  map[netip.Prefix]change    // what we did since
	gone     map[netip.Prefix]time.Time // when we removed what a refresh may bring back
}

var (
	_ enforce.Prober  = (*Alias)(nil)
	_ enforce.Asker   = (*Alias)(nil)
	_ enforce.Breaker = (*Alias)(nil)
	_ enforce.Counter = (*Alias)(nil)
)

// The product's rule for names; it also keeps a name from being another path.
var aliasName = regexp.MustCompile(`^(_?[A-Za-z][A-Za-z0-9_]*)$`)

// New returns the alias that c describes. It asks the firewall nothing.
func New(c config.OPNsense) (*Alias, error) {
	var a *Alias
	t, err := api.NewTransport(c, func(pin string) { a.unverified(pin) })
	if err != nil {
		return nil, fmt.Errorf("opnsense: %w", err)
	}
	a, err = NewWithTransport(c, t)
	return a, err
}

// unverified says, once for each certificate, that nobody vouches for it.
func (a *Alias) unverified(pin string) {
	a.mu.Lock()
	news := a.trusted != pin
	a.trusted = pin
	a.mu.Unlock()
	if news {
		a.Log.Warn("certificate not verified (allow_insecure): whoever answers gets the key; better write the pin", "url", a.api.Base(), "pin", pin)
	}
}

// NewWithTransport is New over another transport, which takes the place of c's
// pin and CA.
func NewWithTransport(c config.OPNsense, rt http.RoundTripper) (*Alias, error) {
	if c.Timeout <= 0 {
		c.Timeout = 30 * time.Second
	}
	client, err := api.New(c, rt)
	if err != nil {
		return nil, fmt.Errorf("opnsense: %w", err)
	}
	if !aliasName.MatchString(c.Alias) || len(c.Alias) > 31 {
		return nil, fmt.Errorf("opnsense: alias %q: write the name of an alias: a letter, then letters, digits and _, 31 at most", c.Alias)
	}
	return &Alias{
		Log: slog.New(slog.DiscardHandler), name: c.Alias, api: client, c: c, looks: client, breaker: states.Breaker{Post: client.Post},
		changed: map[netip.Prefix]change{}, gone: map[netip.Prefix]time.Time{},
	}, nil
}

// Fits reports whether the alias can hold p as it is. An alias of type Host(s)
// holds single addresses only; that becomes known when the firewall says so, by
// its answer to a question or by refusing the first network.
func (a *Alias) Fits(p netip.Prefix) bool { return a.misfit(p) == nil }

// unfit is why a prefix is not sent. It says nothing about the others.
type unfit string

func (u unfit) Error() string { return string(u) }

const hostsOnly = unfit("an alias of type Host(s) holds no networks; make it External (advanced), or ban single addresses")

func (a *Alias) misfit(p netip.Prefix) error {
	switch {
	case !p.IsValid() || p != p.Masked() || p.Addr().Is4In6():
		return unfit("not a canonical network")
	case p.Bits() == 0:
		return unfit("everything is never banned")
	case p.Addr().Is6() && p.Addr().As16()[0] == 0 && p.Addr().As16()[1] == 0:
		// A network alias makes ::/32 of an address that starts with a colon, and
		// the firewall spells ::192.0.2.1 unlike we do. Nobody attacks from there.
		return unfit("not an address of the Internet")
	case !p.IsSingleIP() && a.Kind() == Host:
		return hostsOnly
	}
	return nil
}

// Held lists the alias. Entries that are no addresses, such as negations, are
// counted (see Notes) and left out; so are IPv4-mapped ones, which never match
// any IPv4 packet.
func (a *Alias) Held(ctx context.Context) ([]netip.Prefix, error) {
	if err := a.learn(ctx); err != nil {
		return nil, err
	}
	held, err := a.list(ctx)
	if err != nil {
		return nil, err
	}
	if len(held) == 0 {
		return nil, a.exists(ctx)
	}
	return a.heal(ctx, held)
}

func (a *Alias) list(ctx context.Context) ([]netip.Prefix, error) {
	asked := time.Now()
	l, err := a.rows(ctx, map[string]any{"current": 1, "rowCount": -1})
	if err != nil {
		return nil, err
	}
	n := l.Rows - len(l.Entries)
	l.Sort()
	counts := make([]enforce.Count, 0, len(l.Drops))
	for _, d := range l.Drops {
		counts = append(counts, enforce.Count(d))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.changed, func(_ netip.Prefix, c change) bool { return c.at.Before(asked) }) // others while the list was under way
	a.unreadable, a.packets = n, counts
	a.listed, a.listedAt = l.Entries, asked
	return a.listed, nil
}

// rows lists what ask asks for.
func (a *Alias) rows(ctx context.Context, ask map[string]any) (l pf.Listing, err error) {
	var answer struct {
		Total *int
		Rows  pf.Listing
	}
	if err := a.api.Post(ctx, "firewall/alias_util/list/"+a.name, ask, &answer); err != nil {
		return l, err
	}
	switch l = answer.Rows; {
	case answer.Total == nil:
		return l, edgeban.Permanent(fmt.Errorf("%s: the list of alias %s has no total: what is at this url is not an OPNsense API", a.api.Base(), a.name))
	case *answer.Total != l.Rows:
		return l, fmt.Errorf("%s: alias %s has %d entries, and %d were listed", a.api.Base(), a.name, *answer.Total, l.Rows)
	}
	return l, nil
}

// Packets implements enforce.Counter. An alias whose counters are off has none.
func (a *Alias) Packets() []enforce.Count {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.packets
}

// Holds implements enforce.Asker. An address is looked up in the firewall's tables;
// a network cannot be, and is searched for in the list.
func (a *Alias) Holds(ctx context.Context, p netip.Prefix) (held, known bool, err error) {
	if p.IsSingleIP() {
		var tables struct {
			Status  string
			Matches []string
		}
		err := a.api.Post(ctx, "firewall/alias_util/find_references", map[string]string{"ip": p.Addr().String()}, &tables)
		return slices.Contains(tables.Matches, a.name), err == nil && tables.Status == "ok", err
	}
	l, err := a.rows(ctx, map[string]any{"current": 1, "rowCount": -1, "searchPhrase": spell(p)})
	return slices.Contains(l.Entries, p), err == nil, err
}

// spell writes p as the firewall does: it deletes by comparing the text.
func spell(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// exists tells an empty alias from none: the firewall lists both alike.
func (a *Alias) exists(ctx context.Context) error {
	var tables []string
	if err := a.api.Get(ctx, "firewall/alias_util/aliases", &tables); err != nil {
		return err
	}
	if slices.Contains(tables, a.name) {
		return nil
	}
	return a.missing()
}

func (a *Alias) missing() error {
	return edgeban.Permanent(fmt.Errorf("%s: there is no alias %s in force; in Firewall > Aliases make one of that name, type External (advanced), press Apply, and block what comes from it by a rule", a.api.Base(), a.name))
}

// Apply sends the additions of d in their order, then its removals. It stops early
// when nothing more can succeed.
func (a *Alias) Apply(ctx context.Context, d enforce.Diff) error {
	if len(d.Add)+len(d.Remove) == 0 {
		return nil
	}
	if err := a.learn(ctx); err != nil {
		return err
	}
	adds, err := a.unlisted(ctx, d.Add)
	if err != nil {
		return err
	}
	addErr := each(ctx, "adds", adds, a.add)
	if api.Final(addErr) {
		return addErr
	}
	removeErr := each(ctx, "removals", d.Remove, a.remove)
	if api.Final(removeErr) {
		return join(addErr, removeErr)
	}
	return join(addErr, removeErr)
}

func join(a, b error) error {
	if a == nil || b == nil {
		return errors.Join(a, b)
	}
	return fmt.Errorf("%w; %w", a, b)
}

// fresh is how old a list may be that an add relies on.
const fresh = 5 * time.Second

// unlisted leaves out what the alias has. An alias with content in config.xml
// takes its first entry a second time, and gives up only one when told to
// delete it; whether this is such an alias is not always known.
func (a *Alias) unlisted(ctx context.Context, ps []netip.Prefix) ([]netip.Prefix, error) {
	if len(ps) == 0 || a.Kind() == External {
		return ps, nil
	}
	a.mu.Lock()
	old := time.Since(a.listedAt) > fresh
	a.mu.Unlock()
	if old {
		if _, err := a.list(ctx); err != nil {
			return nil, err
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []netip.Prefix
	for _, p := range ps {
		if !a.lists(p) {
			out = append(out, p)
		}
		delete(a.gone, p)
	}
	return out, nil
}

// A change is that we added an entry or removed it.
type change struct {
	at    time.Time
	there bool
}

// lists reports whether the alias has p, as far as is known. The caller holds the
// lock.
func (a *Alias) lists(p netip.Prefix) bool {
	if c, ok := a.changed[p]; ok {
		return c.there
	}
	_, listed := slices.BinarySearchFunc(a.listed, p, netip.Prefix.Compare)
	return listed
}

func (a *Alias) add(ctx context.Context, p netip.Prefix) error {
	if err := a.misfit(p); err != nil {
		return fmt.Errorf("%s was not sent: %w", p, err)
	}
	err := a.sendAdd(ctx, p)
	if api.RefusedWith(err) == http.StatusInternalServerError && !p.IsSingleIP() {
		err = a.suspect(ctx, p, err)
	}
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.changed[p] = change{time.Now(), true}
	a.networks = a.networks || !p.IsSingleIP()
	return nil
}

func (a *Alias) sendAdd(ctx context.Context, p netip.Prefix) error {
	var answer struct {
		Status string
		Msg    string `json:"status_msg"`
	}
	if err := a.api.Post(ctx, "firewall/alias_util/add/"+a.name, map[string]string{"address": spell(p)}, &answer); err != nil {
		return err
	}
	switch {
	case answer.Status == "done":
		return nil
	case answer.Status == "failed" && strings.HasPrefix(answer.Msg, "nonexistent alias"):
		return a.missing()
	case answer.Status == "failed" && answer.Msg == "":
		return edgeban.Permanent(fmt.Errorf("%s: add to alias %s: the call did not arrive whole; a proxy between here and the firewall changes it", a.api.Base(), a.name))
	}
	return fmt.Errorf("%s: add %s to alias %s: %s %s", a.api.Base(), p, a.name, a.api.Clean(answer.Status), a.api.Clean(answer.Msg))
}

// remove deletes p. The answer says "done" whatever happened.
func (a *Alias) remove(ctx context.Context, p netip.Prefix) error {
	if !p.IsValid() || p.Addr().Is4In6() {
		return fmt.Errorf("%s was not deleted: %w", p, unfit("not a canonical network"))
	}
	times := 1
	if a.Kind() != External {
		times = 2 // there may be two copies of it; with one, the second call changes nothing
	}
	for range times {
		var answer struct{ Status string }
		if err := a.api.Post(ctx, "firewall/alias_util/delete/"+a.name, map[string]string{"address": spell(p.Masked())}, &answer); err != nil {
			return err
		}
		if answer.Status != "done" {
			return fmt.Errorf("%s: delete %s from alias %s: %s", a.api.Base(), p, a.name, a.api.Clean(answer.Status))
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.changed[p.Masked()] = change{time.Now(), false}
	if times > 1 {
		a.gone[p.Masked()] = time.Now()
	}
	return nil
}

// lingers is how long after a removal a copy left in config.xml may be seen to
// come back: the firewall refills its tables each minute, and each minute we
// look. Later, or after an add of ours, it is somebody else's entry.
const lingers = 150 * time.Second

// heal removes again what we removed and a refresh brought back, and returns
// the rest of what is held.
func (a *Alias) heal(ctx context.Context, held []netip.Prefix) ([]netip.Prefix, error) {
	a.mu.Lock()
	var back []netip.Prefix
	for p, removed := range a.gone {
		if time.Since(removed) > lingers {
			delete(a.gone, p)
		} else if _, found := slices.BinarySearchFunc(held, p, netip.Prefix.Compare); found {
			back = append(back, p)
		}
	}
	a.mu.Unlock()
	for _, p := range back {
		if err := a.remove(ctx, p); err != nil {
			return nil, err
		}
	}
	if len(back) == 0 {
		return held, nil
	}
	slices.SortFunc(back, netip.Prefix.Compare)
	return slices.DeleteFunc(slices.Clone(held), func(p netip.Prefix) bool {
		_, gone := slices.BinarySearchFunc(back, p, netip.Prefix.Compare)
		return gone
	}), nil
}
