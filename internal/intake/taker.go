package intake

import (
	"context"
	"fmt"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/never"
)

// A Taker carries what a service says of logins itself to the ledger: there are no
// lines, and nothing is read again after a restart.
type Taker struct {
	Name   string // of the source
	Found  <-chan edgeban.Match
	Jails  []*Watcher // those that count it
	Ledger edgeban.Ledger
	Never  func() *never.List

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
		case m := <-t.Found:
			if err := t.record(ctx, t.gather(m)); err != nil {
				return fmt.Errorf("source %s: %w", t.Name, err)
			}
		}
	}
}

// gather returns m and what has come meanwhile.
func (t *Taker) gather(m edgeban.Match) []edgeban.Match {
	all := []edgeban.Match{m}
	for len(all) < maxTaken {
		select {
		case m := <-t.Found:
			all = append(all, m)
		default:
			return all
		}
	}
	return all
}

func (t *Taker) record(ctx context.Context, found []edgeban.Match) error {
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
