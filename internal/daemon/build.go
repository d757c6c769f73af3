package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/daemon/judge"
	"github.com/edgeban/edgeban/internal/enforce"
	"github.com/edgeban/edgeban/internal/enforce/dovecot"
	"github.com/edgeban/edgeban/internal/enforce/feed"
	"github.com/edgeban/edgeban/internal/enforce/opnsense"
	"github.com/edgeban/edgeban/internal/enforce/postfix"
	"github.com/edgeban/edgeban/internal/enforce/traefik"
	"github.com/edgeban/edgeban/internal/intake"
	"github.com/edgeban/edgeban/internal/never"
	"github.com/edgeban/edgeban/internal/notify"
	"github.com/edgeban/edgeban/internal/source"
	"github.com/edgeban/edgeban/internal/zone"
)

// A generation is what one configuration runs. It is built whole before the one
// before it ends, so that a bad configuration never stops a good one.
type generation struct {
	*daemon
	c          config.Config
	finder     *never.Finder
	never      atomic.Pointer[never.List]
	zones      atomic.Pointer[zone.Map]
	names      *intake.Names     // looks up the hosts that failed
	watchers   []*intake.Watcher // the jails that read logs
	judges     []*judge.Judge
	targets    map[string]enforce.Target
	keepers    []*enforce.Keeper
	deliveries []*notify.Delivery
	served     []served  // what others ask
	reports    []reports // what tells of logins by itself
	files      *source.File
	feeders    []feeder // the sources that are no files
	syslogs    []taking
	piped      bool                 // some jail reads the standard input
	readAt     map[string]time.Time // when the generation before last read a log, by its path

	turn     sync.Mutex // of the keepers
	mu       sync.Mutex
	troubles map[string]string // present ones, by what they are about
}

// served is what listens on a port of its own.
type served interface {
	Addr() string
	Serve(ctx context.Context, ln net.Listener) error
}

// reports is a target that is told of logins.
type reports struct {
	name string
	*dovecot.Door
}

// build makes a generation, and starts nothing.
func (d *daemon) build(c config.Config) (*generation, error) {
	g := &generation{
		daemon: d, c: c, targets: map[string]enforce.Target{}, troubles: map[string]string{},
		finder: &never.Finder{Never: c.Never, Hosts: c.Hosts(), Memory: filepath.Join(d.Config.State, "names.json"), Log: d.Log},
	}
	g.findZones()
	g.finder.Never = slices.Concat(c.Never, g.unharmed())
	g.names = intake.NewNames(lookup, g.store, g.never.Load)
	for _, t := range c.Targets {
		if err := g.addTarget(t); err != nil {
			return nil, fmt.Errorf("target %s: %w", t.Name, err)
		}
	}
	for _, j := range c.Jails {
		if err := g.addJail(j); err != nil {
			return nil, fmt.Errorf("jail %s: %w", j.Name, err)
		}
	}
	for _, n := range c.Notify {
		g.addNotifier(n)
	}
	g.addSources()
	return g, nil
}

// addTarget knows every kind of target.
func (g *generation) addTarget(c config.Target) error {
	s := enforce.Settings{
		Name: c.Name, Place: place(c), Ledger: g.store, Budget: g.c.Budget, Every: g.Look, Log: g.Log, Now: g.Now,
		Sends: func(b edgeban.Ban) bool { return g.sends(b, c.Name) }, Refuse: g.refuse, Doubt: g.doubt, Partial: g.partial, Turn: &g.turn,
	}
	switch {
	case c.OPNsense != nil:
		a, err := g.alias(*c.OPNsense)
		if err != nil {
			return err
		}
		s.Target, s.Exclusive = a, c.OPNsense.Exclusive
	case c.Feed != nil:
		f := feed.New(*c.Feed, g.Config.State, g.Log)
		g.served = append(g.served, f)
		s.Target, s.Exclusive = f, true
	case c.Traefik != nil:
		d := traefik.New(*c.Traefik, g.Config.State, g.Transport, g.Log)
		if d.Addr() != "" {
			g.served = append(g.served, d)
		}
		s.Target, s.Exclusive = d, true
	case c.Dovecot != nil:
		d := dovecot.New(*c.Dovecot, g.Transport, g.Log)
		g.served, g.reports = append(g.served, d), append(g.reports, reports{c.Name, d})
		s.Target, s.Exclusive = d, true
	case c.Postfix != nil:
		p := postfix.New(*c.Postfix, g.Log)
		g.served = append(g.served, p)
		s.Target, s.Exclusive = p, true
	default:
		return fmt.Errorf("no kind is set")
	}
	g.targets[c.Name] = s.Target
	g.keepers = append(g.keepers, enforce.NewKeeper(s))
	return nil
}

func (g *generation) alias(c config.OPNsense) (a *opnsense.Alias, err error) {
	if g.Transport != nil {
		a, err = opnsense.NewWithTransport(c, g.Transport)
	} else {
		a, err = opnsense.New(c)
	}
	if err == nil {
		a.Log = g.Log
	}
	return a, err
}

// addNotifier knows every kind of notifier.
func (g *generation) addNotifier(c config.Notifier) {
	n := notify.NewNtfy(*c.Ntfy, g.Transport)
	g.deliveries = append(g.deliveries, notify.NewDelivery(g.store, c.Name, n, notify.Options{On: c.On, Jails: c.Jails, Log: g.Log, Banned: g.bannedBy, Prove: g.prove, Free: g.free, Place: g.whereabouts}))
}

func (g *generation) addJail(c config.Jail) error {
	g.judges = append(g.judges, &judge.Judge{
		Jail: c, Ledger: g.store, Lease: g.store, Log: g.Log, Now: g.Now, Forget: g.c.Forget,
		Sure: func() bool { return g.clock.Doubt() == "" }, Inside: g.inside,
	})
	if c.OverBans() { // over the bans of the others
		return nil
	}
	w, err := intake.NewWatcher(c, intake.Settings{
		Fits: func(p netip.Prefix) bool { return g.fits(c, p) }, Names: g.names, Inside: g.inside,
		Memory: filepath.Join(g.daemon.Config.State, "names-"+c.Name+".json"), Log: g.Log,
	})
	if err != nil {
		return err
	}
	g.watchers = append(g.watchers, w)
	return nil
}

// lookups is how many names are looked up at once.
const lookups = 4

// lookup asks the resolver of the system for the addresses of a host.
func lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// addSources knows every kind of source. All logs are one source: two jails that
// read the same file read it once.
func (g *generation) addSources() {
	var globs []string
	for _, j := range g.c.Jails {
		for _, p := range j.LogPath {
			if p == config.Stdin {
				g.piped = true
			} else if !slices.Contains(globs, p) {
				globs = append(globs, p)
			}
		}
	}
	if len(globs) > 0 {
		g.files = source.NewFile(source.FileConfig{Name: "file", Globs: globs, Log: g.Log})
	}
	for _, c := range g.c.Sources {
		g.addSource(c)
	}
}

// run runs the generation until ctx is done or the ledger fails.
func (g *generation) run(parent context.Context) error {
	for _, n := range g.deliveries { // known before anything is decided: a new one starts at the end
		if err := g.store.Told(parent, n.Status().Name, 0); err != nil && parent.Err() == nil {
			return fmt.Errorf("outbox: %w", err)
		}
	}
	g.tellBroken(parent)
	for _, j := range g.judges {
		if err := j.Begin(context.WithoutCancel(parent)); err != nil {
			return fmt.Errorf("jail %s: %w", j.Jail.Name, err)
		}
	}
	takers := g.takers() // before anybody reports: what nobody takes is dropped
	eg, ctx := errgroup.WithContext(parent)
	const look = 5 * time.Minute
	eg.Go(func() error { return g.finder.Run(ctx, look, g.protectNow) })
	for _, w := range g.watchers {
		eg.Go(func() error { return w.Run(ctx, look) })
	}
	for range lookups {
		eg.Go(func() error { return g.names.Run(ctx) })
	}
	for _, s := range g.served {
		eg.Go(func() error {
			l, err := g.ports.Listen(s.Addr())
			if err != nil {
				return err
			}
			return s.Serve(ctx, l)
		})
	}
	for _, k := range g.keepers {
		eg.Go(func() error { return g.store.Hold(ctx, "target/"+k.Name, k.Run) })
	}
	for _, j := range g.judges {
		eg.Go(func() error { return j.Run(ctx) })
	}
	for _, n := range g.deliveries {
		eg.Go(func() error { return n.Run(ctx) })
	}
	for _, t := range takers {
		eg.Go(func() error { return t.Run(ctx) })
	}
	if g.files != nil {
		eg.Go(func() error { return g.read(ctx, "file", g.files) })
	}
	for _, f := range g.feeders {
		eg.Go(func() error { return g.read(ctx, f.name, f) })
	}
	if g.piped {
		eg.Go(func() error { return g.read(ctx, "stdin", g.stdin) })
	}
	if err := eg.Wait(); err != nil && (parent.Err() == nil || !errors.Is(err, context.Canceled)) {
		return err
	}
	return nil
}

// addresses returns the ports that the generation listens on.
func (g *generation) addresses() (addrs []string) {
	for _, s := range g.served {
		addrs = append(addrs, s.Addr())
	}
	return addrs
}

// protectNow takes a new list; what it protects leaves the targets now.
func (g *generation) protectNow(l *never.List) {
	g.never.Store(l)
	for _, k := range g.keepers {
		k.Wake()
	}
}

// protect finds what is never banned before anything is read.
func (g *generation) protect(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { g.never.Store(g.finder.Find(ctx)) })
	for _, w := range g.watchers {
		wg.Go(func() { w.Protect(ctx) })
	}
	wg.Wait()
}

// remember takes over what the generation before has learned, and told.
func (g *generation) remember(earlier *generation) {
	g.finder.Remember(earlier.finder)
	g.knowBroken(earlier)
	g.keepShut(earlier)
	g.readAt = map[string]time.Time{}
	for _, s := range earlier.streams() {
		g.readAt[s.Origin] = s.Read
	}
	for _, k := range g.keepers {
		for _, old := range earlier.keepers {
			k.Remember(old)
		}
	}
	for _, w := range g.watchers {
		for _, old := range earlier.watchers {
			if old.Jail.Name == w.Jail.Name {
				w.Remember(old)
			}
		}
	}
}

// takers returns those of all reports that a jail counts.
func (g *generation) takers() (all []*intake.Taker) {
	for _, r := range g.reports {
		if t := g.taker(r); len(t.Jails) > 0 {
			all = append(all, t)
		}
	}
	return all
}

// taker returns what carries reported logins to the jails that count them.
func (g *generation) taker(r reports) *intake.Taker {
	t := &intake.Taker{Name: r.name, Ledger: g.store, Never: g.never.Load, Log: g.Log}
	for _, w := range g.watchers {
		if w.Jail.Reads(r.name + "/logins") {
			t.Jails = append(t.Jails, w)
		}
	}
	if len(t.Jails) > 0 {
		t.Found = r.Logins()
	}
	return t
}

func (g *generation) read(ctx context.Context, name string, s source.Source) error {
	r := &intake.Reader{Name: name, Source: s, Jails: g.watchers, Ledger: g.store, Never: g.never.Load}
	cursors, err := g.store.Cursors(ctx, name)
	if err != nil {
		return fmt.Errorf("source %s: %w", name, err)
	}
	return r.Run(ctx, cursors, func(stream string, err error) {
		g.Log.Error("not read", "source", name, "stream", stream, "err", err)
		g.trouble(ctx, "read "+name+": "+err.Error(), err.Error())
	})
}
