package enforce

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
)

// A Ledger is what a Keeper needs of an edgeban.Ledger and its Outbox.
type Ledger interface {
	Standing(ctx context.Context, t time.Time) (iter.Seq[edgeban.Ban], error)
	Holdings(ctx context.Context, target string) (edgeban.Holdings, error)
	Head(ctx context.Context) (edgeban.Seq, time.Time, error)
	Note(ctx context.Context, hs []edgeban.Held, notices []edgeban.Notice) error
	Post(ctx context.Context, notices []edgeban.Notice) error
	Decisions(ctx context.Context, after edgeban.Seq) iter.Seq2[[]edgeban.Event, error]
}

// Settings are what one Keeper keeps, and how.
type Settings struct {
	Name      string // for people
	Place     string // what it is: a target of another name that is the same place holds the same entries
	Target    Target
	Ledger    Ledger
	Budget    config.Budget
	Exclusive bool          // everything that the target holds is ours
	Every     time.Duration // between two looks when nothing happens
	Log       *slog.Logger

	// Sends reports whether the bans of a jail go to this target at all.
	Sends func(edgeban.Ban) bool

	// Refuse says why a ban is never sent to this target, or returns "": it is
	// the last gate, where no fault before it can matter.
	Refuse func(edgeban.Ban) string

	// Doubt says why nothing may be removed now, or returns "": the clock has
	// jumped, or the ledger was lost.
	Doubt func() string

	// Partial reports whether the ledger may lack bans.
	Partial func() bool

	Now func() time.Time // the wall clock

	// Turn is held while a difference is made, which takes memory: keepers that
	// share it do so one after the other. May be nil.
	Turn *sync.Mutex
}

// A Keeper keeps one target equal to the ledger.
type Keeper struct {
	Settings
	budget *budget
	kick   chan struct{} // something happened
	wake   chan struct{} // a person waits
	news   chan struct{} // a new ban was sent
	cut    chan struct{} // there are connections to end
	slots  chan struct{} // bounds the sends of new bans
	noting sync.Mutex    // held from asking what is known of entries until what was seen of them is noted

	earlier *Keeper // whose counts are taken over

	// Only loop touches these.
	pace pace
	cost time.Duration // of the last look, without what it sent

	mu       sync.Mutex
	listed   set                        // at the last look
	listedAt time.Time                  // when that was asked for
	batch    []netip.Prefix             // what that look sent
	barren   int                        // how many looks in a row have shown nothing of what the one before had sent
	fresh    map[netip.Prefix]time.Time // new bans that nothing has proven yet, and when they were answered
	broken   []netip.Prefix             // entries whose connections are to be ended; the last first
	tally    tally
	flying   map[netip.Prefix]time.Time // what was sent a moment ago, and when that was answered; zero if it was not yet
	tries    map[netip.Prefix]int       // changes that no list has shown yet, and how often they were sent
	room     int                        // entries that the budget still allows
	status   Status
	told     bool      // people were told that the target is in trouble
	alarmed  time.Time // when people were told that bans wait for the budget
}

// NewKeeper returns a keeper that has done nothing yet.
func NewKeeper(s Settings) *Keeper {
	if s.Turn == nil {
		s.Turn = new(sync.Mutex)
	}
	return &Keeper{
		Settings: s, budget: newBudget(s.Budget.PerMinute), kick: make(chan struct{}, 1), wake: make(chan struct{}, 1),
		news: make(chan struct{}, 1), cut: make(chan struct{}, 1), slots: make(chan struct{}, 4),
		room: s.Budget.Entries, flying: map[netip.Prefix]time.Time{}, fresh: map[netip.Prefix]time.Time{},
	}
}

// Run keeps the target until ctx is done. It returns an error only if the ledger
// fails.
func (k *Keeper) Run(parent context.Context) error {
	k.takeOver()
	seq, _, err := k.Ledger.Head(parent)
	if parent.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("target %s: %w", k.Name, err)
	}
	g, ctx := errgroup.WithContext(parent)
	g.Go(func() error { return k.follow(ctx, g, seq) })
	g.Go(func() error { return k.loop(ctx) })
	g.Go(func() error { return k.prove(ctx) })
	g.Go(func() error { return k.breakUp(ctx) })
	if err := g.Wait(); err != nil && parent.Err() == nil {
		return fmt.Errorf("target %s: %w", k.Name, err)
	}
	return nil
}

// Wake asks for a look now, even while the target fails: a person waits.
func (k *Keeper) Wake() { signal(k.wake) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// follow sends each new ban at once. Everything else waits for the next look.
func (k *Keeper) follow(ctx context.Context, g *errgroup.Group, after edgeban.Seq) error {
	_, whole := k.Target.(Whole)
	for ev, err := range edgeban.Each(k.Ledger.Decisions(ctx, after)) {
		if err != nil {
			return fmt.Errorf("watch: %w", err)
		}
		switch fact := ev.Fact.(type) {
		case edgeban.Ban:
			if whole {
				signal(k.kick)
				continue
			}
			if k.Sends(fact) {
				k.sendNew(ctx, g, fact)
			}
		case edgeban.Lift:
			signal(k.kick)
		}
	}
	return nil
}

// sendNew sends the entry of a new ban, unless it is there already or the target
// is failing: then the next look sends it.
func (k *Keeper) sendNew(ctx context.Context, g *errgroup.Group, b edgeban.Ban) {
	e, ok := k.entry(b)
	now := k.Now()
	k.mu.Lock()
	_, flying := k.flying[e]
	send := ok && !flying && !k.listed.covers(e) && b.Standing(now) && k.admit(e, now)
	skip := !send || k.status.Looked.IsZero() || k.status.Err != nil && !errors.Is(k.status.Err, errUnproven)
	if !skip {
		k.flying[e] = time.Time{}
	}
	k.mu.Unlock()
	if skip {
		signal(k.kick)
		return
	}
	select {
	case k.slots <- struct{}{}:
	case <-ctx.Done():
		return
	}
	g.Go(func() error {
		defer func() { <-k.slots }()
		note := []edgeban.Held{{Subject: e, Target: k.Place, Sent: now}}
		if err := k.Ledger.Note(ctx, note, nil); err != nil {
			return fmt.Errorf("note: %w", err)
		}
		err := k.Target.Apply(ctx, Diff{Add: []netip.Prefix{e}})
		k.mu.Lock()
		k.flying[e] = k.Now()
		if err != nil {
			delete(k.flying, e)
		}
		k.mu.Unlock()
		if err == nil {
			k.sent(e)
			k.breakLater(e)
		} else if ctx.Err() == nil {
			k.Log.Warn("new ban not sent, will try again", "target", k.Name, "subject", e, "err", err)
		}
		signal(k.kick)
		return nil
	})
}

// entry returns what the target holds for a ban, and whether it may.
func (k *Keeper) entry(b edgeban.Ban) (netip.Prefix, bool) {
	e := b.Subject.Masked()
	if !k.Target.Fits(e) && b.Addr.IsValid() {
		e = netip.PrefixFrom(b.Addr, b.Addr.BitLen())
	}
	return e, k.refusal(b, e) == ""
}

// refusal says why a ban is never sent to the target, or returns "".
func (k *Keeper) refusal(b edgeban.Ban, e netip.Prefix) string {
	widest := k.Budget.IPv6
	if e.Addr().Is4() {
		widest = k.Budget.IPv4
	}
	switch {
	case !k.Target.Fits(e):
		return "the target takes single addresses only"
	case e.Bits() < widest:
		return fmt.Sprintf("wider than the budget allows (/%d)", widest)
	}
	return k.Refuse(b)
}
