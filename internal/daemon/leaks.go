package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/enforce"
	"github.com/edgeban/edgeban/internal/leak"
	"github.com/edgeban/edgeban/internal/never"
)

const (
	leaksFold  = "(leaks)"       // the name of its snapshot; no jail can be called so
	leaksEvery = 5 * time.Second // between two looks for causes
	leaksSaved = time.Minute     // between two snapshots when nothing is told
	leaksAsked = 10              // for whom targets are asked at one look
	puzzles    = 3               // how often a cause is looked for in vain before people are told without one
	leaksLines = 200             // of an address that are looked at for its connections
)

// leaks looks for bans that do not work, through all generations. What it has seen
// and told is a snapshot in the ledger, like that of a jail.
type leaks struct {
	d *daemon

	mu       sync.Mutex
	detector *leak.Detector
	at       edgeban.Seq // seen up to here
	saved    edgeban.Seq
}

func newLeaks(d *daemon) *leaks { return &leaks{d: d, detector: leak.New()} }

// run looks for leaks until ctx is done.
func (l *leaks) run(parent context.Context) error {
	err := l.d.store.Hold(parent, "leaks", func(ctx context.Context) error {
		if err := l.restore(ctx); err != nil {
			return err
		}
		g, ctx := errgroup.WithContext(ctx)
		g.Go(func() error { return l.follow(ctx) })
		g.Go(func() error { return l.work(ctx) })
		if err := g.Wait(); err != nil {
			return err
		}
		return l.save(context.WithoutCancel(ctx))
	})
	if err != nil && parent.Err() == nil {
		return fmt.Errorf("leaks: %w", err)
	}
	return nil
}

// restore goes on where the last run ended. What was there before the first run is
// not looked at.
func (l *leaks) restore(ctx context.Context) error {
	s, err := l.d.store.Restore(ctx, leaksFold)
	detector := leak.New()
	switch {
	case errors.Is(err, edgeban.ErrNotFound):
		if s.At, _, err = l.d.store.Head(ctx); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		if detector, err = leak.Restore(s.State); err != nil {
			l.d.Log.Error("what leaked before is not known", "err", err)
			detector = leak.New()
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.detector, l.at, l.saved = detector, s.At, s.At
	return nil
}

// save writes down what was seen and told.
func (l *leaks) save(ctx context.Context) error {
	l.mu.Lock()
	state, err := l.detector.Snapshot()
	at := l.at
	l.saved = at
	l.mu.Unlock()
	if err == nil {
		err = l.d.store.Snapshot(ctx, edgeban.Snapshot{Jail: leaksFold, At: at, State: state})
	}
	return err
}

// follow shows the matches to the detector.
func (l *leaks) follow(ctx context.Context) error {
	l.mu.Lock()
	at := l.at
	l.mu.Unlock()
	for events, err := range l.d.store.Watch(ctx, at) {
		if err != nil {
			return fmt.Errorf("watch: %w", err)
		}
		if err := l.take(ctx, events); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

func (l *leaks) take(ctx context.Context, events []edgeban.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, ev := range events {
		l.at = ev.Seq
		m, ok := ev.Fact.(edgeban.Match)
		if !ok || never.Private(m.Addr) { // no target gets these
			continue
		}
		holds, err := l.holds(ctx, m.Addr)
		if err != nil {
			return err
		}
		l.detector.Observe(m, holds)
	}
	return nil
}

// holds returns what the present targets hold around an address. Of a list that is
// there because no target is named it is known that nothing comes of it.
func (l *leaks) holds(ctx context.Context, a netip.Addr) ([]edgeban.Held, error) {
	all, err := l.d.store.Around(ctx, a)
	g := l.d.current.Load()
	return slices.DeleteFunc(all, func(h edgeban.Held) bool {
		i := g.keeperOf(h.Target)
		return i < 0 || g.c.Targets[i].Feed != nil && g.c.Targets[i].Feed.StandIn
	}), err
}

// keeperOf returns the number of the keeper of a place, or -1.
func (g *generation) keeperOf(place string) int {
	return slices.IndexFunc(g.keepers, func(k *enforce.Keeper) bool { return k.Place == place })
}

// work looks for the causes of leaks until ctx is done, and tells them.
func (l *leaks) work(ctx context.Context) error {
	tick := time.NewTicker(leaksEvery)
	defer tick.Stop()
	saved := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		told, err := l.explain(ctx)
		if err == nil && (told || l.behind() && time.Since(saved) >= leaksSaved) {
			saved = time.Now()
			err = l.save(ctx)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
}

func (l *leaks) behind() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at != l.saved
}

// explain looks for the causes that are due. It reports whether anybody was told.
// The errors are the ledger's.
func (l *leaks) explain(ctx context.Context) (told bool, err error) {
	g, now := l.d.current.Load(), l.d.Now()
	if l.d.clock.Doubt() != "" { // a wrong time makes any line late
		return false, nil
	}
	if err := l.drop(ctx, now); err != nil {
		return false, err
	}
	l.mu.Lock()
	due := l.detector.Due(now)
	l.mu.Unlock()
	known, asked := map[string]finding{}, 0 // what is wrong at targets, whoever leaks
	for _, k := range due {
		if !g.proved(k) {
			continue
		}
		who := fmt.Sprint(k.At, k.Entry.Addr().Is4())
		f, ok := known[who]
		var failed error
		if !ok {
			if asked++; asked > leaksAsked {
				break
			}
			f, failed = g.findLeak(ctx, k)
		}
		if ctx.Err() != nil {
			break
		}
		if f.cause.Everybodys() {
			known[who] = f
		}
		if !l.settle(k, f, failed, now) {
			continue
		}
		told = true
		if err := l.tell(ctx, g, k, f, now); err != nil {
			return told, err
		}
	}
	return told, nil
}

// tell tells people of a leak.
func (l *leaks) tell(ctx context.Context, g *generation, k leak.Leak, f finding, now time.Time) error {
	targets := list(g.named(k.At))
	l.d.Log.Error("ban does not work", "subject", k.Entry, "lines", k.Count(), "targets", targets, "why", f.why)
	n := edgeban.Notice{
		Kind: edgeban.NoticeLeak, Time: now, Jail: k.Jail, Subject: k.Entry, Failures: k.Count(), Target: targets, Text: f.why,
	}
	if err := l.d.store.Post(ctx, []edgeban.Notice{n}); err != nil {
		return fmt.Errorf("post: %w", err)
	}
	return nil
}

// settle writes down what was found, and reports whether people are to be told.
func (l *leaks) settle(k leak.Leak, f finding, err error, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil && l.detector.Puzzled(k.Entry, now) < puzzles {
		l.d.Log.Warn("cause of a leak not found, will try again", "subject", k.Entry, "err", err)
		return false
	}
	return l.detector.Explain(k.Entry, f.cause, f.why, now)
}

// drop forgets those that are not held any more as they were.
func (l *leaks) drop(ctx context.Context, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.detector.Prune(now)
	for _, k := range l.detector.All() {
		holds, err := l.holds(ctx, k.Addr)
		if err != nil {
			return err
		}
		if !k.Holds(holds) {
			l.detector.Drop(k.Entry)
		}
	}
	return nil
}

// proved reports whether every target has listed the entry since the lines came
// that are the evidence: one that has lost it, as a firewall that reboots, leaks
// nothing.
func (g *generation) proved(k leak.Leak) bool {
	for _, place := range k.At {
		i := g.keeperOf(place)
		if i < 0 {
			return false
		}
		if s := g.keepers[i].Status(); s.Err != nil || !s.Looked.After(k.Proof) {
			return false
		}
	}
	return true
}

// named returns the names of some places.
func (g *generation) named(places []string) (names []string) {
	for _, p := range places {
		if i := g.keeperOf(p); i >= 0 {
			names = append(names, g.keepers[i].Name)
		}
	}
	return names
}

// list joins names.
func list(names []string) string { return strings.Join(names, ", ") }

// subject names a prefix for people.
func subject(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// A finding is why an entry leaks.
type finding struct {
	cause leak.Cause
	why   string
}

// causes are what the gaps of targets mean, the first that explains most.
var causes = []struct {
	gap   enforce.GapKind
	cause leak.Cause
}{
	{enforce.Behind, leak.Inside},
	{enforce.NoRule, leak.Rule},
	{enforce.NoIPv6, leak.IPv6},
	{enforce.Unfetched, leak.Unfetched},
	{enforce.OpenState, leak.Session},
}

// findLeak works out why an entry leaks: it asks what this host knows, then the
// targets, then the lines. With an error the finding is what can be said all the
// same.
func (g *generation) findLeak(ctx context.Context, k leak.Leak) (finding, error) {
	if p, ok := g.near(k.Addr); ok {
		return finding{leak.Inside, fmt.Sprintf("%s is in %s, like this host: its packets need not cross %s. Look at the device.", k.Addr, p, list(g.named(k.At)))}, nil
	}
	gaps, asked, err := g.gaps(ctx, k)
	for _, c := range causes {
		if text, ok := gaps[c.gap]; ok {
			return finding{c.cause, text}, nil
		}
	}
	rec, lost := g.store.About(ctx, k.Entry, leaksLines)
	if lost == nil && k.Continues(rec.Matches) {
		return finding{leak.Session, "A connection from before the ban goes on: a firewall lets its packets pass until it ends. " +
			"states: kill ends those of an IPv4 address at each ban; end this one at the service."}, nil
	}
	const ways = "Look for a port forward that passes without a rule, another uplink, a VPN, or a proxy that brings others in."
	if err != nil {
		return finding{leak.Elsewhere, fmt.Sprintf("Why is not known, because %v. %s", err, ways)}, err
	}
	seen := "it comes another way. "
	if asked {
		seen = "the rules there are as they should be, so " + seen
	}
	return finding{leak.Elsewhere, strings.ToUpper(seen[:1]) + seen[1:] + ways}, nil
}

// gaps asks the targets that hold an entry why it leaks.
func (g *generation) gaps(ctx context.Context, k leak.Leak) (gaps map[enforce.GapKind]string, asked bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	gaps = map[enforce.GapKind]string{}
	for _, place := range k.At {
		i := g.keeperOf(place)
		if i < 0 {
			continue
		}
		p, ok := g.keepers[i].Target.(enforce.Prober)
		if !ok {
			continue
		}
		gap, failed := p.Gap(ctx, k.Addr, k.Since)
		switch {
		case failed != nil:
			err = cmp.Or(err, fmt.Errorf("%s: %w", g.keepers[i].Name, failed))
		case gap.Kind != enforce.NoGap:
			gaps[gap.Kind] = gap.Text
		}
		asked = true
	}
	return gaps, asked, err
}

// near returns the network that this host shares with an address: packets between
// the two cross no firewall.
func (g *generation) near(a netip.Addr) (netip.Prefix, bool) {
	networks, err := g.Networks()
	if err != nil {
		return netip.Prefix{}, false
	}
	i := slices.IndexFunc(networks, func(p netip.Prefix) bool { return !p.IsSingleIP() && p.Contains(a) })
	if i < 0 {
		return netip.Prefix{}, false
	}
	return networks[i].Masked(), true
}

// interfaces returns the networks that this host has an address in.
func interfaces() (networks []netip.Prefix, err error) {
	addrs, err := net.InterfaceAddrs()
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			networks = append(networks, p)
		}
	}
	return networks, err
}
