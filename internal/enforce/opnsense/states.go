package opnsense

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/edgeban/edgeban/internal/enforce/opnsense/api"
)

// Each kill makes the firewall list all of its states. After a reboot there are
// none worth it.
const (
	maxKills  = 50                     // additions at once beyond which nothing is killed
	killEvery = 200 * time.Millisecond // at least, between two kills
)

// kill ends the connections of newly banned addresses: a block rule alone lets
// existing ones go on. It is never an error of the ban.
//
// Only plain IPv4 addresses are sent. The firewall takes ":" and "/" out of what
// it is given and searches for the rest: "::1" would end every connection.
func (a *Alias) kill(ctx context.Context, added []netip.Prefix) {
	a.mu.Lock()
	muted := a.muted
	a.mu.Unlock()
	for _, p := range added {
		if muted || !p.Addr().Is4() || !p.IsSingleIP() {
			continue
		}
		select {
		case <-time.After(a.nextKill()):
		case <-ctx.Done():
			return
		}
		var answer struct{ Result string }
		err := a.api.Post(ctx, "diagnostics/firewall/kill_states", map[string]string{"filter": p.Addr().String()}, &answer)
		switch api.RefusedWith(err) {
		case http.StatusForbidden, http.StatusNotFound:
			a.mu.Lock()
			a.muted = true
			a.mu.Unlock()
			a.Log.Warn("states are not killed: the API key may not", "alias", a.name, "err", err)
			return
		}
		if err != nil {
			a.Log.Warn("states not killed", "alias", a.name, "subject", p, "err", err)
			return
		}
	}
}

// nextKill takes the next turn to kill and returns how long to wait for it.
func (a *Alias) nextKill() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if next := a.killed.Add(killEvery); next.After(now) {
		a.killed = next
	} else {
		a.killed = now
	}
	return a.killed.Sub(now)
}
