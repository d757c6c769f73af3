// Package lookout looks for bans that do not work: it shows the matches of the
// ledger to a detector, works out with the targets why somebody leaks, and tells
// people of each cause once.
//
// It changes no ban and no target. What it has seen and told is a snapshot in the
// ledger, like that of a jail, so that a restart tells nothing again.
package lookout

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/enforce"
	"github.com/edgeban/edgeban/internal/leak"
)

const (
	fold   = "(leaks)"       // the name of the snapshot; no jail can be called so
	every  = 5 * time.Second // between two looks for causes
	saving = time.Minute     // between two snapshots when nothing is told
	most   = 10              // for whom targets are asked at one look
	vain   = 3               // how often a cause is looked for in vain before people are told without one
)

// A Ledger is what a Lookout needs of one.
type Ledger interface {
	Watch(ctx context.Context, after edgeban.Seq) iter.Seq2[[]edgeban.Event, error]
	Head(ctx context.Context) (edgeban.Seq, time.Time, error)
	Snapshot(ctx context.Context, s edgeban.Snapshot) error
	Restore(ctx context.Context, jail string) (edgeban.Snapshot, error)
	About(ctx context.Context, p netip.Prefix, limit int) (edgeban.Record, error)
	Post(ctx context.Context, notices []edgeban.Notice) error

	// Around returns what is known of the entries of all targets that contain a,
	// released ones left out.
	Around(ctx context.Context, a netip.Addr) ([]edgeban.Held, error)
}

// Settings are what a Lookout looks with.
type Settings struct {
	Ledger  Ledger
	Keepers func() []*enforce.Keeper // of the present targets that are to stop somebody
	Doubt   func() string            // why the clock is not believed, or ""
	Grace   func() time.Duration     // after a target holds an entry, in which lines say nothing
	Now     func() time.Time         // the wall clock
	Log     *slog.Logger

	// Networks returns the networks that this host has an address in.
	Networks func() ([]netip.Prefix, error)

	// Escalate has another target hold what leaks, and returns its name; "" for none.
	// May be nil.
	Escalate func(ctx context.Context, k leak.Leak, why string) (string, error)
}

// A Lookout looks for leaks.
type Lookout struct {
	Settings

	mu       sync.Mutex
	detector *leak.Detector
	at       edgeban.Seq // seen up to here
	saved    edgeban.Seq
}

// New returns a Lookout that has seen nothing.
func New(s Settings) *Lookout { return &Lookout{Settings: s, detector: leak.New()} }

// Leaking returns the leaks that go on, the last line first.
func (l *Lookout) Leaking(now time.Time) []leak.Leak {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.detector.Leaking(now)
}

// Run looks for leaks until ctx is done. Its errors are the ledger's.
func (l *Lookout) Run(parent context.Context) error {
	if err := l.restore(parent); err != nil {
		return fmt.Errorf("leaks: %w", err)
	}
	g, ctx := errgroup.WithContext(parent)
	g.Go(func() error { return l.follow(ctx) })
	g.Go(func() error { return l.work(ctx) })
	err := g.Wait()
	if err == nil {
		err = l.save(context.WithoutCancel(parent))
	}
	if err != nil {
		return fmt.Errorf("leaks: %w", err)
	}
	return nil
}

// restore goes on where the last run ended. What was there before the first run is
// not looked at.
func (l *Lookout) restore(ctx context.Context) error {
	s, err := l.Ledger.Restore(ctx, fold)
	detector := leak.New()
	switch {
	case errors.Is(err, edgeban.ErrNotFound):
		if s.At, _, err = l.Ledger.Head(ctx); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		if detector, err = leak.Restore(s.State); err != nil {
			l.Log.Error("what leaked before is not known", "err", err)
			detector = leak.New()
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.detector, l.at, l.saved = detector, s.At, s.At
	return nil
}

// save writes down what was seen and told.
func (l *Lookout) save(ctx context.Context) error {
	l.mu.Lock()
	state, err := l.detector.Snapshot()
	at := l.at
	l.saved = at
	l.mu.Unlock()
	if err == nil {
		err = l.Ledger.Snapshot(ctx, edgeban.Snapshot{Jail: fold, At: at, State: state})
	}
	return err
}

// follow shows the matches to the detector.
func (l *Lookout) follow(ctx context.Context) error {
	l.mu.Lock()
	at := l.at
	l.mu.Unlock()
	for events, err := range l.Ledger.Watch(ctx, at) {
		if err == nil {
			err = l.take(ctx, events)
		}
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("watch: %w", err)
		}
	}
	return nil
}

func (l *Lookout) take(ctx context.Context, events []edgeban.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.detector.Grace = l.Grace()
	for _, ev := range events {
		if m, ok := ev.Fact.(edgeban.Match); ok {
			holds, err := l.holds(ctx, m.Addr)
			if err != nil {
				return err
			}
			l.detector.Observe(m, holds)
		}
		l.at = ev.Seq
	}
	return nil
}

// holds returns what the present targets hold around an address.
func (l *Lookout) holds(ctx context.Context, a netip.Addr) ([]edgeban.Held, error) {
	all, err := l.Ledger.Around(ctx, a)
	if len(all) == 0 {
		return nil, err
	}
	keepers := l.Keepers()
	return slices.DeleteFunc(all, func(h edgeban.Held) bool { return keeperOf(keepers, h.Target) == nil }), err
}

// keeperOf returns the keeper of a place, or nil.
func keeperOf(all []*enforce.Keeper, place string) *enforce.Keeper {
	if i := slices.IndexFunc(all, func(k *enforce.Keeper) bool { return k.Place == place }); i >= 0 {
		return all[i]
	}
	return nil
}

// work looks for the causes of leaks until ctx is done, and tells them.
func (l *Lookout) work(ctx context.Context) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	saved := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		told, err := l.explain(ctx)
		if err == nil && (told || l.behind() && time.Since(saved) >= saving) {
			saved = time.Now()
			err = l.save(ctx)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
}

func (l *Lookout) behind() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at != l.saved
}

// explain looks for the causes that are due. It reports whether anybody was told.
func (l *Lookout) explain(ctx context.Context) (told bool, err error) {
	now := l.Now()
	if l.Doubt() != "" { // a wrong time makes any line late
		return false, nil
	}
	due, err := l.due(ctx, now)
	if err != nil {
		return false, err
	}
	known, asked := map[string]finding{}, 0 // what is wrong at targets, whoever leaks
	for _, k := range due {
		c := cause{Lookout: l, leak: k, keepers: l.keepersOf(k)}
		if !c.proved() {
			continue
		}
		who := fmt.Sprint(k.At, k.Entry.Addr().Is4())
		f, ok := known[who]
		var failed error
		if !ok {
			if asked++; asked > most {
				break
			}
			f, failed = c.find(ctx)
		}
		if ctx.Err() != nil {
			break
		}
		if f.cause.Everybodys() {
			known[who] = f
		}
		if f.cause == leak.Refused {
			l.drop(k)
			continue
		}
		next, err := l.escalate(ctx, k, f, failed)
		if err != nil {
			return told, err
		}
		if !l.settle(k, f, failed, now) {
			continue
		}
		told = true
		if next != "" {
			f.why += " " + next + " is to hold it as well now."
		}
		if err := l.tell(ctx, c, f, now); err != nil {
			return told, err
		}
	}
	return told, nil
}

// escalate has another target hold a leak whose cause is known.
func (l *Lookout) escalate(ctx context.Context, k leak.Leak, f finding, failed error) (string, error) {
	if l.Escalate == nil || failed != nil && k.Tries+1 < vain {
		return "", nil
	}
	return l.Escalate(ctx, k, f.why)
}

// drop forgets what is no leak.
func (l *Lookout) drop(k leak.Leak) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.detector.Drop(k.Entry)
}

// due forgets those that are not held any more as they were, and returns those
// whose cause is to be looked for.
func (l *Lookout) due(ctx context.Context, now time.Time) ([]leak.Leak, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.detector.Prune(now)
	for _, k := range l.detector.All() {
		holds, err := l.holds(ctx, k.Addr)
		if err != nil {
			return nil, err
		}
		if !k.Holds(holds) {
			l.detector.Drop(k.Entry)
		}
	}
	return l.detector.Due(now), nil
}

func (l *Lookout) keepersOf(k leak.Leak) (of []*enforce.Keeper) {
	all := l.Keepers()
	for _, place := range k.At {
		if keeper := keeperOf(all, place); keeper != nil {
			of = append(of, keeper)
		}
	}
	return of
}

// settle writes down what was found, and reports whether people are to be told.
func (l *Lookout) settle(k leak.Leak, f finding, failed error, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if failed != nil && l.detector.Puzzled(k.Entry, now) < vain {
		l.Log.Warn("cause of a leak not found, will try again", "subject", k.Entry, "err", failed)
		return false
	}
	return l.detector.Explain(k.Entry, f.cause, f.why, now)
}

// tell tells people of a leak.
func (l *Lookout) tell(ctx context.Context, c cause, f finding, now time.Time) error {
	k, targets := c.leak, c.targets()
	l.Log.Error("ban does not work", "subject", k.Entry, "lines", k.Count(), "targets", targets, "why", f.why)
	n := edgeban.Notice{
		Kind: edgeban.NoticeLeak, Time: now, Jail: k.Jail, Subject: k.Entry, Failures: k.Count(), Target: targets, Text: f.why,
	}
	if err := l.Ledger.Post(ctx, []edgeban.Notice{n}); err != nil {
		return fmt.Errorf("post: %w", err)
	}
	return nil
}

// targets names the targets that hold the entry.
func (c cause) targets() string {
	var names []string
	for _, k := range c.keepers {
		names = append(names, k.Name)
	}
	return strings.Join(names, ", ")
}
