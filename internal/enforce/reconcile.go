package enforce

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/edgeban/edgeban"
)

const (
	settle   = 300 * time.Millisecond // between a change and the look that proves it
	flight   = 2 * time.Second        // how long a list may be older than an add that was answered
	patience = 2 * time.Minute        // how long a passing failure lasts before people are told
	proofs   = 4                      // how often a change is sent before its absence is a fault
)

// loop looks at the target: at the start, when kicked, a moment after each
// change, when the next ban ends, and every so often whether or not.
func (k *Keeper) loop(ctx context.Context) error {
	_, whole := k.Target.(Whole)
	for fails := 0; ; {
		missing := k.Status().Missing
		next, err := k.look(ctx)
		// Let a burst gather, so that one list proves many adds, and never spend
		// more than a tenth of the time on lists.
		gather := min(share*k.cost, k.Every)
		if whole { // nothing is sent before the next look
			gather = min(gather, settle)
		} else {
			gather = max(gather, settle)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case isLedger(err):
			return err
		case err != nil:
			if k.Status().Missing < missing { // slow and faulty is not down
				fails = 0
			}
			fails++
			k.failed(ctx, err)
			next = backoff(err, fails)
		default:
			fails = 0
			k.recovered(ctx)
		}
		// What is set as a whole is written here: that somebody else does not prove it
		// must not keep a new ban waiting.
		if !k.wait(ctx, next, gather, err == nil || whole) {
			return nil
		}
	}
}

var errUnproven = errors.New("it accepts changes but does not show them: is its table full, or the alias not applied?")

// wait sleeps for d, or until a person waits, or until kicked if that may wake
// it, after what gather is left. It reports false when ctx is done.
func (k *Keeper) wait(ctx context.Context, d, gather time.Duration, kicks bool) bool {
	began := time.Now()
	var kick chan struct{}
	if kicks {
		kick = k.kick
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	case <-k.wake:
		return true
	case <-kick:
	}
	if _, whole := k.Target.(Whole); whole {
		gather -= time.Since(began) // the first of a burst is set at once
	}
	select {
	case <-ctx.Done():
		return false
	case <-k.wake:
		return true
	case <-time.After(min(gather, d)):
		return true
	}
}

// backoff grows from a second to most of a minute, so that a target that comes
// back is equal within one round; what a person must mend is asked every few
// minutes only.
func backoff(err error, fails int) time.Duration {
	d := time.Second << min(fails-1, 5)
	if edgeban.IsPermanent(err) {
		d = time.Minute << min(fails-1, 2)
	}
	return d*3/4 + rand.N(d/2)
}

// look compares the target with the ledger once and sends the difference, or what
// of it can be sent before it is time for another look. It returns when that is.
func (k *Keeper) look(ctx context.Context) (next time.Duration, err error) {
	began := time.Now()
	listed, err := k.Target.Held(ctx)
	if err != nil {
		return 0, fmt.Errorf("held: %w", err)
	}
	p, next, err := k.compare(ctx, listed, began)
	if err != nil {
		return 0, ledgerError{err}
	}
	k.overBudget(ctx, k.Now(), p.counts.Waiting)
	k.cost = time.Since(began)
	_, whole := k.Target.(Whole)
	if len(p.diff.Add)+len(p.diff.Remove) > 0 || whole {
		p.diff.Partial = k.Partial()
		if err := k.send(ctx, p); err != nil {
			return 0, fmt.Errorf("apply: %w", err)
		}
	}
	switch {
	case p.unproven >= proofs && !whole:
		return 0, errUnproven
	case p.more && p.unproven <= 1: // what is sent now is the first try
		return 0, nil
	case len(p.missing)+len(p.diff.Remove) > 0:
		return min(next, settle<<min(p.unproven, 8)), nil
	case p.counts.Waiting > p.beyond: // for what there is no room, there is none soon
		return min(next, 5*time.Second), nil
	}
	return next, nil
}

// send applies a difference, and has the connections of what is new ended.
func (k *Keeper) send(ctx context.Context, p plan) error {
	began := time.Now()
	if err := k.Target.Apply(ctx, p.diff); err != nil {
		k.mu.Lock()
		k.batch = nil // that it is not seen proves nothing
		k.mu.Unlock()
		return err
	}
	k.pace.took(time.Since(began), len(p.diff.Add)+len(p.diff.Remove))
	k.breakAfter(p.first)
	return nil
}

// compare makes the plan, and writes the look down.
func (k *Keeper) compare(ctx context.Context, listed []netip.Prefix, asked time.Time) (p plan, next time.Duration, err error) {
	k.noting.Lock()
	defer k.noting.Unlock()
	k.Turn.Lock()
	defer k.Turn.Unlock()
	v, next, err := k.view(ctx, listed)
	if err != nil {
		return plan{}, 0, err
	}
	p = k.decide(v, asked)
	if len(p.notes) > 0 {
		if err := k.Ledger.Note(ctx, p.notes, p.notices); err != nil {
			return plan{}, 0, fmt.Errorf("note: %w", err)
		}
	}
	return p, next, nil
}

// view gathers what a plan is made from, and when the next ban ends.
func (k *Keeper) view(ctx context.Context, listed []netip.Prefix) (view, time.Duration, error) {
	now := k.Now()
	bans, err := k.Ledger.Standing(ctx, now)
	if err != nil {
		return view{}, 0, fmt.Errorf("standing: %w", err)
	}
	holdings, err := k.Ledger.Holdings(ctx, k.Place)
	if err != nil {
		return view{}, 0, fmt.Errorf("holdings: %w", err)
	}
	v := view{
		name: k.Name, place: k.Place, now: now, exclusive: k.Exclusive, doubt: k.Doubt(), listed: newSet(listed),
		barred: map[netip.Prefix]bool{}, known: holdings, inFlight: map[netip.Prefix]bool{},
	}
	_, v.whole = k.Target.(Whole)
	all, next := make([]want, 0, holdings.Len()), k.Every
	for b := range bans {
		if !k.Sends(b) {
			continue
		}
		e, ok := k.entry(b)
		if !ok {
			v.barred[e] = true
			continue
		}
		all = append(all, wantOf(e, b))
		if !b.Until.IsZero() {
			next = min(next, max(b.Until.Sub(now), time.Second))
		}
	}
	v.wanted = newWants(all)
	if b, ok := k.Target.(Bounded); ok {
		v.wanted, v.beyond = v.wanted.foremost(b.Room(), now)
	}
	return v, next, nil
}

// ledgerError marks an error that is not the target's.
type ledgerError struct{ error }

func (e ledgerError) Unwrap() error { return e.error }

func isLedger(err error) bool {
	_, ok := errors.AsType[ledgerError](err)
	return ok
}
