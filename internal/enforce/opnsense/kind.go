package opnsense

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/api"
)

// The types of alias that can hold bans, as the firewall calls them.
const (
	External = "external" // pf's table only: costs nothing, and is empty after a reboot
	Host     = "host"     // in config.xml: single addresses only
	Network  = "network"  // in config.xml
	Unknown  = "unknown"  // the key may not read it, and nothing gave it away
)

// Kind returns the type of the alias: External, Host, Network or Unknown.
func (a *Alias) Kind() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.kind == "" {
		return Unknown
	}
	return a.kind
}

// Notes returns what is not wrong but worth knowing, one sentence each.
func (a *Alias) Notes() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var notes []string
	say := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if strings.HasPrefix(a.api.Base(), "http:") {
		say("the API key goes to %s in clear: use https", a.api.Base())
	}
	if a.trusted != "" {
		say("its certificate is not verified (allow_insecure): whoever stands in between gets the API key; in its place write, if that is your firewall's, %s", api.Setting(a.trusted))
	}
	switch {
	case a.kind == Host:
		say("alias %s is of type Host(s): each ban rewrites the firewall's configuration and pushes an older copy out of its history, and networks do not fit; an alias of type External (advanced) has neither drawback", a.name)
	case a.kind == Network:
		say("alias %s is of type Network(s): each ban rewrites the firewall's configuration and pushes an older copy out of its history; an alias of type External (advanced) does not", a.name)
	case a.kind == "" && a.hidden:
		say("the type of alias %s is unknown: with the privilege %q the API key could read it", a.name, api.Privilege("firewall/alias/"))
	}
	if a.unreadable > 0 {
		say("%d entries of alias %s are no addresses that could be compared: they are left alone", a.unreadable, a.name)
	}
	if a.muted {
		say("connections that exist already are not ended: the API key lacks the privilege %q", api.Privilege("diagnostics/"))
	}
	return notes
}

// again is how often the firewall is asked for the type: it may be changed there,
// and so may be what the key is allowed to read.
const again = time.Hour

// learn asks for the type of the alias, where the key may. Of the privileges the
// one that lets bans be added does not let it be read.
func (a *Alias) learn(ctx context.Context) error {
	a.mu.Lock()
	known := !a.asked.IsZero() && time.Since(a.asked) < again
	a.mu.Unlock()
	if known {
		return nil
	}
	kind, err := a.readKind(ctx)
	hidden := false
	switch status := api.RefusedWith(err); {
	case status == http.StatusForbidden || status == http.StatusNotFound:
		hidden, err = true, nil
	case status >= 500 && !edgeban.IsPermanent(err):
		// Another part of the API fails; bans may pass all the same.
		return nil
	}
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked, a.hidden = time.Now(), hidden
	if !hidden {
		a.kind = kind
	}
	return nil
}

// readKind returns an empty kind for what it does not understand, and for an
// alias that the configuration does not list: a built-in one, or none.
func (a *Alias) readKind(ctx context.Context) (string, error) {
	item, err := a.api.Item(ctx, a.name)
	if err != nil || item == nil {
		return "", err
	}
	if !item.Enabled {
		return "", edgeban.Permanent(fmt.Errorf("%s: alias %s is disabled; enable it in Firewall > Aliases and press Apply", a.api.Base(), a.name))
	}
	switch item.Type {
	case "", External, Host, Network:
		return item.Type, nil
	}
	return "", edgeban.Permanent(fmt.Errorf("%s: alias %s is of type %s, which loses what is added; make one of type External (advanced)", a.api.Base(), a.name, item.TypeName))
}

// suspect finds out why a network was refused with a 500: any call may fail so,
// and an alias of type Host(s) always does. It is one if nothing else is known
// of it, the firewall answers otherwise, and the network is refused again.
func (a *Alias) suspect(ctx context.Context, p netip.Prefix, first error) error {
	a.mu.Lock()
	settled := a.kind != "" || a.networks
	a.mu.Unlock()
	if settled || edgeban.IsPermanent(first) {
		return first
	}
	if _, err := a.list(ctx); err != nil {
		return first
	}
	if err := a.sendAdd(ctx, p); api.RefusedWith(err) != http.StatusInternalServerError {
		return err
	}
	a.mu.Lock()
	news := a.kind == ""
	a.kind = Host
	a.mu.Unlock()
	if news {
		a.Log.Warn("the alias refuses networks: taken for type Host(s)", "alias", a.name, "network", p)
	}
	return fmt.Errorf("%s was not taken: %w", p, hostsOnly)
}
