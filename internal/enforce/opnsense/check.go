package opnsense

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/api"
)

var _ edgeban.Checker = (*Alias)(nil)

// The links from here to the firewall, those that others depend on first.
const (
	linkAddress     = "address"
	linkCertificate = "certificate"
	linkClock       = "clock"
	linkKey         = "key"
	linkTables      = "privilege for bans"
	linkView        = "privilege to look"
	linkStates      = "privilege for states"
	linkAlias       = "alias"
	linkType        = "alias type"
	linkTable       = "table"
	linkRoom        = "room"
	linkWrite       = "privilege to write"
	linkCanary      = "canary"
)

// LookWith lets another key than the target's own read the filter rules, which is a
// privilege that the own key should not have. Empty ones change nothing.
func (a *Alias) LookWith(key, secret config.Secret) {
	if key.Empty() || secret.Empty() {
		return
	}
	a.looks = a.api.WithKey(key, secret)
}

// Check looks at every link from here to a rule that blocks what the alias holds. A
// documentation address is added, and removed again.
func (a *Alias) Check(ctx context.Context) []edgeban.Finding {
	c := &checkup{a: a}
	defer a.api.CloseIdle() // the firewall has few, and there may be nothing more to ask
	if why := c.reach(ctx); why != "" {
		c.untried(why, linkTables, linkAlias, linkCanary, linkRule)
		return c.found
	}
	bans := c.privileges(ctx)
	there := c.alias()
	switch {
	case !bans:
		c.untried("the key may not", linkTable, linkCanary)
	case !there:
		c.untried("there is no such alias to use", linkTable, linkCanary)
	default:
		there = c.table(ctx)
	}
	if there {
		c.rules(ctx)
	} else {
		c.untried("there is no alias in force that a rule could use", linkRule)
	}
	return c.found
}

// A checkup is what was found so far.
type checkup struct {
	a      *Alias
	tables []string      // of pf
	sizes  api.TableSize // zero if the key may not read it
	item   *api.Item     // nil if the key may not read it
	found  []edgeban.Finding
}

func (c *checkup) add(g edgeban.Grade, link, evidence, fix string) {
	c.found = append(c.found, edgeban.Finding{Link: link, Grade: g, Evidence: evidence, Fix: fix})
}

func (c *checkup) good(link, format string, args ...any) {
	c.add(edgeban.Good, link, fmt.Sprintf(format, args...), "")
}

func (c *checkup) untried(why string, links ...string) {
	for _, l := range links {
		c.add(edgeban.Untried, l, why, "")
	}
}

// unexpected files an error that no link expects.
func (c *checkup) unexpected(link string, err error) {
	c.add(edgeban.Broken, link, err.Error(), "ask again; if it stays, System > Log Files > General on the firewall says why")
}

// reach makes the call that every key may make, and returns why nothing more can be
// found out, or "".
func (c *checkup) reach(ctx context.Context) string {
	client := c.a.api
	before := time.Now()
	status, header, body, err := client.Send(ctx, http.MethodGet, "core/menu/search?q=edgeban", nil)
	took := time.Since(before)
	if err == nil {
		err = client.Judge("core/menu/search", status, header, body)
	}
	if err == nil {
		var menu []any
		err = client.Decode(body, &menu)
	}
	if why := c.unreached(err, status, header); why != "" {
		return why
	}
	c.good(linkAddress, "%s answers in %s", client.Base(), took.Round(time.Millisecond))
	c.certificate(ctx)
	c.clock(header, before.Add(took/2))
	if status == http.StatusUnauthorized {
		c.add(edgeban.Broken, linkKey, "the API key or its secret is not accepted (401)",
			"System > Access > Users: see that the key's user is enabled and has not expired, or make a new API key for it and put its file in the place of the old one")
		return "the key is not accepted"
	}
	if err != nil {
		c.unexpected(linkKey, err)
		return "the firewall does not answer as it should"
	}
	c.good(linkKey, "accepted")
	return ""
}

// unreached files what keeps every call from arriving, and returns it in a few words.
func (c *checkup) unreached(err error, status int, header http.Header) string {
	bad := func(link, evidence, fix, why string) string {
		c.add(edgeban.Broken, link, evidence, fix)
		return why
	}
	https := "https://" + strings.TrimPrefix(strings.TrimPrefix(c.a.api.Base(), "http://"), "https://")
	if e, ok := errors.AsType[*api.Untrusted](err); ok {
		return bad(linkCertificate, "nobody vouches for it: "+e.Why, "if it is your firewall's (System > Trust > Certificates shows its fingerprint), write pin: "+e.Got, "its certificate is not trusted")
	}
	if e, ok := errors.AsType[*api.PinMismatch](err); ok && e.Got != "" {
		return bad(linkCertificate, "it is not the pinned one, but "+e.Got, "if the firewall has a new one (System > Trust > Certificates shows its fingerprint), write pin: "+e.Got+"; if not, somebody stands in between", "its certificate is not the pinned one")
	}
	_, silent := errors.AsType[api.Unanswered](err)
	switch {
	case err == nil, status == http.StatusUnauthorized:
		return ""
	case status == http.StatusMovedPermanently || status == http.StatusPermanentRedirect:
		return bad(linkAddress, "it sends every call on to "+c.a.api.Clean(header.Get("Location")), "write url: "+https, "the url leads elsewhere")
	case status == http.StatusFound || status == http.StatusSeeOther || status == http.StatusTemporaryRedirect:
		return bad(linkAddress, fmt.Sprintf("it sends us to a login page (%d): the key did not arrive", status), "let the proxy in front of the firewall pass the Authorization header on, or write the firewall's own address as url:", "the key does not arrive")
	case status == http.StatusNotFound:
		return bad(linkAddress, "it has no such API (404)", "write the address of an OPNsense (24.1 or later) as url:", "there is no OPNsense API")
	case status == http.StatusBadRequest && c.a.api.Base() != https:
		return bad(linkAddress, "it does not take plain http there (400)", "write url: "+https, "the url is for plain http")
	case silent && errors.Is(err, context.DeadlineExceeded):
		return bad(linkAddress, "nothing answers at "+c.a.api.Base()+" within "+c.a.c.Timeout.String(), "let this host reach the firewall's GUI (System > Settings > Administration: listen interfaces; and a rule that allows it), or correct url:", "nothing answers")
	case silent:
		return bad(linkAddress, err.Error(), "correct url:, or let this host reach the firewall's GUI (System > Settings > Administration: listen interfaces and port)", "nothing answers")
	case status == 0:
		return bad(linkAddress, err.Error(), "write the address of the firewall's GUI as url:, with https:// if it speaks TLS and http:// if not", "there is no OPNsense API")
	case status == http.StatusOK:
		return bad(linkAddress, "what answers is no OPNsense API: "+err.Error(), "write the address of the firewall's GUI as url:", "there is no OPNsense API")
	}
	return ""
}

// soon is how long before its end a certificate that is verified is worth a word.
const soon = 14 * 24 * time.Hour

func (c *checkup) certificate(ctx context.Context) {
	o := c.a.c
	switch {
	case strings.HasPrefix(c.a.api.Base(), "http:"):
		c.add(edgeban.Warning, linkCertificate, "there is none: the key goes to the firewall in clear", "give the firewall's GUI a certificate (System > Settings > Administration), and write url: https://")
		return
	case o.Pin != "":
		c.good(linkCertificate, "it is the pinned one")
		return
	}
	pin, cert, err := api.Pin(ctx, o.URL)
	switch {
	case o.Insecure && err == nil:
		c.add(edgeban.Warning, linkCertificate, "it is not verified (allow_insecure): whoever stands in between gets the key",
			"in its place write pin: "+pin+" if System > Trust > Certificates on the firewall shows that fingerprint")
	case o.Insecure:
		c.add(edgeban.Warning, linkCertificate, "it is not verified (allow_insecure): whoever stands in between gets the key", "write a pin: or a ca: in its place")
	case err == nil && time.Until(cert.NotAfter) < soon:
		c.add(edgeban.Warning, linkCertificate, "it ends on "+cert.NotAfter.Format(time.DateOnly), "renew it: System > Trust > Certificates")
	case err == nil:
		c.good(linkCertificate, "verified, valid until %s", cert.NotAfter.Format(time.DateOnly))
	default:
		c.good(linkCertificate, "verified")
	}
}

// apart is how far two clocks may be before the times of lines, bans and the
// firewall's log cannot be compared any more.
const apart = time.Minute

func (c *checkup) clock(header http.Header, now time.Time) {
	theirs, err := http.ParseTime(header.Get("Date"))
	switch off := theirs.Sub(now).Round(time.Second); {
	case err != nil:
		c.untried("its answers have no date", linkClock)
	case off.Abs() > apart:
		side := "ahead of"
		if off < 0 {
			side = "behind"
		}
		c.add(edgeban.Warning, linkClock, fmt.Sprintf("the firewall's clock is %s %s this host's", off.Abs(), side), "let both ask a time server: on the firewall Services > Network Time, here ntp or chrony of the host")
	default:
		c.good(linkClock, "as this host's")
	}
}

// privileges asks whether the key may do what is needed, and reports whether it may
// ban.
func (c *checkup) privileges(ctx context.Context) (bans bool) {
	sources := "; if it has the privilege by a group, see that this host is in the group's source networks"
	lacks := func(name string) string {
		return fmt.Sprintf("System > Access > Users: give the key's user the privilege %q%s", name, sources)
	}
	err := c.a.api.Get(ctx, "firewall/alias_util/aliases", &c.tables)
	switch name := api.Privilege("firewall/alias_util/"); {
	case api.Denied(err):
		c.add(edgeban.Broken, linkTables, "the key may not add or remove addresses (403)", lacks(name))
	case err != nil:
		c.unexpected(linkTables, err)
	default:
		bans = true
		c.good(linkTables, "%s", name)
	}
	switch name := api.Privilege("firewall/alias/"); c.view(ctx) {
	case viewDenied:
		c.add(edgeban.Untried, linkView, "the key may not read aliases and their counters (403)", lacks(name)+", so that the links below can be looked at")
	case viewAllowed:
		c.good(linkView, "%s", name)
	}
	if !c.a.c.States {
		return bans
	}
	// Without a body nothing is killed: the answer only tells who may.
	var answer any
	switch err := c.a.api.Get(ctx, "diagnostics/firewall/kill_states", &answer); {
	case api.Denied(err):
		c.add(edgeban.Broken, linkStates, "the key may not end connections (403), and states: kill is configured", lacks(api.Privilege("diagnostics/")))
	case err != nil:
		c.unexpected(linkStates, err)
	default:
		c.good(linkStates, "%s", api.Privilege("diagnostics/"))
	}
	return bans
}

type view int

const (
	viewFailed view = iota
	viewDenied
	viewAllowed
)

// view reads what the alias is and how full the tables are.
func (c *checkup) view(ctx context.Context) view {
	item, err := c.a.api.Item(ctx, c.a.name)
	if err == nil {
		c.item = item
		if item == nil {
			c.item = &api.Item{}
		}
		c.sizes, err = c.a.api.TableSize(ctx)
	}
	switch {
	case api.Denied(err):
		return viewDenied
	case err != nil:
		c.unexpected(linkView, err)
		return viewFailed
	}
	return viewAllowed
}

// alias looks at what the alias is, and reports whether it can be used.
func (c *checkup) alias() bool {
	a := c.a
	setup := "edgeban setup opnsense makes it; or Firewall > Aliases by hand: name " + a.name + ", type External (advanced), then Apply"
	switch {
	case c.item == nil && slices.Contains(c.tables, a.name):
		c.good(linkAlias, "%s has a table in pf", a.name)
		return true
	case c.item == nil && c.tables != nil:
		c.add(edgeban.Broken, linkAlias, "there is no table called "+a.name, setup)
		return false
	case c.item == nil:
		c.untried("the key may not look", linkAlias)
		return false
	case c.item.Name == "" && !slices.Contains(c.tables, a.name):
		c.add(edgeban.Broken, linkAlias, "there is no alias called "+a.name, setup)
		return false
	case c.item.Name == "":
		c.good(linkAlias, "%s is built in", a.name)
		return true
	case !c.item.Enabled:
		c.add(edgeban.Broken, linkAlias, a.name+" is disabled", "edgeban setup opnsense enables it; or Firewall > Aliases: enable "+a.name+", then Apply")
		return false
	}
	c.good(linkAlias, "%s is there and enabled", a.name)
	switch c.item.Type {
	case External:
		c.good(linkType, "%s", c.item.TypeName)
	case Host, Network:
		c.add(edgeban.Warning, linkType, c.item.TypeName+": each ban rewrites the firewall's configuration and pushes an older copy out of its history", "edgeban setup opnsense --take-over makes it External (advanced), in place")
	default:
		c.add(edgeban.Broken, linkType, c.item.TypeName+" loses what is added to it", "write another name as alias:, and let edgeban setup opnsense make it")
		return false
	}
	return true
}

// table looks at pf's table, at its limit, and tries it. It reports whether there is one.
func (c *checkup) table(ctx context.Context) bool {
	a := c.a
	if !slices.Contains(c.tables, a.name) {
		c.add(edgeban.Broken, linkTable, "pf has no table of that name: the alias was not applied", "Firewall > Aliases: Apply; or edgeban setup opnsense --apply")
		c.untried("there is no table", linkCanary)
		return false
	}
	c.good(linkTable, "pf has it")
	switch s := c.sizes; {
	case s.Size == 0:
		c.untried("the key may not read how full the tables are", linkRoom)
	case s.Used >= s.Size*9/10:
		g, says := edgeban.Warning, "soon"
		if s.Used >= s.Size {
			g, says = edgeban.Broken, "now"
		}
		c.add(g, linkRoom, fmt.Sprintf("pf's tables hold %d of %d entries: additions get lost %s", s.Used, s.Size, says),
			"Firewall > Settings > Advanced: raise Firewall Maximum Table Entries, or make other aliases smaller")
	default:
		c.good(linkRoom, "pf's tables hold %d of %d entries", s.Used, s.Size)
	}
	if c.sizes.Size > 0 && c.sizes.Used >= c.sizes.Size {
		c.untried("there is no room for it", linkCanary)
		return true
	}
	c.canary(ctx)
	return true
}
