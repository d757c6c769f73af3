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

	Sync    Sync      // how far a long difference is; zero for none
	Dropped uint64    // packets, where the target counts
	From    time.Time // since when: midnight, or when counting began; zero where it does not
}

// Status returns the present status.
func (k *Keeper) Status() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.status
	if _, counts := k.Target.(Counter); counts && k.tally.counts {
		s.Dropped, s.From = k.tally.today, k.tally.day
	}
	return s
}

// decide makes the plan, leaves of it what there is time for, and writes the look
// down. New bans go on being sent meanwhile: what they sent by then is left out.
func (k *Keeper) decide(v view, asked time.Time) plan {
	k.prepare(&v)
	p := v.plan()
	k.mu.Lock()
	defer k.mu.Unlock()
	p.diff.Add = slices.DeleteFunc(p.diff.Add, func(e netip.Prefix) bool { _, sent := k.flying[e]; return sent })
	if !v.whole {
		p.more = p.cut(k.pace.slice(time.Since(asked)))
	}
	for _, e := range p.diff.Add {
		if h, _ := v.known.Of(e); h.Sent.IsZero() {
			p.first = append(p.first, e)
		}
	}
	p.notes = append(p.notes, v.intents(p.diff.Add)...)
	k.count(v, &p)
	k.see(v, asked)
	p.unproven = max(k.retry(p, v.now), k.barren)
	k.status.Counts, k.status.Looked, k.status.Doubt = p.counts, v.now, v.doubt
	if p.more {
		k.status.Sync = k.status.Sync.advance(len(p.missing), k.pace.each)
	} else {
		k.status.Sync = Sync{}
	}
	return p
}

// count takes in what the target counts, and has it noted. The caller holds the lock.
func (k *Keeper) count(v view, p *plan) {
	c, ok := k.Target.(Counter)
	if !ok {
		return
	}
	k.tally.count(c.Packets(), v.known, v.now)
	k.tally.complete(p.notes)
	p.notes = append(p.notes, k.tally.due(v.known, v.now)...)
}

// see takes in what a list shows of what was sent. The caller holds the lock.
func (k *Keeper) see(v view, asked time.Time) {
	shown := slices.ContainsFunc(k.batch, v.listed.covers)
	if k.barren++; shown || len(k.batch) == 0 {
		k.barren = 0
	}
	k.listed, k.listedAt = v.listed, asked
	for e := range k.fresh {
		if v.listed.covers(e) {
			delete(k.fresh, e)
		}
	}
}

// retry remembers what is sent now, and returns how often that change was sent
// that was sent most often without any list showing it. The caller holds the lock.
func (k *Keeper) retry(p plan, now time.Time) (most int) {
	tries := map[netip.Prefix]int{}
	for _, e := range p.missing {
		if n := k.tries[e]; n > 0 {
			tries[e] = n
		}
	}
	for _, e := range p.diff.Add {
		k.flying[e] = now
		tries[e]++
	}
	for _, e := range p.diff.Remove {
		tries[e] = k.tries[e] + 1
	}
	k.batch = p.diff.Add
	k.tries = tries // never changed, only replaced: a plan may still read the one before
	for _, n := range tries {
		most = max(most, n)
	}
	return most
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
	was, told, n, sent := k.status.Err != nil, k.told, k.status.Held, k.status.Missing
	k.status.Err, k.status.Since, k.told = nil, time.Time{}, false
	k.mu.Unlock()
	if was {
		k.Log.Info("target kept again", "target", k.Name, "held", n)
	}
	if told {
		text := fmt.Sprintf("%s holds the bans again: %d of them", k.Name, n)
		if sent > 0 {
			text = fmt.Sprintf("%s takes bans again: it holds %d, and is sent %d more", k.Name, n, sent)
		}
		k.post(ctx, now, text)
	}
}

func (k *Keeper) post(ctx context.Context, now time.Time, text string) {
	err := k.Ledger.Post(ctx, []edgeban.Notice{{Kind: edgeban.NoticeTrouble, Time: now, Target: k.Name, Text: text}})
	if err != nil && ctx.Err() == nil {
		k.Log.Error("notice not kept", "target", k.Name, "err", err)
	}
}
