package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/daemon/judge"
	"github.com/edgeban/edgeban/internal/web"
)

// api answers the commands. It asks whichever generation runs at the time.
type api struct{ d *daemon }

var _ web.Backend = api{}

// Bans implements web.Backend.
func (a api) Bans(ctx context.Context) (iter.Seq[web.Ban], error) {
	g := a.d.current.Load()
	bans, err := g.store.Standing(ctx, g.Now())
	if err != nil {
		return nil, err
	}
	holds, err := g.holds(ctx)
	if err != nil {
		return nil, err
	}
	leaks := g.leaks.Leaking(g.Now())
	return func(yield func(web.Ban) bool) {
		for b := range newest(bans, fewBans) {
			w := g.describe(b, holds)
			w.Leaking = leakingLines(leaks, b.Subject)
			if !yield(w) {
				return
			}
		}
	}, nil
}

// holds finds what is known of a subject at the targets.
type holds func(netip.Prefix) []web.Hold

// holds asks what every target is known to hold.
func (g *generation) holds(ctx context.Context) (holds, error) {
	all := make([]edgeban.Holdings, len(g.c.Targets))
	for i, t := range g.c.Targets {
		var err error
		if all[i], err = g.store.Holdings(ctx, place(t)); err != nil {
			return nil, err
		}
	}
	return func(p netip.Prefix) (out []web.Hold) {
		for i, t := range g.c.Targets {
			if h, ok := all[i].Of(p); ok {
				out = append(out, holdAt(t, g.dropped(h)))
			}
		}
		return out
	}, nil
}

// place says what a target is, however it is called: two names of one alias are
// one place, and another alias under an old name is another one.
func place(t config.Target) string {
	switch {
	case t.OPNsense != nil:
		return t.OPNsense.URL + " " + t.OPNsense.Alias
	case t.Traefik != nil:
		return "traefik " + cmp.Or(t.Traefik.File, t.Traefik.Listen)
	case t.Dovecot != nil:
		return "dovecot " + t.Dovecot.Listen
	case t.Postfix != nil:
		return "postfix " + t.Postfix.Listen
	}
	return "feed " + t.Feed.Listen
}

// hold describes what is known of an entry, by the present name of its target.
func (g *generation) hold(h edgeban.Held) web.Hold {
	at := config.Target{Name: h.Target}
	for _, t := range g.c.Targets {
		if place(t) == h.Target {
			at = t
		}
	}
	return holdAt(at, g.dropped(h))
}

func holdAt(t config.Target, h edgeban.Held) web.Hold {
	return web.Hold{Subject: h.Subject, Target: t.Name, Sent: h.Sent, Held: h.Held, Released: h.Released, Foreign: h.Foreign, Served: t.Feed != nil, Packets: h.Packets}
}

// describe tells of a ban, and of who holds it where holds is given.
func (g *generation) describe(b edgeban.Ban, holds holds) web.Ban {
	w := web.Ban{
		Subject: b.Subject, Jail: b.Jail, Since: b.Since, Until: b.Until,
		Failures: b.Failures, Nth: b.Nth, Reason: b.Reason, Held: []web.Hold{},
	}
	if holds != nil {
		w.Held = append(w.Held, holds(b.Subject)...)
	}
	if holds != nil && len(w.Held) == 0 && b.Addr.IsValid() { // a target that takes single addresses only
		w.Held = append(w.Held, holds(netip.PrefixFrom(b.Addr, b.Addr.BitLen()))...)
	}
	w.Refused = g.refuse(b)
	if !slices.ContainsFunc(g.c.Targets, func(t config.Target) bool { return g.sends(b, t.Name) }) && w.Refused == "" {
		w.Refused = "no target is to hold it"
	}
	return w
}

// Ban implements web.Backend.
func (a api) Ban(ctx context.Context, r web.BanRequest) (web.BanResult, error) {
	g := a.d.current.Load()
	if !r.Subject.IsValid() {
		return web.BanResult{}, &web.BadRequest{Text: "no address is given"}
	}
	if r.For == 0 {
		return web.BanResult{}, &web.BadRequest{Text: "a ban of no time is none; give a duration, or a negative one for ever"}
	}
	r.Subject = web.Canonical(r.Subject)
	list := g.never.Load()
	if why, ok := list.Protects(r.Subject); ok {
		return web.BanResult{}, &web.BadRequest{Text: fmt.Sprintf("%s is not banned: it is protected: %s", r.Subject, why)}
	}
	widest, family := g.c.Budget.IPv6, "ipv6"
	if r.Subject.Addr().Is4() {
		widest, family = g.c.Budget.IPv4, "ipv4"
	}
	if r.Subject.Bits() < widest {
		return web.BanResult{}, &web.BadRequest{Text: fmt.Sprintf("%s is wider than the budget allows (/%d); write budget: {%s: %d} for that", r.Subject, widest, family, r.Subject.Bits())}
	}
	now := g.Now()
	b := edgeban.Ban{
		Key: edgeban.Key{Jail: config.Manual, Subject: r.Subject}, Since: now, Nth: 1,
		Node: "", Reason: cmp.Or(r.Reason, "by hand"),
	}
	if r.Subject.IsSingleIP() {
		b.Addr = r.Subject.Addr()
	}
	if r.For >= 0 {
		b.Until = now.Add(r.For)
	}
	standing, err := g.store.Standing(ctx, now)
	if err != nil {
		return web.BanResult{}, err
	}
	for s := range standing {
		if s.Key == b.Key && !b.Outlasts(s) { // it stands longer already
			return web.BanResult{Ban: g.describe(s, nil)}, nil
		}
	}
	notices := []edgeban.Notice{{Kind: edgeban.NoticeBan, Time: now, Jail: b.Jail, Subject: b.Subject, Until: b.Until, Nth: 1, Text: b.Reason}}
	if g.zones.Load().Inside(b.Subject) {
		notices = nil // no edge stops it, and nobody has attacked: who asked is told
	}
	if err := g.store.Impose(ctx, edgeban.Verdict{Ban: b, Notices: notices}); err != nil {
		return web.BanResult{}, err
	}
	g.Log.Info("ban by hand", "subject", b.Subject, "for", judge.Length(b))
	return web.BanResult{Ban: g.describe(b, nil)}, nil
}

// Unban implements web.Backend: it lifts whatever contains p or lies in it, in
// all jails.
func (a api) Unban(ctx context.Context, p netip.Prefix) (web.UnbanResult, error) {
	g := a.d.current.Load()
	now := g.Now()
	bans, err := g.store.Standing(ctx, now)
	if err != nil {
		return web.UnbanResult{}, err
	}
	res := web.UnbanResult{Lifted: []web.Ban{}}
	for b := range bans {
		if !b.Subject.Overlaps(p) {
			continue
		}
		err := g.store.Lift(ctx, edgeban.Lift{Key: b.Key, At: now, By: "edgeban unban"})
		if errors.Is(err, edgeban.ErrNotFound) { // it ended meanwhile
			continue
		}
		if err != nil {
			return res, err
		}
		g.Log.Info("unban by hand", "jail", b.Jail, "subject", b.Subject)
		res.Lifted = append(res.Lifted, g.describe(b, nil))
	}
	return res, nil
}

// Why implements web.Backend.
func (a api) Why(ctx context.Context, p netip.Prefix) (web.Why, error) {
	g := a.d.current.Load()
	const lines = 50
	rec, err := g.store.About(ctx, p, lines)
	if err != nil {
		return web.Why{}, err
	}
	w := web.Why{Prefix: p, Bans: []web.Ban{}, Lines: []web.Line{}, Lifts: []web.Lifted{}, Holds: []web.Hold{}}
	w.Protected, _ = g.never.Load().Protects(p)
	for i, b := range rec.Bans {
		ban := g.describe(b, nil)
		ban.Prolongs = prolongs(b, rec.Bans[:i], rec.Lifts)
		w.Bans = append(w.Bans, ban)
	}
	for _, m := range rec.Matches {
		w.Lines = append(w.Lines, web.Line{
			Time: m.Time, Jail: m.Jail, Kind: m.Kind.String(), Addr: m.Addr, Count: m.Count,
			User: m.User, Text: m.Text, Ignored: m.Ignored,
		})
	}
	for _, s := range g.ladder.About(p) {
		w.Steps = append(w.Steps, web.Step{Subject: s.Entry, At: s.At, From: s.From, To: s.To, Why: s.Why})
	}
	for _, l := range rec.Lifts {
		w.Lifts = append(w.Lifts, web.Lifted{Jail: l.Jail, At: l.At, By: l.By})
	}
	for _, h := range rec.Held {
		w.Holds = append(w.Holds, g.hold(h))
	}
	for _, k := range g.leaks.Leaking(g.Now()) {
		if k.Entry.Overlaps(p) {
			w.Leaks = append(w.Leaks, g.describeLeak(k))
		}
	}
	return w, nil
}

// prolongs reports whether a ban was decided while an earlier one of its key stood,
// for the same offence.
func prolongs(b edgeban.Ban, earlier []edgeban.Ban, lifts []edgeban.Lift) bool {
	return slices.ContainsFunc(earlier, func(a edgeban.Ban) bool {
		return a.Key == b.Key && a.Standing(b.Since) && b.Nth <= a.Nth && !slices.ContainsFunc(lifts, func(l edgeban.Lift) bool {
			return l.Key == a.Key && !l.At.Before(a.Since) && !l.At.After(b.Since)
		})
	})
}

// Adopt implements web.Backend: what the targets hold and nobody knows becomes
// ours, as bans that end when the longest ban of a lost ledger would have.
func (a api) Adopt(ctx context.Context) (web.AdoptResult, error) {
	g := a.d.current.Load()
	res := web.AdoptResult{Adopted: map[string]int{}}
	_, res.Found = g.store.Lost()
	for _, t := range g.c.Targets {
		n, err := g.adopt(ctx, t)
		if err != nil {
			return res, fmt.Errorf("target %s: %w", t.Name, err)
		}
		res.Adopted[t.Name] = n
	}
	if err := g.store.Found(ctx); err != nil {
		return res, err
	}
	for _, k := range g.keepers {
		k.Wake()
	}
	return res, nil
}

func (g *generation) adopt(ctx context.Context, t config.Target) (int, error) {
	listed, err := g.targets[t.Name].Held(ctx)
	if err != nil {
		return 0, err
	}
	known, err := g.store.Holdings(ctx, place(t))
	if err != nil {
		return 0, err
	}
	now, n := g.Now(), 0
	for _, e := range listed {
		b := edgeban.Ban{
			Key: edgeban.Key{Jail: config.Adopted, Subject: e}, Since: now, Until: now.Add(min(g.longest(), 7*24*time.Hour)),
			Nth: 1, Reason: "found in " + t.Name,
		}
		if e.IsSingleIP() {
			b.Addr = e.Addr()
		}
		if h, ok := known.Of(e); ok && h.Ours() || g.refuse(b) != "" {
			continue
		}
		// First ours, then wanted: a look between the two must not take it for foreign.
		h := edgeban.Held{Subject: e, Target: place(t), Sent: now, Held: now}
		if err := g.store.Note(ctx, []edgeban.Held{h}, nil); err != nil {
			return n, err
		}
		if err := g.store.Impose(ctx, edgeban.Verdict{Ban: b}); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// kindOf names the kind of a target for people.
func kindOf(c config.Target, t any) string {
	if k, ok := t.(interface{ Kind() string }); ok && c.OPNsense != nil {
		return "opnsense alias, " + k.Kind()
	}
	switch {
	case c.Traefik != nil:
		return "traefik"
	case c.Dovecot != nil:
		return "dovecot"
	case c.Postfix != nil:
		return "postfix"
	}
	return "feed"
}
