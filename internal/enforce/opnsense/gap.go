package opnsense

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/edgeban/edgeban/internal/enforce"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/rules"
)

var _ enforce.Prober = (*Alias)(nil)

// Gap looks for why packets of an address that the alias holds pass all the same:
// where it is, then the rules, then the states.
func (a *Alias) Gap(ctx context.Context, addr netip.Addr, since time.Time) (enforce.Gap, error) {
	behind, err := a.behind(ctx, addr)
	if err != nil {
		return enforce.Gap{}, fmt.Errorf("find_references: %w", err)
	}
	if behind != "" {
		return enforce.Gap{Kind: enforce.Behind, Text: fmt.Sprintf("%s is in the network of the firewall's interface %s: "+
			"its packets to hosts in there never cross the firewall. Look at the device.", addr, behind)}, nil
	}
	b, err := a.Blocking(ctx, addr)
	if err != nil {
		return enforce.Gap{}, fmt.Errorf("rules: %w", err)
	}
	if b.Known && b.Link != "" {
		g := enforce.Gap{Kind: enforce.NoRule, Text: sentence(b.Evidence) + " " + sentence(b.Fix)}
		if b.Link == rules.CoverIPv6 {
			g.Kind = enforce.NoIPv6
		}
		return g, nil
	}
	open, err := a.open(ctx, addr, since)
	switch {
	case err != nil && !Denied(err):
		return enforce.Gap{}, fmt.Errorf("query_states: %w", err)
	case open > 0:
		return enforce.Gap{Kind: enforce.OpenState, Text: fmt.Sprintf("The firewall still has %d of its connections from before the ban, and lets them pass without asking a rule. "+
			"Firewall > Diagnostics > States ends them; states: kill does that at each ban.", open)}, nil
	case !b.Known:
		return enforce.Gap{}, fmt.Errorf("%s; %s", b.Evidence, b.Fix)
	}
	return enforce.Gap{}, nil
}

// sentence makes one of words.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}

// behind returns the interface, other than that to the outside, in whose network
// the address is; empty for none. The firewall keeps a table of each.
func (a *Alias) behind(ctx context.Context, addr netip.Addr) (string, error) {
	var answer struct{ Matches []string }
	err := a.api.post(ctx, "firewall/alias_util/find_references", map[string]string{"ip": addr.Unmap().WithZone("").String()}, &answer)
	if err != nil {
		return "", err
	}
	for _, table := range answer.Matches {
		name, ok := strings.CutPrefix(table, "__")
		if name, is := strings.CutSuffix(name, "_network"); ok && is && name != outside && !strings.HasPrefix(name, "lo") {
			return a.api.clean(name), nil
		}
	}
	return "", nil
}

// open returns how many connections of the address, older than since, the firewall
// has. A search for an IPv6 address finds nothing before 26.1.3.
func (a *Alias) open(ctx context.Context, addr netip.Addr, since time.Time) (n int, err error) {
	var answer struct {
		Rows []struct {
			Src string `json:"src_addr"`
			Age string `json:"age"`
		}
	}
	ask := map[string]any{"current": 1, "rowCount": -1, "searchPhrase": addr.String()}
	if err := a.api.post(ctx, "diagnostics/firewall/query_states", ask, &answer); err != nil {
		return 0, err
	}
	for _, r := range answer.Rows {
		src, err := netip.ParseAddr(r.Src)
		age, ok := parseAge(r.Age)
		if err == nil && ok && src.Unmap() == addr && age >= time.Since(since) {
			n++
		}
	}
	return n, nil
}

// parseAge reads how old a state is, as pf writes it: hours, minutes, seconds.
func parseAge(s string) (d time.Duration, ok bool) {
	parts := strings.Split(s, ":")
	if len(parts) != 3 {
		return 0, false
	}
	for _, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 {
			return 0, false
		}
		d = d*60 + time.Duration(n)*time.Second
	}
	return d, true
}
