package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
)

// refuse is the last gate before a target: it says why a ban is never sent to
// it, or returns "". It does not rely on anything that was decided before.
func (g *generation) refuse(b edgeban.Ban) string {
	if why := g.zones.Load().Refuse(b.Subject); why != "" {
		return why
	}
	if why, ok := g.never.Load().Protects(b.Subject); ok {
		return "protected: " + why
	}
	return ""
}

// sends reports whether a ban goes to a target: by its zone, or because it leaks at
// those before, or else by its jail.
func (g *generation) sends(b edgeban.Ban, target string) bool {
	sends, decided := g.zones.Load().Sends(b.Subject, target)
	if !decided {
		sends = g.serves(b.Jail, target)
	}
	return sends || g.raised(b, target)
}

// serves reports whether the bans of a jail go to a target. Bans of jails that
// are not configured any more, and those by hand, go everywhere.
func (g *generation) serves(jail, target string) bool {
	i := slices.IndexFunc(g.c.Jails, func(j config.Jail) bool { return j.Name == jail })
	return i < 0 || len(g.c.Jails[i].Targets) == 0 || slices.Contains(g.c.Jails[i].Targets, target)
}

// fits reports whether every target of a jail can hold p.
func (g *generation) fits(c config.Jail, p netip.Prefix) bool {
	for name, t := range g.targets {
		if g.serves(c.Name, name) && !t.Fits(p) {
			return false
		}
	}
	return true
}

// doubt says why nothing may be removed from any target now, or returns "".
func (g *generation) doubt() string {
	if d := g.clock.Doubt(); d != "" {
		return d
	}
	if since, lost := g.store.Lost(); lost && g.Now().Before(since.Add(g.longest())) {
		return "the ledger was lost: run edgeban adopt to take over what the targets hold"
	}
	return ""
}

// partial reports whether the ledger may lack bans that stand.
func (g *generation) partial() bool {
	since, lost := g.store.Lost()
	return lost && g.Now().Before(since.Add(g.longest()))
}

// longest returns how long a ban of a lost ledger may still stand.
func (g *generation) longest() time.Duration {
	const century = 100 * 365 * 24 * time.Hour
	d := time.Hour
	for _, j := range g.c.Jails {
		if j.BanTime == config.Forever {
			return century
		}
		d = max(d, j.BanTime, j.Increment.MaxTime+j.Increment.RandomTime)
		if j.Increment.Enabled && j.Increment.MaxTime == 0 {
			return century
		}
	}
	return d
}

// retell is how long a trouble that comes and goes is not told again.
const retell = time.Hour

// trouble writes down something that a person must mend, and tells it when it
// begins. Its words may change while it lasts.
func (g *generation) trouble(ctx context.Context, about, text string) {
	g.mu.Lock()
	_, known := g.troubles[about]
	g.troubles[about] = text
	g.mu.Unlock()
	if known || !g.tell(about) {
		return
	}
	n := []edgeban.Notice{{Kind: edgeban.NoticeTrouble, Time: g.Now(), Text: text}}
	if err := g.store.Post(ctx, n); err != nil && ctx.Err() == nil {
		g.Log.Error("notice not kept", "err", err)
	}
}

// tell reports whether a trouble was not told lately, by whatever generation.
func (d *daemon) tell(about string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.Now()
	if at, ok := d.told[about]; ok && now.Sub(at).Abs() < retell {
		return false
	}
	d.told[about] = now
	return true
}

// mended forgets a trouble.
func (g *generation) mended(about string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.troubles, about)
}

// unread is what a trouble with reading a source is about.
const unread = "read "

// inspectLogs forgets the troubles with logs that are over.
func (g *generation) inspectLogs() {
	present := map[string]bool{}
	for _, s := range g.readings() {
		present[unread+s.source+": "+s.Err] = true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for about := range g.troubles {
		if strings.HasPrefix(about, unread) && !strings.HasPrefix(about, unread+"stdin: ") && !present[about] {
			delete(g.troubles, about)
		}
	}
}

// housekeep looks after what no event announces: the ledger's size and health,
// logs in another time zone, and logs that cannot be read.
func (d *daemon) housekeep(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	pruned := d.Now().Add(time.Minute - time.Hour) // a start has enough to do
	limit := int64(maxLedger)
	for {
		g := d.current.Load()
		g.inspect(ctx)
		if now := d.Now(); (now.Sub(pruned).Abs() >= time.Hour || d.used(ctx) > limit) && d.clock.Doubt() == "" {
			pruned = now
			if err := d.store.Prune(ctx, now, g.retention()); err != nil && ctx.Err() == nil {
				d.Log.Warn("ledger not pruned", "err", err)
			}
			limit = max(maxLedger, d.used(ctx)+maxLedger/8) // what had to stay is not looked at again each time
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// maxLedger is the size beyond which the oldest lines are forgotten early.
const maxLedger = 512 << 20

// used returns how many bytes the ledger has; 0 where that cannot be known.
func (d *daemon) used(ctx context.Context) int64 {
	used, err := d.store.Used(ctx)
	if err != nil {
		return 0
	}
	return used
}

func (g *generation) retention() edgeban.Retention {
	r := edgeban.Retention{Matches: 7 * 24 * time.Hour, Bans: g.c.Forget, Size: maxLedger}
	r.Jails = []string{}
	for _, j := range g.c.Jails {
		r.Jails = append(r.Jails, j.Name)
		r.Matches = max(r.Matches, 2*j.FindTime)
	}
	return r
}

func (g *generation) inspect(ctx context.Context) {
	g.check(ctx, "ledger", g.ledgerTrouble())
	g.check(ctx, "clock", g.clock.Doubt())
	for _, w := range g.watchers {
		g.check(ctx, "skew "+w.Jail.Name, w.Skewed())
		g.check(ctx, "spent "+w.Jail.Name, w.Degraded(g.Now()))
	}
	for name, target := range g.targets {
		if t, ok := target.(interface{ Trouble() string }); ok {
			text := t.Trouble()
			if text != "" {
				text = "target " + name + ": " + text
			}
			g.check(ctx, "target "+name, text)
		}
	}
	g.inspectLogs()
	g.inspectProxies(ctx)
	g.findZones()
}

func (g *generation) check(ctx context.Context, about, text string) {
	if text == "" {
		g.mended(about)
	} else {
		g.trouble(ctx, about, text)
	}
}

func (g *generation) ledgerTrouble() string {
	if err := g.store.Trouble(); err != nil {
		return "The ledger cannot be written, bans go on from memory: " + err.Error()
	}
	if _, lost := g.store.Lost(); lost {
		return "The ledger was damaged and set aside, and what can be read of it is used. Until its longest ban would have ended nothing is removed from any target; edgeban adopt takes over what they hold."
	}
	return ""
}

// summary is one line for the service manager.
func (g *generation) summary() string {
	return fmt.Sprintf("%d jails, %d targets, %d notifiers", len(g.c.Jails), len(g.c.Targets), len(g.c.Notify))
}
