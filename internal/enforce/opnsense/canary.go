package opnsense

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/api"
)

// canary adds an address that nobody has, sees whether it is listed, and removes it:
// only so is it known that bans arrive. The firewall says "done" whatever happened.
func (c *checkup) canary(ctx context.Context) {
	a := c.a
	listed, err := a.list(ctx)
	if err != nil {
		c.unexpected(linkCanary, err)
		return
	}
	p := unused(listed)
	start := time.Now()
	err = a.sendAdd(ctx, p)
	if api.RefusedWith(err) == http.StatusInternalServerError && strings.Contains(err.Error(), "user-config-readonly") {
		c.add(edgeban.Broken, linkWrite, "the key may read and not write (500): its user has the privilege \"System: Deny config write\"", "System > Access > Users: take \"System: Deny config write\" from the key's user and its groups")
		c.untried("the key may not write", linkCanary)
		return
	}
	if err != nil {
		c.unexpected(linkCanary, err)
	}
	// From here on it is there, perhaps even if the answer was lost.
	defer c.release(context.WithoutCancel(ctx), p)
	if err != nil {
		return
	}
	if !c.lists(ctx, p, true) {
		c.add(edgeban.Broken, linkCanary, "adding "+p.Addr().String()+" was answered with done, and it is not listed: bans do not arrive",
			"see whether pf's tables are full (Firewall > Diagnostics > Aliases), and press Apply in Firewall > Aliases")
		return
	}
	c.good(linkCanary, "%s was added and listed in %s, and removed again", p.Addr(), time.Since(start).Round(time.Millisecond))
}

// unused returns an address of TEST-NET-1 (RFC 5737) that is not listed. Which one is
// left to chance, so that two doctors do not meet.
func unused(listed []netip.Prefix) netip.Prefix {
	for {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + rand.N(254))}), 32)
		if !slices.Contains(listed, p) || len(listed) >= 254 {
			return p
		}
	}
}

// lists reports whether the alias has p, or has it not. It looks twice: a keeper may be
// at work there.
func (c *checkup) lists(ctx context.Context, p netip.Prefix, want bool) bool {
	for range 2 {
		listed, err := c.a.list(ctx)
		if err == nil && slices.Contains(listed, p) == want {
			return true
		}
	}
	return false
}

func (c *checkup) release(ctx context.Context, p netip.Prefix) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err := c.a.remove(ctx, p)
	if err == nil && c.lists(ctx, p, false) {
		return
	}
	says := "the alias holds it still, and the firewall says that it does not"
	if err != nil {
		says = err.Error()
	}
	c.found = slices.DeleteFunc(c.found, func(f edgeban.Finding) bool { return f.Link == linkCanary })
	c.add(edgeban.Broken, linkCanary, p.Addr().String()+" was added and could not be removed, so bans would never end: "+says,
		"Firewall > Diagnostics > Aliases: remove "+p.Addr().String()+" from "+c.a.name+", and look at what is said above")
}
