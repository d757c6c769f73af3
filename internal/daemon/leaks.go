package daemon

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/edgeban/edgeban/internal/enforce"
	"github.com/edgeban/edgeban/internal/leak"
	"github.com/edgeban/edgeban/internal/leak/lookout"
	"github.com/edgeban/edgeban/internal/web"
)

// newLookout returns what looks for leaks, through all generations.
func newLookout(d *daemon) *lookout.Lookout {
	return lookout.New(lookout.Settings{
		Ledger: d.store, Now: d.Now, Log: d.Log, Networks: d.Networks, Escalate: d.escalate,
		Doubt:   func() string { return d.clock.Doubt() },
		Grace:   func() time.Duration { return d.current.Load().c.Grace },
		Keepers: func() []*enforce.Keeper { return d.current.Load().enforcing() },
	})
}

// lookOut looks for leaks until ctx is done.
func (d *daemon) lookOut(ctx context.Context) error {
	if err := d.store.Hold(ctx, "leaks", d.leaks.Run); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// enforcing returns the keepers of the targets that somebody has named. Of a list
// that is there because nobody did it is known that nothing comes of it.
func (g *generation) enforcing() []*enforce.Keeper {
	return slices.DeleteFunc(slices.Clone(g.keepers), func(k *enforce.Keeper) bool {
		t := g.c.Targets[slices.Index(g.keepers, k)]
		return t.Feed != nil && t.Feed.StandIn
	})
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

func (g *generation) describeLeak(k leak.Leak) web.Leak {
	w := web.Leak{Subject: k.Entry, Targets: []string{}, Since: k.Since, Lines: k.Count(), Last: k.Last, Cause: string(k.Cause), Why: k.Why}
	for _, keeper := range g.keepers {
		if slices.Contains(k.At, keeper.Place) {
			w.Targets = append(w.Targets, keeper.Name)
		}
	}
	return w
}

// leakingLines returns how many lines came of a subject, or a part of it, although
// it is held.
func leakingLines(leaks []leak.Leak, subject netip.Prefix) (n int) {
	for _, k := range leaks {
		if k.Entry.Overlaps(subject) {
			n = max(n, k.Count())
		}
	}
	return n
}

// leakTroubles says of each cause in one sentence who leaks for it.
func leakTroubles(all []web.Leak) (texts []string) {
	about := func(k web.Leak) string { return k.Cause + " " + strings.Join(k.Targets, ", ") }
	leaks := map[string]int{}
	for _, k := range all {
		leaks[about(k)]++
	}
	for _, k := range all { // the last line first
		n := leaks[about(k)]
		if n == 0 {
			continue // it was said with another
		}
		leaks[about(k)] = 0
		who := k.Subject.String()
		if k.Subject.IsSingleIP() {
			who = k.Subject.Addr().String()
		}
		if n > 1 {
			who += fmt.Sprintf(" and %d more", n-1)
		}
		texts = append(texts, strings.TrimSuffix(fmt.Sprintf("leaking: %s: %d lines since it is held by %s. %s", who, k.Lines, strings.Join(k.Targets, ", "), k.Why), " "))
	}
	return texts
}
