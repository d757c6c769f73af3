package enforce

import (
	"context"
	"net/netip"
	"slices"
)

// breaks is how many entries may wait for their connections to be ended. Of a
// flood of bans the newest count; a firewall that was rebooted has none worth it.
const breaks = 300

// breakLater has the connections of a new ban ended, before all others.
func (k *Keeper) breakLater(e netip.Prefix) {
	k.mu.Lock()
	k.broken = append(k.broken, e)
	k.broken = k.broken[max(0, len(k.broken)-breaks):]
	k.mu.Unlock()
	signal(k.cut)
}

// breakAfter has the connections of others ended, the first ones first, as far as
// there is room.
func (k *Keeper) breakAfter(es []netip.Prefix) {
	k.mu.Lock()
	es = slices.Clone(es[:min(len(es), breaks-len(k.broken))])
	slices.Reverse(es)
	k.broken = append(es, k.broken...)
	k.mu.Unlock()
	signal(k.cut)
}

// breakUp ends the connections of new entries, one entry after the other. It must
// keep neither a ban nor its proof waiting.
func (k *Keeper) breakUp(ctx context.Context) error {
	b, can := k.Target.(Breaker)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-k.cut:
		}
		for e, some := k.nextBreak(); some && ctx.Err() == nil; e, some = k.nextBreak() {
			if can {
				b.Break(ctx, e)
			}
		}
	}
}

func (k *Keeper) nextBreak() (e netip.Prefix, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.broken) == 0 {
		return e, false
	}
	last := len(k.broken) - 1
	e = k.broken[last]
	k.broken = k.broken[:last]
	return e, true
}
