package opnsense

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/edgeban/edgeban/internal/enforce"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/api"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/pf"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/rules"
)

// Gap implements enforce.Prober: it asks where the address is, then for the rules,
// then for states from before since.
func (a *Alias) Gap(ctx context.Context, addr netip.Addr, since time.Time) (g enforce.Gap, err error) {
	var tables struct{ Matches []string }
	if err := a.api.Post(ctx, "firewall/alias_util/find_references", map[string]string{"ip": addr.String()}, &tables); err != nil {
		return g, fmt.Errorf("find_references: %w", err)
	}
	if name := pf.Behind(tables.Matches, outside); name != "" {
		text := "%s is in the network of the firewall's interface %s: its packets to hosts in there never cross the firewall. Look at the device."
		return enforce.Gap{Kind: enforce.Behind, Text: fmt.Sprintf(text, addr, a.api.Clean(name))}, nil
	}
	b, err := a.Blocking(ctx, addr)
	switch text := sentence(b.Evidence) + sentence(b.Fix); {
	case err != nil:
		return g, fmt.Errorf("rules: %w", err)
	case b.Known && b.Link == rules.CoverIPv6:
		return enforce.Gap{Kind: enforce.NoIPv6, Text: text}, nil
	case b.Known && b.Link != "":
		return enforce.Gap{Kind: enforce.NoRule, Text: text}, nil
	}
	var states struct{ Rows []pf.State } // before 26.1.3 none is found for an IPv6 address
	err = a.api.Post(ctx, "diagnostics/firewall/query_states", map[string]any{"current": 1, "rowCount": -1, "searchPhrase": addr.String()}, &states)
	open := pf.Older(states.Rows, addr, time.Since(since))
	switch {
	case err != nil && !api.Denied(err):
		return g, fmt.Errorf("query_states: %w", err)
	case open > 0:
		text := "The firewall has %d of its connections from before the ban, and lets them pass without asking a rule. Firewall > Diagnostics > States ends them; states: kill does at each ban."
		return enforce.Gap{Kind: enforce.OpenState, Text: fmt.Sprintf(text, open)}, nil
	case b.Counted && !b.Known: // packets came, and no rule has looked at one
		return enforce.Gap{Kind: enforce.NoRule, Text: "No rule that is loaded looks at alias " + a.name + ". " + sentence(makeRule)}, nil
	case b.Known && !(b.Counted && addr.Is6()): // who looks at the alias may not do so for IPv6
		return g, nil
	}
	return g, fmt.Errorf("%s; %s", b.Evidence, cmp.Or(b.Fix, lookKey))
}

// sentence makes one of words.
func sentence(s string) string {
	return strings.ToUpper(s[:min(1, len(s))]) + strings.TrimSuffix(s[min(1, len(s)):], ".") + ". "
}
