// Package judge runs the fold of a jail over the ledger, and imposes what it decides.
package judge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/jail"
)

// snapshotEvery is how often a jail that has judged something is written down.
const snapshotEvery = 10 * time.Second

// A Judge runs the fold of one jail over the ledger, and imposes what it decides.
type Judge struct {
	Jail   config.Jail
	Ledger edgeban.Ledger
	Lease  edgeban.Lease
	Log    *slog.Logger
	Now    func() time.Time
	Sure   func() bool             // the clock is to be believed
	Inside func(netip.Prefix) bool // in a network of the owner's
	Forget time.Duration

	began edgeban.Seq // the head before anything was read
	fresh bool        // no earlier snapshot was there

	mu       sync.Mutex
	fold     *jail.Jail
	at       edgeban.Seq // judged up to here
	newest   time.Time   // the latest time among what was judged
	dirty    bool
	counting int
}

// Run judges while this node holds the jail's lease.
func (j *Judge) Run(ctx context.Context) error {
	return j.Lease.Hold(ctx, "jail/"+j.Jail.Name, func(ctx context.Context) error {
		until, err := j.restore(ctx)
		if err != nil {
			return fmt.Errorf("jail %s: %w", j.Jail.Name, err)
		}
		g, ctx := errgroup.WithContext(ctx)
		g.Go(func() error { return j.follow(ctx, until) })
		g.Go(func() error { return j.keep(ctx) })
		err = g.Wait()
		if err == nil { // nothing is judged after this
			err = j.save(context.WithoutCancel(ctx))
		}
		if err != nil {
			return fmt.Errorf("jail %s: %w", j.Jail.Name, err)
		}
		return nil
	})
}

// Begin marks the place from which on the jail judges, before anything is read: a
// kill at any later moment must not look like a first start.
func (j *Judge) Begin(ctx context.Context) error {
	head, _, err := j.Ledger.Head(ctx)
	if err != nil {
		return err
	}
	j.began = head
	if _, err = j.Ledger.Restore(ctx, j.Jail.Name); !errors.Is(err, edgeban.ErrNotFound) {
		return err
	}
	j.fresh = true
	state := jail.New(j.Jail, j.Forget).Freeze(time.Time{}).Snapshot()
	return j.Ledger.Snapshot(ctx, edgeban.Snapshot{Jail: j.Jail.Name, At: head, State: state})
}

// restore brings the fold to where it was. It returns the Seq up to which events
// are taken in without judging: those that were there before this jail. What a
// snapshot has not judged is judged by the rules of now.
func (j *Judge) restore(ctx context.Context) (edgeban.Seq, error) {
	fold, at, warm := jail.New(j.Jail, j.Forget), edgeban.Seq(0), j.began
	if !j.fresh {
		s, err := j.Ledger.Restore(ctx, j.Jail.Name)
		if err != nil {
			return 0, err
		}
		at, warm = s.At, s.At
		if err := fold.Restore(s.State); err != nil {
			j.Log.Error("snapshot not read, counting again from the ledger", "jail", j.Jail.Name, "err", err)
			fold, at, warm = jail.New(j.Jail, j.Forget), 0, j.began
		}
	}
	j.fresh = false
	j.mu.Lock()
	defer j.mu.Unlock()
	j.fold, j.at = fold, at
	return warm, nil
}

// follow folds the events, in silence up to warm.
func (j *Judge) follow(ctx context.Context, warm edgeban.Seq) error {
	for events, err := range j.Ledger.Watch(ctx, j.Judged()) {
		if err != nil {
			return fmt.Errorf("watch: %w", err)
		}
		if err := j.take(ctx, events, warm); err != nil {
			return fmt.Errorf("impose: %w", err)
		}
	}
	return nil
}

// Judged returns the Seq up to which everything is judged.
func (j *Judge) Judged() edgeban.Seq {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.at
}

// take folds events and imposes what is decided, in one step for whoever takes a
// snapshot: a fold that knows a ban which nobody imposed would never impose it.
// The bans of a burst survive a loss of power together: one by one each would
// wait for those before it.
func (j *Judge) take(ctx context.Context, events []edgeban.Event, warm edgeban.Seq) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var verdicts []edgeban.Verdict
	for _, ev := range events {
		j.at, j.dirty = ev.Seq, true
		if t := timeOf(ev.Fact); t.After(j.newest) {
			j.newest = t
		}
		if v, decided := j.observe(ev, ev.Seq <= warm); decided {
			verdicts = append(verdicts, v)
		}
	}
	j.counting = j.fold.Len()
	if len(verdicts) == 0 {
		return nil
	}
	return j.Ledger.Impose(context.WithoutCancel(ctx), verdicts...)
}

// observe folds an event and returns what it decides.
func (j *Judge) observe(ev edgeban.Event, silent bool) (v edgeban.Verdict, decided bool) {
	if silent {
		j.fold.Warm(ev)
		j.say(ev)
		return v, false
	}
	v.Ban, decided = j.fold.Observe(ev)
	j.say(ev)
	if !decided {
		return v, false
	}
	m := cause(ev.Fact)
	v.Addr = m.Addr
	if !j.fold.Prolongs(v.Ban) { // of which people know
		v.Notices = j.notices(v.Ban, m)
	}
	return v, true
}

// say logs a ban of the jail once, whatever is judged again.
func (j *Judge) say(ev edgeban.Event) {
	b, ok := ev.Fact.(edgeban.Ban)
	if !ok || b.Jail != j.Jail.Name || ev.Seq <= j.began {
		return
	}
	log := j.Log.With("jail", b.Jail, "subject", b.Subject, "failures", b.Failures, "nth", b.Nth, "for", Length(b))
	if j.fold.Prolongs(b) {
		log.Info("ban prolonged")
		return
	}
	log.Info("ban")
}

// Counting returns how many subjects are being counted.
func (j *Judge) Counting() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.counting
}

// Length is how long a ban stands, for people.
func Length(b edgeban.Ban) string {
	if b.Until.IsZero() {
		return "ever"
	}
	return config.FormatDuration(b.Until.Sub(b.Since).Round(time.Second))
}

// cause returns the words that a decision goes back to.
func cause(f edgeban.Fact) edgeban.Match {
	switch f := f.(type) {
	case edgeban.Match:
		return f
	case edgeban.Ban:
		return edgeban.Match{Addr: f.Addr, Text: f.Jail + ": " + f.Reason}
	}
	return edgeban.Match{}
}

func timeOf(f edgeban.Fact) time.Time {
	switch f := f.(type) {
	case edgeban.Match:
		return f.Time
	case edgeban.Ban:
		return f.Since
	case edgeban.Lift:
		return f.At
	}
	return time.Time{}
}

// notices returns what is to be told of a ban: nothing if it is over already,
// because its lines were read late.
func (j *Judge) notices(b edgeban.Ban, m edgeban.Match) []edgeban.Notice {
	if !b.Standing(j.Now()) {
		return nil
	}
	n := edgeban.Notice{
		Kind: edgeban.NoticeBan, Time: b.Since, Jail: b.Jail, Subject: b.Subject, Until: b.Until,
		Failures: b.Failures, Nth: b.Nth, User: m.User, Text: m.Text,
	}
	if j.Inside(b.Subject) {
		n.Kind = edgeban.NoticeInside
	}
	return []edgeban.Notice{n}
}

// keep writes the fold down every so often.
func (j *Judge) keep(ctx context.Context) error {
	pause := snapshotEvery
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		began := time.Now()
		if err := j.save(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		pause = max(snapshotEvery, 100*time.Since(began)) // a crowded jail must not spend its time on this
	}
}

func (j *Judge) save(ctx context.Context) error {
	j.mu.Lock()
	if !j.dirty {
		j.mu.Unlock()
		return nil
	}
	newest := j.newest
	if now := j.Now(); newest.After(now) { // a clock that was ahead must not make the fold forget either
		newest = now
	}
	if !j.Sure() {
		newest = time.Time{} // a wrong time must not make the fold forget
	}
	frozen, at := j.fold.Freeze(newest), j.at
	j.dirty = false
	j.mu.Unlock()
	s := edgeban.Snapshot{Jail: j.Jail.Name, At: at, State: frozen.Snapshot()} // meanwhile others are judged
	if err := j.Ledger.Snapshot(ctx, s); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	return nil
}
