package storetest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/edgeban/edgeban"
)

func banning() []promise {
	return []promise{
		{"a verdict that is reached twice bans and tells twice", imposedOnce},
		{"a ban by hand is taken for a repetition", func(w *world) {
			w.impose(ban("192.0.2.1", 60, 0))
			w.impose(ban("192.0.2.1", 60, 0))
			w.want("bans", len(w.facts()), 2)
			w.want("standing", len(w.standing(noon)), 1)
		}},
		{"of bans that come together one takes the others with it", together},
		{"a shorter ban ends a longer one", endsLast},
		{"the clock changes what stands", func(w *world) {
			short, long, ever := ban("192.0.2.1", 10, 1), ban("192.0.2.2", 600, 2), ban("192.0.2.3", 0, 3)
			for _, b := range []edgeban.Ban{short, long, ever} {
				w.impose(b)
			}
			w.impose(ban("192.0.2.9", -60, 4)) // it had ended before it was imposed
			for range 2 {
				w.want("in 1970", len(w.standing(time.Unix(0, 0))), 4)
				w.want("at its end", w.standing(short.Until), []edgeban.Ban{long, ever})
				w.want("just before its end", w.standing(short.Until.Add(-1)), []edgeban.Ban{short, long, ever})
				w.want("a year ahead", w.standing(noon.AddDate(1, 0, 0)), []edgeban.Ban{ever})
				w.again()
			}
		}},
		{"a lifted ban comes back", staysLifted},
		{"lifting what does not stand is told as done", func(w *world) {
			l := edgeban.Lift{Key: ban("192.0.2.1", 60, 1).Key, At: noon}
			if err := w.Lift(w.Context(), l); !errors.Is(err, edgeban.ErrNotFound) {
				w.Errorf("lift of nothing: %v, want %v", err, edgeban.ErrNotFound)
			}
			w.impose(ban("192.0.2.1", 60, 1))
			l.At = at(60)
			if err := w.Lift(w.Context(), l); !errors.Is(err, edgeban.ErrNotFound) {
				w.Errorf("lift of what has ended: %v, want %v", err, edgeban.ErrNotFound)
			}
			l.At = at(59)
			w.must(w.Lift(w.Context(), l))
			if err := w.Lift(w.Context(), l); !errors.Is(err, edgeban.ErrNotFound) {
				w.Errorf("lift of what is lifted: %v, want %v", err, edgeban.ErrNotFound)
			}
			w.want("events", len(w.facts()), 2)
		}},
		{"a lift ends the bans of others", func(w *world) {
			other := ban("192.0.2.1", 60, 1)
			other.Jail = "dovecot"
			for _, b := range []edgeban.Ban{ban("192.0.2.1", 60, 1), ban("192.0.2.1", 90, 2), ban("192.0.2.0/24", 60, 3), ban("192.0.2.2", 60, 4), other} {
				w.impose(b)
			}
			w.must(w.Lift(w.Context(), edgeban.Lift{Key: ban("192.0.2.1", 0, 0).Key, At: noon}))
			for range 2 {
				w.want("standing", subjects(w.standing(noon)), []string{"dovecot 192.0.2.1/32", "sshd 192.0.2.0/24", "sshd 192.0.2.2/32"})
				w.again()
			}
		}},
		{"a restart forgets who is banned", func(w *world) {
			var want []edgeban.Ban
			for i := range 300 {
				b := ban(fmt.Sprintf("192.0.%d.%d", i/250, i%250), 60+i, edgeban.Seq(i+1))
				w.impose(b)
				want = append(want, b)
			}
			w.again()
			w.want("standing", w.standing(noon), want)
		}},
		{"a ban of nobody is taken", func(w *world) {
			if err := w.Impose(w.Context(), edgeban.Verdict{Ban: edgeban.Ban{}}); err == nil {
				w.Error("a ban without a subject: no error")
			}
			w.want("standing", len(w.standing(noon)), 0)
		}},
	}
}

func imposedOnce(w *world) {
	_, err := w.Pending(cancelled(w), "ntfy", 10)
	w.want("nothing to tell", err != nil, true)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := w.Impose(w.Context(), edgeban.Verdict{Ban: ban("192.0.2.1", 60, 7), Notices: []edgeban.Notice{notice("banned")}}); err != nil {
				w.Error(err)
			}
		})
	}
	wg.Wait()
	w.again()
	w.impose(ban("192.0.2.1", 99, 7), notice("banned again"))
	w.want("bans", w.facts(), []edgeban.Ban{ban("192.0.2.1", 60, 7)})
	ns, err := w.Pending(w.ctx(), "ntfy", 10)
	w.must(err)
	w.want("notices", texts(ns), []string{"banned"})
	w.impose(ban("192.0.2.2", 60, 7), notice("another subject"))
	w.impose(ban("192.0.2.1", 60, 8), notice("another cause"))
	w.want("bans", len(w.facts()), 3)
}

func together(w *world) {
	w.nothing("ntfy")
	one, two := ban("192.0.2.1", 60, 1), ban("192.0.2.2", 60, 2)
	verdict := func(b edgeban.Ban, text string) edgeban.Verdict {
		return edgeban.Verdict{Ban: b, Notices: []edgeban.Notice{notice(text)}}
	}
	w.must(w.Impose(w.Context()))
	w.want("bans of nothing", w.head(), 0)
	if err := w.Impose(w.Context(), verdict(one, "a"), edgeban.Verdict{}); err == nil {
		w.Error("a ban of nobody among others: no error")
	}
	w.want("bans beside one of nobody", w.head(), 0)
	w.impose(two, notice("two"))
	w.must(w.Impose(w.Context(), verdict(one, "one"), verdict(two, "two again"), verdict(one, "one again"), verdict(ban("192.0.2.3", 60, 0), "three")))
	for range 2 {
		w.want("bans", w.facts(), []edgeban.Ban{two, one, ban("192.0.2.3", 60, 0)})
		w.want("notices", texts(w.pending("ntfy", 9)), []string{"two", "one", "three"})
		w.again()
	}
}

func endsLast(w *world) {
	for i, minutes := range []int{60, 180, 120} {
		w.impose(ban("192.0.2.1", minutes, edgeban.Seq(i+1)))
	}
	for range 2 {
		w.want("standing", w.standing(at(1)), []edgeban.Ban{ban("192.0.2.1", 180, 2)})
		w.want("after the shorter ones", len(w.standing(at(130))), 1)
		w.want("at the end", len(w.standing(at(180))), 0)
		w.again()
	}
	w.impose(ban("192.0.2.1", 0, 9))
	w.impose(ban("192.0.2.1", 300, 10))
	for range 2 {
		w.want("for ever", w.standing(at(1_000_000)), []edgeban.Ban{ban("192.0.2.1", 0, 9)})
		w.again()
	}
}

func staysLifted(w *world) {
	first := ban("192.0.2.1", 60, 1)
	w.impose(first)
	w.impose(ban("192.0.2.1", 600, 2))
	w.must(w.Lift(w.Context(), edgeban.Lift{Key: first.Key, At: at(1), By: "ann"}))
	for range 2 {
		w.want("after the lift", len(w.standing(at(2))), 0)
		w.impose(first) // a replay reaches the old verdict again
		w.want("after a replay", len(w.standing(at(2))), 0)
		w.again()
	}
	w.impose(ban("192.0.2.1", 30, 9))
	for range 2 {
		w.want("after a new verdict", w.standing(at(2)), []edgeban.Ban{ban("192.0.2.1", 30, 9)})
		w.again()
	}
}

func holding() []promise {
	h := edgeban.Held{Subject: prefix("192.0.2.1"), Target: "edge", Sent: at(1)}
	seen, gone := h, h
	seen.Held, seen.Packets = at(2), 37
	gone.Released = at(3)
	return []promise{
		{"what a target holds is forgotten or mixed up", func(w *world) {
			other := edgeban.Held{Subject: h.Subject, Target: "feed", Held: at(1), Foreign: true}
			w.note(h, other)
			w.note(seen)
			for range 2 {
				w.want("edge", w.holdings("edge"), []edgeban.Held{seen})
				w.want("feed", w.holdings("feed"), []edgeban.Held{other})
				w.want("nothing", len(w.holdings("nothing")), 0)
				w.again()
			}
			w.note(gone)
			for range 2 {
				w.want("edge after the release", len(w.holdings("edge")), 0)
				w.again()
			}
			w.note(h)
			w.want("edge when it is held again", w.holdings("edge"), []edgeban.Held{h})
			w.want("events", w.facts(), []edgeban.Fact{h, other, seen, gone, h})
		}},
		{"a note that is repeated tells again", func(w *world) {
			_, _ = w.Pending(cancelled(w), "ntfy", 10)
			for i := range 3 {
				w.must(w.Note(w.Context(), []edgeban.Held{gone}, []edgeban.Notice{notice(fmt.Sprintf("released %d", i))}))
				w.again()
			}
			w.must(w.Note(w.Context(), []edgeban.Held{gone, h, gone}, []edgeban.Notice{notice("and again")}))
			w.want("events", w.facts(), []edgeban.Fact{gone, h, gone})
			ns, err := w.Pending(w.ctx(), "ntfy", 10)
			w.must(err)
			w.want("notices", texts(ns), []string{"released 0", "and again"})
		}},
	}
}
