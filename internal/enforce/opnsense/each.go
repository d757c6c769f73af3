package opnsense

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/edgeban/edgeban/internal/enforce/opnsense/api"

	"golang.org/x/sync/errgroup"
)

// enough is how many calls may fail, each for itself, before the rest are left.
const enough = 10

// each calls f for every prefix, some at once and roughly in their order. Until one
// call has gone well, they go one by one, and after a final error no more are
// begun: a wrong key costs the firewall 2 s a call.
func each(ctx context.Context, what string, ps []netip.Prefix, f func(context.Context, netip.Prefix) error) error {
	var t tally
	var g errgroup.Group
	g.SetLimit(api.Workers)
	for _, p := range ps {
		begun, stop := t.soFar()
		if stop {
			break
		}
		if !begun {
			t.note(f(ctx, p))
			continue
		}
		g.Go(func() error { t.note(f(ctx, p)); return nil })
	}
	_ = g.Wait() // the errors are in the tally
	if t.err != nil {
		return fmt.Errorf("%d of %d %s not done: %w", len(ps)-t.done, len(ps), what, t.err)
	}
	return nil
}

type tally struct {
	mu     sync.Mutex
	done   int
	failed int   // how many calls failed
	err    error // the first, or the first final one
}

func (t *tally) note(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		t.done++
		return
	}
	if _, isUnfit := errors.AsType[unfit](err); !isUnfit {
		t.failed++
	}
	if t.err == nil || api.Final(err) && !api.Final(t.err) {
		t.err = err
	}
}

func (t *tally) soFar() (begun, stop bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.done > 0, t.failed >= enough || api.Final(t.err)
}
