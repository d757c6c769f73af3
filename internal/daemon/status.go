package daemon

import (
	"context"
	"net/netip"
	"slices"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/daemon/judge"
	"github.com/edgeban/edgeban/internal/intake"
	"github.com/edgeban/edgeban/internal/web"
)

// Status implements web.Backend.
func (a api) Status(ctx context.Context) (web.Status, error) {
	g := a.d.current.Load()
	st := web.Status{
		Version: g.Version, Started: g.started, Now: g.Now(), Troubles: []string{},
		Jails: []web.Jail{}, Targets: []web.Target{}, Notifiers: []web.Notifier{}, Streams: []web.Stream{},
	}
	bans, err := g.store.Standing(ctx, st.Now)
	if err != nil {
		return st, err
	}
	banned := map[string]int{}
	for b := range bans {
		banned[b.Jail]++
	}
	for _, j := range g.judges {
		st.Jails = append(st.Jails, g.jailStatus(j, banned[j.Jail.Name]))
	}
	for i, k := range g.keepers {
		c := g.c.Targets[i]
		s := k.Status()
		t := g.targetStatus(c, s)
		if s.Looked.IsZero() { // it was never reached
			for b := range bans {
				if g.sends(b, c.Name) && g.refuse(b) == "" {
					t.Wanted++
				}
			}
		}
		st.Targets = append(st.Targets, t)
	}
	for _, d := range g.deliveries {
		s := d.Status()
		st.Notifiers = append(st.Notifiers, web.Notifier{Name: s.Name, Last: s.Told, Error: s.Err})
	}
	st.Streams = g.streams()
	for _, k := range g.leaks.Leaking(st.Now) {
		st.Leaks = append(st.Leaks, g.describeLeak(k))
	}
	st.Troubles = g.listTroubles(st)
	st.Healthy = len(st.Troubles) == 0
	return st, nil
}

func (g *generation) jailStatus(j *judge.Judge, banned int) web.Jail {
	w := web.Jail{Name: j.Jail.Name, Filter: j.Jail.Filter, Banned: banned}
	w.Counting = j.Counting()
	i := slices.IndexFunc(g.watchers, func(x *intake.Watcher) bool { return x.Jail.Name == j.Jail.Name })
	if i < 0 {
		return w
	}
	s := g.watchers[i].Stats()
	w.Lines, w.Failures, w.Successes, w.Ignored = s.Lines, s.Failures, s.Successes, s.Ignored
	w.Undated, w.Names, w.Spent, w.Skew = s.Undated, s.Names, s.Spent, s.Skew
	return w
}

func (g *generation) streams() []web.Stream {
	out := []web.Stream{}
	for _, s := range g.readings() {
		w := web.Stream{
			Origin: s.Origin, Size: s.Size, Offset: s.Offset, Skipped: int64(s.Long), Read: s.Read, Live: s.Live, Error: s.Err,
			Lines: s.Lines, Dropped: s.Dropped, Note: s.Note,
		}
		if s.source != "file" {
			w.Source = s.source
		}
		if w.Read.IsZero() {
			w.Read = g.readAt[w.Origin]
		}
		out = append(out, w)
	}
	return out
}

// bannedBy returns the jails whose bans of a subject were the last, one after the
// other or at the same time.
func (g *generation) bannedBy(ctx context.Context, p netip.Prefix) (jails []string) {
	rec, err := g.store.About(ctx, p, 0)
	if err != nil {
		g.Log.Error("not known who was banned by whom", "subject", p, "err", err)
		return nil
	}
	if len(rec.Bans) == 0 {
		return nil
	}
	last := slices.MaxFunc(rec.Bans, func(a, b edgeban.Ban) int { return a.Since.Compare(b.Since) })
	for _, b := range rec.Bans {
		if b.Standing(last.Since) && !slices.Contains(jails, b.Jail) {
			jails = append(jails, b.Jail)
		}
	}
	return jails
}

// listTroubles returns what a person must mend, one sentence each.
func (g *generation) listTroubles(st web.Status) []string {
	out := []string{}
	g.mu.Lock()
	for _, text := range g.troubles {
		out = append(out, text)
	}
	g.mu.Unlock()
	for _, b := range g.c.Broken { // also before it was told
		out = append(out, brokenText(b))
	}
	for _, t := range st.Targets {
		if t.Error != "" {
			out = append(out, "target "+t.Name+": "+t.Error)
		}
	}
	out = append(out, leakTroubles(st.Leaks)...)
	for _, n := range st.Notifiers {
		if n.Error != "" {
			out = append(out, "notify "+n.Name+": "+n.Error)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
