package intake

import (
	"context"
	"fmt"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/account"
	"github.com/edgeban/edgeban/internal/never"
)

// A Taker carries what a service says of logins itself to the ledger: there are no
// lines, and nothing is read again after a restart.
type Taker struct {
	Name   string // of the source
	Found  <-chan account.Login
	Jails  []*Watcher // those that count it
	Ledger edgeban.Ledger
	Never  func() *never.List

	// Accounts looks at the logins by whose they are.
	Accounts *account.Watch
	Tell     func(ctx context.Context, notices []edgeban.Notice) error

	at string // the cursor after what was recorded: nothing is looked for that came before
}

// maxTaken is how many matches are recorded at once.
const maxTaken = 1000

// Run takes until ctx is done. Its errors are the ledger's.
func (t *Taker) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case l := <-t.Found:
			if err := t.record(ctx, t.gather(l)); err != nil {
				return fmt.Errorf("source %s: %w", t.Name, err)
			}
		}
	}
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
		why, tell := t.Accounts.Look(l)
		l.Match.Ignored = why
		found, notices = append(found, l.Match), append(notices, tell...)
	}
	if len(notices) > 0 {
		if err := t.Tell(context.WithoutCancel(ctx), notices); err != nil {
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
