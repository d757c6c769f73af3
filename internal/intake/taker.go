package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/account"
	"github.com/edgeban/edgeban/internal/never"
)

// A Taker carries what a service says of logins itself to the ledger: there are no
// lines, and nothing is read again after a restart.
//
// It looks at the logins by whose they are. What it knows of accounts is a snapshot in
// the ledger, written before the logins that it was learnt from: after a kill at any
// moment nothing is told twice, and an old password does not count anew.
type Taker struct {
	Name   string // of the source
	Found  <-chan account.Login
	Jails  []*Watcher // those that count it
	Ledger edgeban.Ledger
	Never  func() *never.List
	Log    *slog.Logger

	at       string // the cursor after what was recorded: nothing is looked for that came before
	accounts *account.Watch
	kept     time.Time     // when the last snapshot was taken
	cost     time.Duration // of it
}

const (
	maxTaken = 1000                  // matches that are recorded at once
	pace     = 20 * time.Millisecond // between two records: many logins are one, and whoever asks meanwhile is answered sooner
	keeping  = 10 * time.Second      // between two snapshots of what may be forgotten
	cheap    = 10 * time.Millisecond
	share    = 50 // of the time that snapshots may take which are not cheap: one part in so many
)

// Run takes until ctx is done. Its errors are the ledger's.
func (t *Taker) Run(ctx context.Context) error {
	err := t.restore(ctx)
	if err == nil {
		err = t.take(ctx)
	}
	if err == nil {
		last := context.WithoutCancel(ctx)
		for err == nil && len(t.Found) > 0 { // what was reported before the end
			err = t.record(last, t.gather(<-t.Found))
		}
		if changed, _ := t.accounts.Changed(); err == nil && changed {
			err = t.keep(last, nil)
		}
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("source %s: %w", t.Name, err)
	}
	return nil
}

func (t *Taker) take(ctx context.Context) error {
	tick := time.NewTicker(keeping)
	defer tick.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if changed, _ := t.accounts.Changed(); changed && t.mayKeep() {
				err = t.keep(context.WithoutCancel(ctx), nil)
			}
		case l := <-t.Found:
			err = t.record(ctx, t.gather(l))
			rest(ctx, pace)
		}
		if err != nil {
			return err
		}
	}
}

// rest waits, unless ctx is done.
func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// snapshot is the name of what is known of accounts; no jail can be called so.
func (t *Taker) snapshot() string { return "(accounts of " + t.Name + ")" }

// restore goes on where the last run ended.
func (t *Taker) restore(ctx context.Context) error {
	t.accounts = account.New()
	s, err := t.Ledger.Restore(context.WithoutCancel(ctx), t.snapshot())
	if errors.Is(err, edgeban.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	known, err := account.Restore(s.State)
	if err != nil {
		t.Log.Error("what was known of accounts is lost", "source", t.Name, "err", err)
		return nil
	}
	t.accounts = known
	return nil
}

// mayKeep reports whether it is not too early for another snapshot: after a flood of
// names there may be much to write down.
func (t *Taker) mayKeep() bool { return time.Since(t.kept) >= share*(t.cost-cheap) }

// keep writes down what is known, and in the same step what people are to be told.
func (t *Taker) keep(ctx context.Context, notices []edgeban.Notice) error {
	t.kept = time.Now()
	defer func() { t.cost = time.Since(t.kept) }()
	state, err := t.accounts.Snapshot()
	if err != nil {
		return err
	}
	at, _, err := t.Ledger.Head(ctx)
	if err == nil {
		err = t.Ledger.Snapshot(ctx, edgeban.Snapshot{Jail: t.snapshot(), At: at, State: state, Notices: notices})
	}
	return err
}

// gather returns l and what has come meanwhile.
func (t *Taker) gather(l account.Login) []account.Login {
	all := []account.Login{l}
	for len(all) < maxTaken {
		select {
		case l := <-t.Found:
			all = append(all, l)
		default:
			return all
		}
	}
	return all
}

// record records logins, and tells people of the accounts that they are about.
func (t *Taker) record(ctx context.Context, logins []account.Login) error {
	var found []edgeban.Match
	var notices []edgeban.Notice
	for _, l := range logins {
		why, tell := t.accounts.Look(l)
		l.Match.Ignored = why
		found, notices = append(found, l.Match), append(notices, tell...)
	}
	if _, learned := t.accounts.Changed(); len(notices) > 0 || learned && t.mayKeep() {
		if err := t.keep(context.WithoutCancel(ctx), notices); err != nil {
			return err
		}
	}
	b := edgeban.Batch{Source: t.Name, Stream: t.Name + "/logins", From: t.at, To: found[len(found)-1].ID, Read: time.Now()}
	list := t.Never()
	for _, w := range t.Jails {
		b.Matches = append(b.Matches, w.Take(found, list)...)
	}
	done, err := record(ctx, t.Ledger, b)
	if done {
		t.at = b.To
	}
	return err
}
