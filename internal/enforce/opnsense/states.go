package opnsense

import (
	"context"
	"net/http"
	"net/netip"

	"github.com/edgeban/edgeban/internal/enforce/opnsense/api"
)

// Break implements enforce.Breaker. What goes wrong is logged.
func (a *Alias) Break(ctx context.Context, p netip.Prefix) {
	a.mu.Lock()
	muted := a.muted
	a.mu.Unlock()
	if !a.c.States || muted {
		return
	}
	err := a.breaker.Break(ctx, p)
	switch status := api.RefusedWith(err); {
	case err == nil || ctx.Err() != nil:
	case status == http.StatusForbidden || status == http.StatusNotFound:
		a.mu.Lock()
		a.muted = true
		a.mu.Unlock()
		a.Log.Warn("states are not killed: the API key may not", "alias", a.name, "err", err)
	default:
		a.Log.Warn("states not killed", "alias", a.name, "subject", p, "err", err)
	}
}
