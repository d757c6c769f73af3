package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/edgeban/edgeban"
)

// cancelled returns a context that has ended as soon as something waits on it.
func cancelled(w *world) context.Context {
	ctx, cancel := context.WithTimeout(w.Context(), 20*time.Millisecond)
	w.Cleanup(cancel)
	return ctx
}

func watching() []promise {
	return []promise{
		{"a watcher misses what happens between the past and the present", pastAndPresent},
		{"a place given before a restart is given again", func(w *world) {
			w.record(match("1", "192.0.2.1", 0))
			w.again()
			w.record(match("1", "192.0.2.1", 0), match("2", "192.0.2.1", 1))
			w.again()
			w.impose(ban("192.0.2.1", 60, 2))
			var seqs []edgeban.Seq
			for _, e := range w.events(0) {
				seqs = append(seqs, e.Seq)
			}
			w.want("places", seqs, []edgeban.Seq{1, 2, 3})
		}},
		{"the head lies", func(w *world) {
			seq, latest, err := w.Head(w.Context())
			w.must(err)
			w.want("head of nothing", fmt.Sprint(seq, latest.IsZero()), "0 true")
			w.record(match("1", "192.0.2.1", 5))
			w.record(match("2", "192.0.2.1", 3))
			w.impose(ban("192.0.2.1", 60, 1)) // its end is no time that something happened at
			w.note(edgeban.Held{Subject: prefix("192.0.2.1"), Target: "edge", Sent: at(1), Held: at(7)})
			for range 2 {
				seq, latest, err = w.Head(w.Context())
				w.must(err)
				w.want("head", fmt.Sprint(seq, latest), fmt.Sprint(4, at(7)))
				w.again()
			}
			w.must(w.Lift(w.Context(), edgeban.Lift{Key: ban("192.0.2.1", 0, 0).Key, At: at(9)}))
			_, latest, err = w.Head(w.Context())
			w.must(err)
			w.want("latest", latest, at(9))
		}},
		{"watching does not end with its context", func(w *world) {
			w.record(match("1", "192.0.2.1", 0))
			ctx, cancel := context.WithCancel(w.ctx())
			n := 0
			for _, err := range edgeban.Each(w.Watch(ctx, 0)) {
				w.must(err)
				n++
				w.record(match("2", "192.0.2.1", 0))
				cancel()
			}
			w.want("events after the end", n, 1)
			for range edgeban.Each(w.Watch(ctx, 0)) {
				w.Error("a context that has ended: an event")
			}
			ctx, cancel = context.WithCancel(w.ctx())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				for range edgeban.Each(w.Watch(ctx, w.head())) {
					w.Error("nothing happened: an event")
				}
			}()
			cancel()
			<-ended
		}},
		{"a slow watcher stops the writers", slowWatcher},
		{"whoever follows decisions is told of matches, or misses a decision", followDecisions},
		{"two watchers are told different things", manyWatchers},
	}
}

func pastAndPresent(w *world) {
	const past, all = 2500, 5000 // more than a store may read at once
	for i := range past {
		w.record(match(fmt.Sprint(i), "192.0.2.1", i))
	}
	w.again()
	ctx, cancel := context.WithCancel(w.ctx())
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	n := edgeban.Seq(0)
	for e, err := range edgeban.Each(w.Watch(ctx, 0)) {
		w.must(err)
		if n++; e.Seq != n {
			w.Fatalf("event %d has place %d", n, e.Seq)
		}
		if m, ok := e.Fact.(edgeban.Match); ok && m.ID != fmt.Sprint(n-1) {
			w.Fatalf("place %d is %s, want %d", n, m.ID, n-1)
		}
		if n == 100 {
			wg.Go(func() {
				for i := past; i < all; i++ {
					if i%100 == 0 {
						w.impose(ban("192.0.2.1", i, edgeban.Seq(i)))
					} else {
						w.record(match(fmt.Sprint(i), "192.0.2.1", i))
					}
				}
			})
		}
		if n == all {
			break
		}
	}
	w.want("events", n, all)
	events := w.events(4000)
	w.want("the first after a place", events[0].Seq, 4001)
	w.want("how many after a place", len(events), 1000)
	w.want("after the head", len(w.events(w.head())), 0)
}

// A watch is a Ledger's Watch or Decisions.
type watch func(context.Context, edgeban.Seq) iter.Seq2[[]edgeban.Event, error]

func decisionsOf(events []edgeban.Event) []edgeban.Event {
	return slices.DeleteFunc(slices.Clone(events), func(e edgeban.Event) bool {
		switch e.Fact.(type) {
		case edgeban.Ban, edgeban.Lift:
			return false
		}
		return true
	})
}

// followDecisions has many decisions, more than a store may read at once, among
// matches: some on disk alone, some in memory, some while they are followed.
func followDecisions(w *world) {
	const past, all, each = 1500, 3000, 3
	decide := func(i int) {
		w.record(match(fmt.Sprint(i), "192.0.2.1", i))
		b := ban(fmt.Sprintf("198.51.%d.%d", 100+i/256, i%256), 1_000_000, edgeban.Seq(each*i+1))
		w.impose(b)
		w.must(w.Lift(w.Context(), edgeban.Lift{Key: b.Key, At: at(i)}))
	}
	for i := range past {
		decide(i)
	}
	w.again()
	ctx, cancel := context.WithCancel(w.ctx())
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	n := 0
	for e, err := range edgeban.Each(w.Decisions(ctx, each)) { // after those of the first
		w.must(err)
		i := 1 + n/2
		w.want("place", e.Seq, each*i+2+n%2)
		if n++; n == 100 {
			wg.Go(func() {
				for i := past; i < all; i++ {
					decide(i)
				}
			})
		}
		if n == 2*(all-1) {
			break
		}
	}
	w.want("decisions", n, 2*(all-1))
}

func slowWatcher(w *world) {
	ctx, cancel := context.WithCancel(w.ctx())
	defer cancel()
	w.record(match("first", "192.0.2.1", 0))
	n := 0
	for e, err := range edgeban.Each(w.Watch(ctx, 0)) {
		w.must(err)
		n++
		if e.Seq == 1 { // everything happens while the watcher is busy with the first
			for i := range 200 {
				var batch []edgeban.Match
				for j := range 50 {
					batch = append(batch, match(fmt.Sprint(i, j), "192.0.2.1", i))
				}
				w.record(batch...)
			}
		}
		w.want("place", e.Seq, n)
		if n == 10_001 {
			break
		}
	}
}

func manyWatchers(w *world) {
	const writers, each = 4, 100
	ctx, cancel := context.WithCancel(w.ctx())
	defer cancel()
	var wg sync.WaitGroup
	told := make([][]string, 4)
	for i := range told {
		wg.Go(func() {
			for e, err := range edgeban.Each(w.Watch(ctx, 0)) {
				if err != nil {
					w.Error(err)
					return
				}
				told[i] = append(told[i], fmt.Sprintf("%+v", e))
				if len(told[i]) == writers*each {
					return
				}
			}
		})
	}
	for i := range writers {
		wg.Go(func() {
			for j := range each {
				var err error
				switch addr := fmt.Sprintf("192.0.%d.%d", i, j); j % 3 {
				case 0:
					err = w.Record(ctx, edgeban.Batch{Matches: []edgeban.Match{match(addr, addr, j)}})
				case 1:
					err = w.Impose(ctx, edgeban.Verdict{Ban: ban(addr, 60, 1)})
				case 2:
					err = w.Note(ctx, []edgeban.Held{{Subject: prefix(addr), Target: "edge", Sent: noon}}, nil)
				}
				if err != nil {
					w.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for i := range told {
		if !slices.Equal(told[i], told[0]) || len(told[i]) != writers*each {
			w.Errorf("watcher %d was told %d events, other than the first", i, len(told[i]))
		}
	}
}

func keeping() []promise {
	return []promise{
		{"a jail that was never judged is restored from something", func(w *world) {
			if _, err := w.Restore(w.Context(), "sshd"); !errors.Is(err, edgeban.ErrNotFound) {
				w.Errorf("restore of nothing: %v, want %v", err, edgeban.ErrNotFound)
			}
		}},
		{"a snapshot is mixed up or forgotten", func(w *world) {
			state := []byte("state of \x00\xff sshd")
			w.must(w.Snapshot(w.Context(), edgeban.Snapshot{Jail: "sshd", At: 5, State: []byte("old")}))
			w.must(w.Snapshot(w.Context(), edgeban.Snapshot{Jail: "sshd", At: 9, State: state}))
			w.must(w.Snapshot(w.Context(), edgeban.Snapshot{Jail: "sshd", At: 7, State: []byte("late")}))
			w.must(w.Snapshot(w.Context(), edgeban.Snapshot{Jail: "dovecot", At: 3}))
			large := bytes.Repeat([]byte("state of web, "), 100_000)
			for i := range 3 {
				w.must(w.Snapshot(w.Context(), edgeban.Snapshot{Jail: "web", At: 1, State: large[i:]}))
				if i == 1 {
					w.again()
				}
			}
			for range 2 {
				sn, err := w.Restore(w.Context(), "sshd")
				w.must(err)
				w.want("sshd", fmt.Sprintf("%d %q", sn.At, sn.State), fmt.Sprintf("%d %q", 9, state))
				sn, err = w.Restore(w.Context(), "web")
				w.must(err)
				w.want("a large state comes back", bytes.Equal(sn.State, large[2:]), true)
				sn, err = w.Restore(w.Context(), "dovecot")
				w.must(err)
				w.want("dovecot", fmt.Sprintf("%s %d %q", sn.Jail, sn.At, sn.State), `dovecot 3 ""`)
				w.again()
			}
		}},
	}
}
