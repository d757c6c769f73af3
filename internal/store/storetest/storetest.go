// Package storetest holds every store to the promises of edgeban.Ledger and its
// companions, sentence by sentence, each test named for what is feared.
//
// It runs on the real thing, which it closes and opens again.
package storetest

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
)

// A Store is all that a node remembers.
type Store interface {
	edgeban.Ledger
	edgeban.Lease
	edgeban.Cursors
	edgeban.Archive
	edgeban.Pruner
	edgeban.Outbox
	Close() error
}

// An Open opens the store that lives in a folder, or begins one.
type Open func(t testing.TB, dir string) Store

// Run tests the stores that open returns.
func Run(t *testing.T, open Open) {
	for _, group := range [][]promise{recording(), banning(), holding(), watching(), keeping(), telling(), leasing(), asking(), pruning()} {
		for _, p := range group {
			t.Run(p.fear, func(t *testing.T) {
				w := &world{TB: t, dir: t.TempDir(), open: open}
				w.Store = open(t, w.dir)
				defer func() { w.must(w.Close()) }()
				p.test(w)
			})
		}
	}
}

type promise struct {
	fear string
	test func(*world)
}

// A world is a store under test.
type world struct {
	testing.TB
	Store
	dir  string
	open Open
}

// again closes the store and opens it: nothing may be lost by it.
func (w *world) again() {
	w.Helper()
	w.must(w.Close())
	w.Store = w.open(w, w.dir)
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// ctx returns a context that ends a test which would hang.
func (w *world) ctx() context.Context {
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	w.Cleanup(cancel)
	return ctx
}

func (w *world) record(ms ...edgeban.Match) {
	w.Helper()
	w.must(w.Record(w.Context(), edgeban.Batch{Source: "mail", Stream: "a", Matches: ms, Read: noon}))
}

func (w *world) impose(b edgeban.Ban, ns ...edgeban.Notice) {
	w.Helper()
	w.must(w.Impose(w.Context(), edgeban.Verdict{Ban: b, Notices: ns}))
}

func (w *world) note(hs ...edgeban.Held) {
	w.Helper()
	w.must(w.Note(w.Context(), hs, nil))
}

func (w *world) standing(t time.Time) []edgeban.Ban {
	w.Helper()
	standing, err := w.Standing(w.Context(), t)
	w.must(err)
	bans := slices.Collect(standing)
	if !slices.IsSortedFunc(bans, func(a, b edgeban.Ban) int { return a.Subject.Compare(b.Subject) }) {
		w.Errorf("%d bans stand, want them in the order of their subjects", len(bans))
	}
	slices.SortFunc(bans, byKey) // those of one subject come in no order
	return bans
}

func (w *world) holdings(target string) []edgeban.Held {
	w.Helper()
	known, err := w.Holdings(w.Context(), target)
	w.must(err)
	held := slices.Collect(known.All())
	if known.Len() != len(held) || !slices.IsSortedFunc(held, func(a, b edgeban.Held) int { return a.Subject.Compare(b.Subject) }) {
		w.Errorf("%s: got %d holdings (Len %d), want them in the order of their subjects", target, len(held), known.Len())
	}
	for _, h := range held {
		if got, ok := known.Of(h.Subject); !ok || got != h {
			w.Errorf("%s: holding of %s: got %+v, %v, want %+v", target, h.Subject, got, ok, h)
		}
	}
	return held
}

func (w *world) head() edgeban.Seq {
	w.Helper()
	seq, _, err := w.Head(w.Context())
	w.must(err)
	return seq
}

func (w *world) cursors(source string) map[string]string {
	w.Helper()
	cursors, err := w.Cursors(w.Context(), source)
	w.must(err)
	return cursors
}

func (w *world) about(p string, limit int) edgeban.Record {
	w.Helper()
	r, err := w.About(w.Context(), netip.MustParsePrefix(p), limit)
	w.must(err)
	return r
}

// events returns all events after a place, up to the head.
func (w *world) events(after edgeban.Seq) []edgeban.Event {
	w.Helper()
	head := w.head()
	ctx, cancel := context.WithCancel(w.ctx())
	defer cancel()
	// A watcher of the whole past cannot know that it is at the end: pruned
	// events are left out. So an event is added that ends it.
	mark := edgeban.Held{Subject: netip.MustParsePrefix("203.0.113.254/32"), Target: "mark", Packets: uint64(head) + 1}
	w.note(mark)
	var out []edgeban.Event
	for e, err := range edgeban.Each(w.Watch(ctx, after)) {
		w.must(err)
		if e.Fact == edgeban.Fact(mark) {
			return out
		}
		if h, ok := e.Fact.(edgeban.Held); !ok || h.Target != "mark" {
			out = append(out, e)
		}
	}
	w.Fatalf("watching after %d: it ended before its end: %v", after, out)
	return nil
}

func (w *world) facts() (facts []edgeban.Fact) {
	w.Helper()
	for _, e := range w.events(0) {
		facts = append(facts, e.Fact)
	}
	return facts
}

func (w *world) want(what string, got, want any) {
	w.Helper()
	if g, n := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != n {
		w.Errorf("%s:\n got %s\nwant %s", what, g, n)
	}
}

// noon is far from the present: a store that looks at the clock is found out.
var noon = time.Date(2030, 1, 2, 12, 0, 0, 123456789, time.UTC)

func at(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }

func prefix(s string) netip.Prefix {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen())
	}
	return netip.MustParsePrefix(s)
}

func match(id, addr string, minute int) edgeban.Match {
	return edgeban.Match{
		ID: id, Jail: "sshd", Kind: edgeban.Failure, Addr: netip.MustParseAddr(addr), Subject: prefix(addr),
		Count: 1, Time: at(minute), User: "root", Text: "Failed password for root from " + addr,
	}
}

func ban(subject string, minutes int, cause edgeban.Seq) edgeban.Ban {
	b := edgeban.Ban{
		Key: edgeban.Key{Jail: "sshd", Subject: prefix(subject)}, Since: noon, Until: at(minutes),
		Addr: prefix(subject).Addr(), Failures: 5, Nth: 1, Cause: cause, Node: "n1", Reason: "5 failures",
	}
	if minutes == 0 {
		b.Until = time.Time{}
	}
	return b
}

func notice(text string) edgeban.Notice {
	return edgeban.Notice{Kind: edgeban.NoticeBan, Time: noon, Jail: "sshd", Subject: prefix("192.0.2.1"), Until: at(60), Failures: 5, Nth: 1, User: "root", Text: text, Target: "edge"}
}

func texts(ns []edgeban.Notice) (out []string) {
	for _, n := range ns {
		out = append(out, n.Text)
	}
	return out
}

func ids(ms []edgeban.Match) (out []string) {
	for _, m := range ms {
		out = append(out, m.ID)
	}
	return out
}

func subjects(bans []edgeban.Ban) (out []string) {
	for _, b := range bans {
		out = append(out, b.Jail+" "+b.Subject.String())
	}
	slices.Sort(out)
	return out
}
