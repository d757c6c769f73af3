package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/edgeban/edgeban"
)

func recording() []promise {
	return []promise{
		{"a line that is read twice counts twice", func(w *world) {
			b := edgeban.Batch{Source: "mail", Stream: "a", To: "10", Matches: []edgeban.Match{match("1", "192.0.2.1", 0), match("2", "192.0.2.1", 1)}}
			for range 2 {
				w.must(w.Record(w.Context(), b))
			}
			w.again()
			w.must(w.Record(w.Context(), b))
			w.want("after the same batch three times", len(w.facts()), 2)
			w.want("head", w.head(), 3) // the two, and the mark of facts
		}},
		{"a batch that is partly known loses its new lines", func(w *world) {
			w.record(match("1", "192.0.2.1", 0))
			w.record(match("1", "192.0.2.9", 5), match("2", "192.0.2.2", 1), match("2", "192.0.2.8", 1), match("3", "192.0.2.3", 2))
			want := []edgeban.Event{{Seq: 1, Fact: match("1", "192.0.2.1", 0)}, {Seq: 2, Fact: match("2", "192.0.2.2", 1)}, {Seq: 3, Fact: match("3", "192.0.2.3", 2)}}
			w.want("events", w.events(0), want)
		}},
		{"a batch that is read on from another place than the saved one counts twice", readOn},
		{"the cursor is saved without its matches or the other way round", cursorWithMatches},
		{"a stream that has ended keeps its cursor for ever", func(w *world) {
			w.must(w.Record(w.Context(), edgeban.Batch{Source: "mail", Stream: "a", To: "10"}))
			w.must(w.Record(w.Context(), edgeban.Batch{Source: "mail", Stream: "b", To: "20"}))
			w.must(w.Record(w.Context(), edgeban.Batch{Source: "mail", Stream: "a", To: "30", End: true}))
			w.want("cursors", w.cursors("mail"), map[string]string{"b": "20"})
			w.again()
			w.want("cursors after a restart", w.cursors("mail"), map[string]string{"b": "20"})
		}},
		{"a batch without a cursor moves it", func(w *world) {
			w.must(w.Record(w.Context(), edgeban.Batch{Source: "mail", Stream: "a", To: "10"}))
			w.record(match("1", "192.0.2.1", 0))
			w.want("cursors", w.cursors("mail"), map[string]string{"a": "10"})
		}},
		{"a fact comes back as another", factsComeBack},
		{"a hostile line breaks the store", func(w *world) {
			var want []edgeban.Fact
			for i, text := range []string{"", "\x00\x00a\x00", "\xff\xfe\x80", "'; drop table match; --", "\u202e\x1b[2J", "日本"} {
				m := match(fmt.Sprintf("%d%s", i, text), "192.0.2.1", i)
				m.User, m.Text, m.Ignored, m.Jail = text, text, text, text
				w.record(m)
				w.record(m)
				want = append(want, m)
			}
			w.again()
			w.want("events", fmt.Sprintf("%q", w.facts()), fmt.Sprintf("%q", want))
		}},
		{"a call that was called off has half happened", calledOff},
	}
}

func readOn(w *world) {
	batch := func(i int) edgeban.Batch {
		b := edgeban.Batch{Source: "mail", Stream: "a", To: fmt.Sprint(i + 1), Matches: []edgeban.Match{match(fmt.Sprint(i), "192.0.2.1", i)}}
		if i > 0 {
			b.From = fmt.Sprint(i)
		}
		return b
	}
	for i := range 3 {
		for range 2 {
			w.must(w.Record(w.Context(), batch(i)))
		}
	}
	other := batch(2)
	other.Stream, other.From, other.To = "b", "3", "4" // the cursor of another stream says nothing
	w.must(w.Record(w.Context(), other))
	w.again()
	for i := range 3 {
		w.must(w.Record(w.Context(), batch(i)))
		w.must(w.Record(w.Context(), batch(2)))
	}
	w.want("events", len(w.facts()), 3)
}

func cursorWithMatches(w *world) {
	for i := range 3 {
		b := edgeban.Batch{Source: "mail", Stream: "a", To: fmt.Sprint(i), Matches: []edgeban.Match{match(fmt.Sprint(i), "192.0.2.1", i)}}
		w.must(w.Record(w.Context(), b))
		w.want("cursor", w.cursors("mail"), map[string]string{"a": fmt.Sprint(i)})
	}
	w.must(w.Record(w.Context(), edgeban.Batch{Source: "web", Stream: "a", To: "other"}))
	w.again()
	w.want("cursors of mail", w.cursors("mail"), map[string]string{"a": "2"})
	w.want("cursors of web", w.cursors("web"), map[string]string{"a": "other"})
	w.want("cursors of nobody", w.cursors("nobody"), map[string]string{})
	w.want("matches", len(w.facts()), 3)
}

func factsComeBack(w *world) {
	m4 := match("4", "192.0.2.1", 0)
	m6 := match("6", "2001:db8::1", 1)
	m6.Subject, m6.Kind, m6.Count, m6.Ignored = prefix("2001:db8::/64"), edgeban.Success, 1000, "never"
	none := edgeban.Match{ID: "none"}
	w.record(m4, m6, none)
	eternal := ban("2001:db8::/64", 0, 1)
	single := ban("192.0.2.1", 60, 0)
	w.impose(eternal)
	w.impose(single)
	w.impose(edgeban.Ban{Key: edgeban.Key{Subject: prefix("0.0.0.0/0")}})
	lift := edgeban.Lift{Key: eternal.Key, At: at(5), By: "ann"}
	w.must(w.Lift(w.Context(), lift))
	held := edgeban.Held{Subject: prefix("192.0.2.1"), Target: "edge", Sent: at(1), Held: at(2), Released: at(3), Foreign: true, Packets: math.MaxUint64}
	w.note(held, edgeban.Held{Subject: prefix("::/0"), Target: "edge"})
	want := []edgeban.Fact{m4, m6, none, eternal, single, edgeban.Ban{Key: edgeban.Key{Subject: prefix("0.0.0.0/0")}}, lift, held, edgeban.Held{Subject: prefix("::/0"), Target: "edge"}}
	w.want("facts", w.facts(), want)
	w.again()
	w.want("facts after a restart", w.facts(), want)

	far := match("far", "192.0.2.3", 0)
	far.Time = time.Date(2030, 6, 1, 0, 0, 0, 1, time.FixedZone("elsewhere", 3600))
	w.record(far)
	before := w.head()
	w.again()
	far.Time = far.Time.UTC()
	w.want("a time of another zone", w.events(before - 1)[0].Fact, far)
	w.want("a subject with bits of an address", func() netip.Prefix {
		b := ban("198.51.100.7/24", 60, 0)
		w.impose(b)
		bans := w.standing(noon)
		return bans[len(bans)-1].Subject
	}(), prefix("198.51.100.0/24"))
}

func calledOff(w *world) {
	ctx, cancel := context.WithCancel(w.Context())
	cancel()
	b := ban("192.0.2.1", 60, 1)
	calls := map[string]error{
		"record":   w.Record(ctx, edgeban.Batch{Source: "mail", Stream: "a", To: "1", Matches: []edgeban.Match{match("1", "192.0.2.1", 0)}}),
		"impose":   w.Impose(ctx, edgeban.Verdict{Ban: b, Notices: []edgeban.Notice{notice("a")}}),
		"note":     w.Note(ctx, []edgeban.Held{{Subject: b.Subject, Target: "edge", Held: noon}}, nil),
		"post":     w.Post(ctx, []edgeban.Notice{notice("b")}),
		"snapshot": w.Snapshot(ctx, edgeban.Snapshot{Jail: "sshd", At: 1}),
	}
	for call, err := range calls {
		if !errors.Is(err, context.Canceled) {
			w.Errorf("%s with a context that has ended: %v, want %v", call, err, context.Canceled)
		}
	}
	w.want("head", w.head(), 0)
	w.want("cursors", w.cursors("mail"), map[string]string{})
	w.want("standing", w.standing(noon), []edgeban.Ban{})
	w.want("holdings", w.holdings("edge"), []edgeban.Held{})
}
