package daemon

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce"
	"github.com/edgeban/edgeban/internal/web"
)

// news is how old a ban may be of which a proof is still to be expected.
const news = time.Minute

// prove fills in which targets a ban's subject was seen at, and after how long. It
// reports whether no other is to be expected soon.
func (g *generation) prove(ctx context.Context, n *edgeban.Notice) (settled bool) {
	held, err := g.store.Around(ctx, n.Subject.Addr())
	if err != nil || g.refuse(edgeban.Ban{Key: edgeban.Key{Jail: n.Jail, Subject: n.Subject}}) != "" {
		return true
	}
	var names []string
	settled, n.After = true, 0
	for i, k := range g.keepers {
		if g.c.Targets[i].Feed != nil || !g.sends(edgeban.Ban{Key: edgeban.Key{Jail: n.Jail, Subject: n.Subject}}, k.Name) { // a list holds nothing by itself
			continue
		}
		at := slices.IndexFunc(held, func(h edgeban.Held) bool {
			return h.Target == k.Place && h.Subject.Bits() <= n.Subject.Bits() && !h.Held.IsZero()
		})
		if s := k.Status(); at < 0 {
			settled = settled && (s.Err != nil || s.Looked.IsZero() || s.Waiting > 0)
			continue
		}
		names = append(names, k.Name)
		if h := held[at]; h.Held.After(n.Time) {
			n.After = max(n.After, h.Held.Sub(h.Sent))
		}
	}
	n.Target = strings.Join(names, ", ")
	return settled || g.Now().Sub(n.Time).Abs() > news
}

// free reports whether no target is known to hold a subject.
func (g *generation) free(ctx context.Context, subject netip.Prefix) bool {
	held, err := g.store.Around(ctx, subject.Addr())
	return err != nil || !slices.ContainsFunc(held, func(h edgeban.Held) bool { return h.Subject == subject && h.Ours() && !h.Held.IsZero() })
}

// dropped adds to what is known of an entry what its target has counted since.
func (g *generation) dropped(h edgeban.Held) edgeban.Held {
	for _, k := range g.keepers {
		if k.Place == h.Target && h.Released.IsZero() && h.Ours() {
			h.Packets += k.Dropped(h.Subject)
		}
	}
	return h
}

// targetStatus describes a target at the last look.
func (g *generation) targetStatus(c config.Target, s enforce.Status) web.Target {
	t := web.Target{
		Name: c.Name, Kind: kindOf(c, g.targets[c.Name]), Wanted: s.Wanted, Held: s.Counts.Held, Missing: s.Missing,
		Waiting: s.Waiting, Refused: s.Refused, Foreign: s.Foreign, Kept: s.Kept, Looked: s.Looked, Since: s.Since, Doubt: s.Doubt,
		Dropped: s.Dropped, From: s.From, Served: c.Feed != nil,
	}
	if s.Sync.Of > 0 {
		t.Sync = &web.Sync{Sent: s.Sync.Sent, Of: s.Sync.Of, Left: s.Sync.Left}
	}
	if n, ok := g.targets[c.Name].(interface{ Notes() []string }); ok {
		t.Notes = n.Notes()
	}
	if s.Err != nil {
		t.Error = s.Err.Error()
	}
	return t
}
