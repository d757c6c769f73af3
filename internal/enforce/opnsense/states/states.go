// Package states ends connections at an OPNsense firewall: a block rule alone lets
// those go on that were there before.
//
// Only plain IPv4 addresses are killed by their text. The firewall takes ":" and
// "/" out of what it is given to kill, and searches for the rest: "::1" would end
// nearly every connection. Of all else the states are listed, compared here, and
// ended one by one.
package states

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/edgeban/edgeban/internal/enforce/opnsense/pf"
)

const (
	every = 200 * time.Millisecond // between two subjects: for each the firewall lists all of its states
	most  = 200                    // states of one subject, each a call
)

// A Breaker ends connections. It is safe for use by many goroutines.
type Breaker struct {
	// Post calls an action of the firewall's API.
	Post func(ctx context.Context, action string, in, out any) error

	mu     sync.Mutex
	next   time.Time // when the next subject may have its turn
	search search
}

// A search is whether the firewall finds the states of an IPv6 address or a
// network when asked for them. Before 26.1.3 it takes ":" and "/" out of what is
// searched for, too, and finds none.
type search int

const (
	untried search = iota
	works
	fails
)

// Break ends the connections that have an end in p, when it is p's turn.
func (b *Breaker) Break(ctx context.Context, p netip.Prefix) error {
	select {
	case <-time.After(b.turn()):
	case <-ctx.Done():
		return ctx.Err()
	}
	if p.Addr().Is4() && p.IsSingleIP() {
		var answer struct{ Result string }
		return b.Post(ctx, "diagnostics/firewall/kill_states", map[string]string{"filter": p.Addr().String()}, &answer)
	}
	found, err := b.of(ctx, p)
	if err != nil {
		return err
	}
	for _, s := range found[:min(most, len(found))] {
		var answer struct{ Result string }
		if err := b.Post(ctx, "diagnostics/firewall/del_state/"+s.ID, struct{}{}, &answer); err != nil {
			return err
		}
	}
	if len(found) > most {
		return fmt.Errorf("%d of %d are left", len(found)-most, len(found))
	}
	return nil
}

// turn takes the next turn and returns how long to wait for it.
func (b *Breaker) turn() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	wait := max(0, time.Until(b.next))
	b.next = time.Now().Add(wait + every)
	return wait
}

// of returns the states that have an end in p. Whether a search would find them
// shows only when there are some: as long as that is not known, all are listed
// where it finds none.
func (b *Breaker) of(ctx context.Context, p netip.Prefix) ([]pf.State, error) {
	b.mu.Lock()
	search := b.search
	b.mu.Unlock()
	if search != fails {
		found, err := b.query(ctx, map[string]any{"current": 1, "rowCount": -1, "searchPhrase": spell(p)}, p, works)
		if err != nil || len(found) > 0 || search == works {
			return found, err
		}
	}
	return b.query(ctx, map[string]any{"current": 1, "rowCount": -1}, p, fails)
}

// query asks for states and returns those with an end in p. If there are some, it
// is known from then on whether a search works.
func (b *Breaker) query(ctx context.Context, ask map[string]any, p netip.Prefix, search search) ([]pf.State, error) {
	var answer struct{ Rows []pf.State }
	if err := b.Post(ctx, "diagnostics/firewall/query_states", ask, &answer); err != nil {
		return nil, err
	}
	found := pf.Of(answer.Rows, p)
	if len(found) > 0 {
		b.mu.Lock()
		b.search = search
		b.mu.Unlock()
	}
	return found, nil
}

// spell writes p as the firewall does.
func spell(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
