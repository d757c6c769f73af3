package daemon

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/intake"
)

// hiding is what the trouble with an address that stands for others is about.
const hiding = "hiding "

// inspectProxies tells of addresses that logs show in place of clients: once of
// each, whichever jails see it.
func (g *generation) inspectProxies(ctx context.Context) {
	type place struct {
		how  intake.Hiding
		addr netip.Addr
	}
	for _, w := range g.watchers {
		for _, a := range w.Proxies() {
			for _, other := range g.watchers {
				other.KnowProxy(a)
			}
		}
	}
	shown, jails := map[place]intake.Hidden{}, map[place][]config.Jail{}
	for _, w := range g.watchers {
		for _, h := range w.Hidden() {
			p := place{h.How, h.Addr}
			if known, ok := shown[p]; ok {
				h.Everybody = h.Everybody && known.Everybody
			}
			shown[p], jails[p] = h, append(jails[p], w.Jail)
		}
	}
	present := map[string]string{}
	for p, h := range shown {
		present[fmt.Sprint(hiding, p.how, " ", p.addr)] = h.Diagnosis(jails[p]...)
	}
	for _, about := range slices.Sorted(maps.Keys(present)) {
		g.trouble(ctx, about, present[about])
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	maps.DeleteFunc(g.troubles, func(about, _ string) bool {
		_, still := present[about]
		return strings.HasPrefix(about, hiding) && !still
	})
}
