package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
)

// Play makes the calls that a script of random bytes says, of a store and of a
// naive model of it, and wants the two to agree, also after a restart.
func Play(t testing.TB, open Open, script []byte) {
	p := &play{world: &world{TB: t, dir: t.TempDir(), open: open}, script: script, m: model{
		cursors: map[string]string{}, told: map[string]edgeban.Seq{}, at: map[string]edgeban.Seq{}, pins: map[edgeban.Seq][]edgeban.Seq{},
		lifted: map[edgeban.Seq]bool{},
	}}
	p.Store = open(t, p.dir)
	for len(p.script) > 0 && !t.Failed() {
		p.step()
	}
	p.compare()
	p.again()
	p.compare()
	p.must(p.Close())
}

// A model is a ledger that keeps everything in one slice.
type model struct {
	seq     edgeban.Seq
	latest  time.Time
	events  []edgeban.Event
	pins    map[edgeban.Seq][]edgeban.Seq
	lifted  map[edgeban.Seq]bool
	cursors map[string]string
	at      map[string]edgeban.Seq // of snapshots
	notices []edgeban.Notice
	last    edgeban.Seq // of notices
	told    map[string]edgeban.Seq
}

type play struct {
	*world
	m      model
	script []byte
	n      int
}

// pick takes a number below n out of the script.
func (p *play) pick(n int) int {
	if len(p.script) == 0 {
		return 0
	}
	b := p.script[0]
	p.script = p.script[1:]
	return int(b) % n
}

func (p *play) subject() netip.Prefix {
	return prefix([]string{"192.0.2.1", "192.0.2.2", "192.0.2.0/24", "2001:db8::1", "2001:db8::/64", "::/0"}[p.pick(6)])
}

func (p *play) time() time.Time { return at(p.pick(64) * 60) }

func (p *play) key() edgeban.Key {
	return edgeban.Key{Jail: []string{"sshd", "dovecot"}[p.pick(2)], Subject: p.subject()}
}

func (p *play) step() {
	p.n++
	switch p.pick(12) {
	case 0, 1, 2:
		p.record()
	case 3, 4:
		p.imposing()
	case 5:
		p.lifting()
	case 6, 7:
		p.noting()
	case 8:
		p.telling()
	case 9:
		jail, place := []string{"sshd", "dovecot"}[p.pick(2)], edgeban.Seq(p.pick(40))
		p.must(p.Snapshot(p.Context(), edgeban.Snapshot{Jail: jail, At: place, State: fmt.Append(nil, place)}))
		p.m.at[jail] = max(p.m.at[jail], place)
	case 10:
		p.again()
	case 11:
		p.pruning()
	}
}

func (p *play) record() {
	b := edgeban.Batch{Source: "mail", Stream: fmt.Sprint(p.pick(2)), End: p.pick(8) == 0}
	if p.pick(2) == 0 {
		b.To = fmt.Sprint(p.n)
	}
	for range p.pick(4) {
		m := match(fmt.Sprint(p.pick(50)), []string{"192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"}[p.pick(4)], p.pick(64)*60)
		if m.Addr.Is6() {
			m.Subject = prefix("2001:db8::/64")
		}
		b.Matches = append(b.Matches, m)
	}
	p.must(p.Record(p.Context(), b))
	for _, m := range b.Matches {
		known := func(e edgeban.Event) bool {
			old, ok := e.Fact.(edgeban.Match)
			return ok && old.ID == m.ID
		}
		if !slices.ContainsFunc(p.m.events, known) {
			p.m.add(m, m.Time)
		}
	}
	switch {
	case b.End:
		delete(p.m.cursors, b.Stream)
	case b.To != "":
		p.m.cursors[b.Stream] = b.To
	}
}

func (m *model) add(f edgeban.Fact, times ...time.Time) {
	m.seq++
	m.events = append(m.events, edgeban.Event{Seq: m.seq, Fact: f})
	for _, t := range times {
		if t.After(m.latest) {
			m.latest = t
		}
	}
}

func (m *model) post(ns []edgeban.Notice) {
	for _, n := range ns {
		m.last++
		n.ID = m.last
		m.notices = append(m.notices, n)
	}
}

func (p *play) imposing() {
	b := ban("::/0", p.pick(64)*60, edgeban.Seq(p.pick(20)))
	b.Key, b.Since = p.key(), p.time()
	ns := []edgeban.Notice{notice(fmt.Sprint("ban ", p.n))}
	p.impose(b, ns...)
	for _, e := range p.m.events {
		if old, ok := e.Fact.(edgeban.Ban); ok && old.Key == b.Key && old.Cause == b.Cause && b.Cause != 0 {
			return
		}
	}
	p.m.add(b, b.Since)
	p.m.post(ns)
	var pins []edgeban.Seq
	for _, e := range slices.Backward(p.m.events) {
		m, ok := e.Fact.(edgeban.Match)
		if ok && m.Jail == b.Jail && b.Subject.Contains(m.Addr) && (b.Cause == 0 || e.Seq <= b.Cause) && len(pins) < 20 {
			pins = append(pins, e.Seq)
		}
	}
	p.m.pins[p.m.seq] = pins
}

func (p *play) lifting() {
	l := edgeban.Lift{Key: p.key(), At: p.time(), By: "ann"}
	err := p.Lift(p.Context(), l)
	stands := slices.ContainsFunc(p.m.standing(l.At), func(b edgeban.Ban) bool { return b.Key == l.Key })
	if stands != (err == nil) || err != nil && !errors.Is(err, edgeban.ErrNotFound) {
		p.Errorf("lift of %v, standing %v: %v", l, stands, err)
	}
	if !stands {
		return
	}
	for _, e := range p.m.events {
		if b, ok := e.Fact.(edgeban.Ban); ok && b.Key == l.Key {
			p.m.lifted[e.Seq] = true
		}
	}
	p.m.add(l, l.At)
}

func (m *model) standing(t time.Time) (bans []edgeban.Ban) {
	best := map[edgeban.Key]edgeban.Event{}
	for _, e := range m.events {
		b, ok := e.Fact.(edgeban.Ban)
		if !ok || m.lifted[e.Seq] || !b.Standing(t) {
			continue
		}
		if old, ok := best[b.Key]; !ok || b.Outlasts(old.Fact.(edgeban.Ban)) {
			best[b.Key] = e
		}
	}
	for _, e := range m.events {
		if b, ok := e.Fact.(edgeban.Ban); ok && best[b.Key].Seq == e.Seq {
			bans = append(bans, b)
		}
	}
	slices.SortFunc(bans, byKey)
	return bans
}

func byKey(a, b edgeban.Ban) int {
	return cmp.Or(a.Subject.Compare(b.Subject), cmp.Compare(a.Jail, b.Jail))
}

func (p *play) noting() {
	h := edgeban.Held{Subject: p.subject(), Target: []string{"edge", "feed"}[p.pick(2)], Sent: p.time(), Packets: uint64(p.pick(3))}
	if p.pick(3) == 0 {
		h.Released = p.time()
	}
	ns := []edgeban.Notice{notice(fmt.Sprint("note ", p.n))}
	p.must(p.Note(p.Context(), []edgeban.Held{h}, ns))
	if p.m.known(h.Target, h.Subject) != h {
		p.m.add(h, h.Sent, h.Released)
		p.m.post(ns)
	}
}

// known returns what was said of an entry last.
func (m *model) known(target string, subject netip.Prefix) (h edgeban.Held) {
	for _, e := range m.events {
		if old, ok := e.Fact.(edgeban.Held); ok && old.Target == target && old.Subject == subject {
			h = old
		}
	}
	return h
}

func (p *play) telling() {
	name := []string{"ntfy", "mail"}[p.pick(2)]
	if through, known := p.m.told[name]; !known || through < p.m.last {
		told := min(through+edgeban.Seq(p.pick(4)), p.m.last)
		p.must(p.Told(p.Context(), name, told))
		if p.m.told[name] = told; !known {
			p.m.told[name] = p.m.last
		}
		return
	}
	p.post(fmt.Sprint("post ", p.n))
	p.m.post([]edgeban.Notice{notice(fmt.Sprint("post ", p.n))})
}

func (p *play) pruning() {
	t, r := p.time(), edgeban.Retention{Matches: time.Duration(p.pick(10)) * time.Hour, Bans: time.Duration(p.pick(40)) * time.Hour}
	for _, sn := range p.m.at {
		if sn < p.m.seq && r.Bans > 0 { // what becomes of the snapshots of jails that are gone is not modelled
			r.Bans = 1000 * time.Hour
		}
	}
	p.must(p.Prune(p.Context(), t, r))
	p.m.prune(t, r)
}

func (m *model) prune(t time.Time, r edgeban.Retention) {
	judged := edgeban.Seq(math.MaxUint64)
	for _, at := range m.at {
		judged = min(judged, at)
	}
	old := func(u time.Time, age time.Duration) bool { return age > 0 && !u.IsZero() && u.Before(t.Add(-age)) }
	ended := map[edgeban.Seq]time.Time{}
	for _, e := range slices.Backward(m.events) {
		l, ok := e.Fact.(edgeban.Lift)
		for _, b := range m.events {
			if f, isBan := b.Fact.(edgeban.Ban); ok && isBan && f.Key == l.Key && b.Seq < e.Seq {
				ended[b.Seq] = l.At // the earliest lift after it is the one that ended it
			}
		}
	}
	m.remove(judged, func(e edgeban.Event) bool {
		b, ok := e.Fact.(edgeban.Ban)
		return ok && (old(b.Until, r.Bans) || old(ended[e.Seq], r.Bans))
	})
	m.remove(judged, func(e edgeban.Event) bool { l, ok := e.Fact.(edgeban.Lift); return ok && old(l.At, r.Bans) })
	m.remove(judged, func(e edgeban.Event) bool {
		h, ok := e.Fact.(edgeban.Held)
		return ok && h.Released.IsZero() && slices.ContainsFunc(m.events, func(n edgeban.Event) bool {
			newer, ok := n.Fact.(edgeban.Held)
			return ok && n.Seq > e.Seq && newer.Target == h.Target && newer.Subject == h.Subject
		})
	})
	m.remove(judged, func(e edgeban.Event) bool { h, ok := e.Fact.(edgeban.Held); return ok && old(h.Released, r.Bans) })
	m.remove(judged, func(e edgeban.Event) bool {
		f, ok := e.Fact.(edgeban.Match)
		pinned := slices.ContainsFunc(m.events, func(b edgeban.Event) bool { return slices.Contains(m.pins[b.Seq], e.Seq) })
		return ok && old(f.Time, r.Matches) && !pinned
	})
}

func (m *model) remove(judged edgeban.Seq, gone func(edgeban.Event) bool) {
	var left []edgeban.Event
	for _, e := range m.events {
		if e.Seq > judged || !gone(e) {
			left = append(left, e)
		}
	}
	m.events = left
}

// compare wants the store to say what the model says.
func (p *play) compare() {
	p.Helper()
	seq, latest, err := p.Head(p.Context())
	p.must(err)
	p.want("head", fmt.Sprint(seq, latest), fmt.Sprint(p.m.seq, p.m.latest))
	for _, t := range []time.Time{{}, noon, at(600), at(2000), at(1_000_000)} {
		p.want(fmt.Sprint("standing at ", t), p.standing(t), p.m.standing(t))
	}
	p.want("cursors", p.cursors("mail"), p.m.cursors)
	for _, target := range []string{"edge", "feed"} {
		var want []edgeban.Held
		entries := map[netip.Prefix]bool{}
		for _, e := range p.m.events {
			if h, ok := e.Fact.(edgeban.Held); ok && h.Target == target && !seen(entries, h.Subject) {
				if last := p.m.known(target, h.Subject); last.Released.IsZero() {
					want = append(want, last)
				}
			}
		}
		slices.SortFunc(want, func(a, b edgeban.Held) int { return a.Subject.Compare(b.Subject) })
		p.want("holdings of "+target, p.holdings(target), want)
	}
	for jail, at := range p.m.at {
		sn, err := p.Restore(p.Context(), jail)
		p.must(err)
		p.want("snapshot of "+jail, fmt.Sprintf("%d %s", sn.At, sn.State), fmt.Sprintf("%d %d", at, at))
	}
	for name, through := range p.m.told {
		i, _ := slices.BinarySearchFunc(p.m.notices, through+1, func(n edgeban.Notice, id edgeban.Seq) int { return cmp.Compare(n.ID, id) })
		if want := p.m.notices[i:]; len(want) > 0 {
			p.want("notices of "+name, p.pending(name, math.MaxInt), want)
		}
	}
	p.want("events", p.watched(p.Watch, p.m.events), p.m.events)
	decisions := decisionsOf(p.m.events)
	p.want("decisions", p.watched(p.Decisions, decisions), decisions)
}

// watched returns the events that a watcher is told of until the last one wanted.
func (p *play) watched(watch watch, want []edgeban.Event) (out []edgeban.Event) {
	if len(want) == 0 {
		return nil
	}
	ctx, cancel := context.WithCancel(p.ctx())
	defer cancel()
	for e, err := range edgeban.Each(watch(ctx, 0)) {
		p.must(err)
		out = append(out, e)
		if e.Seq >= want[len(want)-1].Seq {
			break
		}
	}
	return out
}

// seen reports whether k was in the set, and puts it there.
func seen[K comparable](set map[K]bool, k K) bool {
	was := set[k]
	set[k] = true
	return was
}
