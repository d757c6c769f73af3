package enforce

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/edgeban/edgeban"
)

const (
	soon  = 700 * time.Millisecond // how long a new ban waits for a list to prove it
	alone = 16                     // how many are asked for one by one; more are worth a list
)

// sent takes note that a new ban was sent and answered.
func (k *Keeper) sent(e netip.Prefix) {
	if _, can := k.Target.(Asker); !can {
		return
	}
	k.mu.Lock()
	k.fresh[e] = time.Now()
	k.mu.Unlock()
	signal(k.news)
}

// prove asks for new bans alone, where lists are slow in coming: one of a hundred
// thousand entries takes seconds, and in the middle of a resync none is made.
func (k *Keeper) prove(ctx context.Context) error {
	asker, ok := k.Target.(Asker)
	for ok {
		select {
		case <-ctx.Done():
			return nil
		case <-k.news:
		}
		for wait := soon; wait > 0; {
			if !sleep(ctx, wait) {
				return nil
			}
			var due []netip.Prefix
			due, wait = k.due(time.Now())
			for _, e := range due {
				if err := k.ask(ctx, asker, e); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// due takes the new bans that have waited for a list, the newest first, and
// returns when the next will have; 0 for none.
func (k *Keeper) due(now time.Time) (due []netip.Prefix, next time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	at := map[netip.Prefix]time.Time{}
	for e, answered := range k.fresh {
		if left := soon - now.Sub(answered); left > 0 {
			next = min(cmp.Or(next, left), left)
			continue
		}
		due = append(due, e)
		at[e] = answered
		delete(k.fresh, e)
	}
	slices.SortFunc(due, func(a, b netip.Prefix) int { return at[b].Compare(at[a]) })
	return due[:min(alone, len(due))], next
}

// ask asks for one entry and notes it if it is held. Whatever else comes of it, errors too, the
// next list tells.
func (k *Keeper) ask(ctx context.Context, asker Asker, e netip.Prefix) error {
	asked := time.Now()
	held, known, err := asker.Holds(ctx, e)
	if err != nil || !known || !held {
		return nil
	}
	k.noting.Lock()
	defer k.noting.Unlock()
	holdings, err := k.Ledger.Holdings(ctx, k.Place)
	if err != nil {
		return fmt.Errorf("holdings: %w", err)
	}
	h, sent := holdings.Of(e)
	k.mu.Lock()
	lost := k.listedAt.After(asked) && !k.listed.covers(e)
	k.mu.Unlock()
	if !sent || !h.Held.IsZero() || lost {
		return nil
	}
	h.Held = k.Now()
	if err := k.Ledger.Note(ctx, []edgeban.Held{h}, nil); err != nil && ctx.Err() == nil {
		return fmt.Errorf("note: %w", err)
	}
	return nil
}

// sleep reports whether d went by before ctx was done.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
