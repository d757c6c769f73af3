package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce/gate"
	"github.com/edgeban/edgeban/internal/leak"
	"github.com/edgeban/edgeban/internal/never"
	"github.com/edgeban/edgeban/internal/notify"
	"github.com/edgeban/edgeban/internal/zone"
)

// ladder is the name of its snapshot; no jail can be called so.
const ladder = "(escalations)"

// findZones works the zones out anew: this host's networks may have changed.
func (g *generation) findZones() {
	own, err := g.Networks()
	if err != nil {
		if g.zones.Load() != nil {
			return // what was known is the best that there is
		}
		g.Log.Warn("this host's networks are not known", "err", err)
	}
	g.zones.Store(zone.New(g.c.Zones, own))
}

// unharmed returns the networks of the zones that are never banned.
func (g *generation) unharmed() []string {
	private := never.PrivateWords()
	if own, err := g.Networks(); err == nil {
		for _, p := range own {
			if p = p.Masked(); !never.PrivatePrefix(p) && !p.Addr().IsLoopback() {
				private = append(private, p.String())
			}
		}
	}
	return zone.Protected(g.c.Zones, private)
}

// inside reports whether a subject is in a network of the owner's.
func (g *generation) inside(p netip.Prefix) bool { return g.zones.Load().Inside(p) }

// raised reports whether a ban goes to a target because it leaks at others.
func (g *generation) raised(b edgeban.Ban, target string) bool {
	now := g.Now()
	return g.ladder.Raised(b.Subject, target, now) || b.Addr.IsValid() && g.ladder.Raised(netip.PrefixFrom(b.Addr, b.Addr.BitLen()), target, now)
}

// whereabouts tells of an inside attacker what people need to find it, and who holds it.
func (g *generation) whereabouts(ctx context.Context, p netip.Prefix) (at notify.Place) {
	if p.IsSingleIP() {
		at.Host = g.HostName(ctx, p.Addr())
	}
	z := g.zones.Load().Of(p)
	if z == nil || z.Name == config.Internet {
		return at
	}
	at.Zone, at.Look = z.Name, z.Look
	if g.refuse(edgeban.Ban{Key: edgeban.Key{Subject: p}}) == "" {
		at.Targets = z.Targets
	}
	return at
}

// hostName asks the system's resolver, but not for long: people wait for the message.
func hostName(ctx context.Context, a netip.Addr) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	names, err := net.DefaultResolver.LookupAddr(ctx, a.String())
	if err != nil || len(names) == 0 {
		return ""
	}
	return strings.TrimSuffix(names[0], ".")
}

// steps returns the steps that were taken in earlier lives.
func (d *daemon) steps(ctx context.Context) *zone.Ladder {
	s, err := d.store.Restore(ctx, ladder)
	if errors.Is(err, edgeban.ErrNotFound) {
		return zone.NewLadder()
	}
	var l *zone.Ladder
	if err == nil {
		l, err = zone.Restore(s.State)
	}
	if err != nil {
		d.Log.Error("which bans leaked is not known: they begin at their first targets", "err", err)
		return zone.NewLadder()
	}
	return l
}

// gated is a target that holds its bans in memory.
type gated interface{ Keeps() *gate.Gate }

// keepShut has doors refuse whom they refused in the generation before.
func (g *generation) keepShut(earlier *generation) {
	for i, c := range g.c.Targets {
		next, ok := g.targets[c.Name].(gated)
		if !ok {
			continue
		}
		for j, old := range earlier.c.Targets {
			before, ok := earlier.targets[old.Name].(gated)
			if ok && place(earlier.c.Targets[j]) == place(g.c.Targets[i]) {
				next.Keeps().Inherit(before.Keeps())
			}
		}
	}
}

// escalate has the next target of the zone hold what leaks, as long as the ban stands.
func (d *daemon) escalate(ctx context.Context, k leak.Leak, why string) (string, error) {
	g, now := d.current.Load(), d.Now()
	next := d.ladder.Next(g.zones.Load().Of(k.Entry), k.Entry, now)
	if next == "" {
		return "", nil
	}
	until, stands, err := g.bannedUntil(ctx, k.Entry, now)
	if err != nil || !stands {
		return "", err
	}
	from := strings.Join(g.describeLeak(k).Targets, ", ")
	d.ladder.Raise(zone.Step{Entry: k.Entry, At: now, From: from, To: next, Why: why}, until)
	d.Log.Warn("ban leaks, another target is to hold it", "subject", k.Entry, "at", from, "next", next)
	if err := d.keepSteps(ctx); err != nil {
		return "", err
	}
	for _, keeper := range g.keepers {
		if keeper.Name == next {
			keeper.Wake()
		}
	}
	return next, nil
}

// keepSteps writes the ladder down.
func (d *daemon) keepSteps(ctx context.Context) error {
	state, err := d.ladder.Snapshot()
	if err != nil {
		return err
	}
	at, _, err := d.store.Head(ctx)
	if err == nil {
		err = d.store.Snapshot(ctx, edgeban.Snapshot{Jail: ladder, At: at, State: state})
	}
	if err != nil {
		return fmt.Errorf("escalations: %w", err)
	}
	return nil
}

// bannedUntil returns when the last ban around an entry ends.
func (g *generation) bannedUntil(ctx context.Context, entry netip.Prefix, now time.Time) (until time.Time, stands bool, err error) {
	bans, err := g.store.Standing(ctx, now)
	if err != nil {
		return until, false, err
	}
	around := func(b edgeban.Ban) bool { return b.Subject.Overlaps(entry) }
	all := slices.DeleteFunc(slices.Collect(bans), func(b edgeban.Ban) bool { return !around(b) })
	if len(all) == 0 {
		return until, false, nil
	}
	last := all[0]
	for _, b := range all[1:] {
		if b.Outlasts(last) {
			last = b
		}
	}
	return last.Until, true, nil
}
