package enforce

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/edgeban/edgeban"
)

// Status is what is known of a target since the last look.
type Status struct {
	Counts
	Looked time.Time // the last look that succeeded
	Err    error     // why the last one did not
	Since  time.Time // since when looks fail
	Doubt  string    // why nothing is removed
}

// Status returns the present status.
func (k *Keeper) Status() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.status
}

// decide makes the plan and writes the look down. New bans go on being sent
// meanwhile: what they sent by then is left out of the plan. It returns how often
// the change has been sent that was sent most often without any list showing it.
func (k *Keeper) decide(v view) (p plan, unproven int) {
	k.prepare(&v)
	p = v.plan()
	k.mu.Lock()
	defer k.mu.Unlock()
	p.diff.Add = slices.DeleteFunc(p.diff.Add, func(e netip.Prefix) bool { _, sent := k.flying[e]; return sent })
	k.listed = v.listed
	k.status.Counts, k.status.Looked, k.status.Doubt = p.counts, v.now, v.doubt
	tries := map[netip.Prefix]int{}
	for _, e := range p.missing {
		tries[e] = k.tries[e]
	}
	for _, e := range p.diff.Add {
		k.flying[e] = v.now
		tries[e]++
	}
	for _, e := range p.diff.Remove {
		tries[e] = k.tries[e] + 1
	}
	k.tries = tries // never changed, only replaced: a plan may still read the one before
	for _, n := range tries {
		unproven = max(unproven, n)
	}
	return p, unproven
}

// prepare puts into a view what the keeper knows of the moment.
func (k *Keeper) prepare(v *view) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for e, answered := range k.flying {
		if answered.IsZero() || (v.now.Sub(answered) < flight && v.now.Sub(answered) >= 0) {
			v.inFlight[e] = true
		} else {
			delete(k.flying, e)
		}
	}
	k.room = k.Budget.Entries - v.known.Len()
	k.budget.forget(v.wanted)
	v.tries = k.tries
	v.admit = func(e netip.Prefix) bool {
		k.mu.Lock()
		defer k.mu.Unlock()
		return k.admit(e, v.now)
	}
}

// admit asks the budget for a new entry. The caller holds the lock.
func (k *Keeper) admit(e netip.Prefix, now time.Time) bool {
	if k.room <= 0 || !k.budget.admit(e, now) {
		return false
	}
	k.room--
	return true
}

// overBudget raises the alarm when new bans have to wait, once an hour at most.
func (k *Keeper) overBudget(ctx context.Context, now time.Time, waiting int) {
	k.mu.Lock()
	tell := waiting > 0 && now.Sub(k.alarmed).Abs() > time.Hour
	if tell {
		k.alarmed = now
	}
	k.mu.Unlock()
	if tell {
		if b, ok := k.Target.(Bounded); ok && k.Status().Wanted > b.Room() {
			k.Log.Warn("target has no room for all bans", "target", k.Name, "waiting", waiting)
			k.post(ctx, now, fmt.Sprintf("%s takes %d entries and no more: it holds the newest and the longest bans, and %d others wait", k.Name, b.Room(), waiting))
			return
		}
		k.Log.Warn("bans wait for the budget", "target", k.Name, "waiting", waiting)
		k.post(ctx, now, fmt.Sprintf("%s: %d bans wait, because budget allows %d new ones a minute and %d entries; is this an attack, or a filter gone wild?",
			k.Name, waiting, k.Budget.PerMinute, k.Budget.Entries))
	}
}

// failed writes a failed look down, and tells people once: at once if they must
// act, after a while if it may pass.
func (k *Keeper) failed(ctx context.Context, err error) {
	now := k.Now()
	k.mu.Lock()
	first := k.status.Err == nil
	if first {
		k.status.Since = now
	}
	k.status.Err = err
	clear(k.flying) // what was sent a moment ago may be lost
	tell := !k.told && (edgeban.IsPermanent(err) || errors.Is(err, errUnproven) || now.Sub(k.status.Since) >= patience)
	k.told = k.told || tell
	k.mu.Unlock()
	if first {
		k.Log.Error("target not kept", "target", k.Name, "err", err)
	}
	if tell {
		k.post(ctx, now, fmt.Sprintf("%s does not hold the bans: %v", k.Name, err))
	}
}

// recovered writes down that the target is equal again, and tells those who were
// told that it was not.
func (k *Keeper) recovered(ctx context.Context) {
	now := k.Now()
	k.mu.Lock()
	was, told, n := k.status.Err != nil, k.told, k.status.Held
	k.status.Err, k.status.Since, k.told = nil, time.Time{}, false
	k.mu.Unlock()
	if was {
		k.Log.Info("target kept again", "target", k.Name, "held", n)
	}
	if told {
		k.post(ctx, now, fmt.Sprintf("%s holds the bans again: %d of them", k.Name, n))
	}
}

func (k *Keeper) post(ctx context.Context, now time.Time, text string) {
	err := k.Ledger.Post(ctx, []edgeban.Notice{{Kind: edgeban.NoticeTrouble, Time: now, Target: k.Name, Text: text}})
	if err != nil && ctx.Err() == nil {
		k.Log.Error("notice not kept", "target", k.Name, "err", err)
	}
}
