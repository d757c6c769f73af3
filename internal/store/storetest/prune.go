package storetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/edgeban/edgeban"
)

func asking() []promise {
	return []promise{
		{"an address is not found in its network, or the network by its address", func(w *world) {
			wide, narrow := match("wide", "2001:db8::1", 0), match("narrow", "2001:db8::2", 1)
			wide.Subject = prefix("2001:db8::/64")
			bare := match("bare", "192.0.2.77", 2)
			bare.Subject = prefix("192.0.2.77/32")
			w.record(wide, narrow, bare, match("elsewhere", "198.51.100.1", 3))
			w.impose(ban("2001:db8::/48", 60, 1))
			w.impose(ban("192.0.2.0/24", 60, 2))
			w.must(w.Lift(w.Context(), edgeban.Lift{Key: ban("192.0.2.0/24", 0, 0).Key, At: at(1), By: "ann"}))
			w.note(edgeban.Held{Subject: prefix("2001:db8::2"), Target: "edge", Held: at(1)})
			for range 2 {
				for _, test := range []struct{ ask, want string }{
					{"2001:db8::2/128", "matches wide narrow, bans 1, lifts 0, held 1"},
					{"2001:db8::3/128", "matches wide, bans 1, lifts 0, held 0"},
					{"2001:db8::/32", "matches wide narrow, bans 1, lifts 0, held 1"},
					{"::/0", "matches wide narrow, bans 1, lifts 0, held 1"},
					{"0.0.0.0/0", "matches bare elsewhere, bans 1, lifts 1, held 0"},
					{"192.0.2.77/32", "matches bare, bans 1, lifts 1, held 0"},
					{"192.0.2.78/32", "matches, bans 1, lifts 1, held 0"},
					{"192.0.3.0/24", "matches, bans 0, lifts 0, held 0"},
				} {
					r := w.about(test.ask, 10)
					got := strings.TrimSpace("matches "+strings.Join(ids(r.Matches), " ")) + fmt.Sprintf(", bans %d, lifts %d, held %d", len(r.Bans), len(r.Lifts), len(r.Held))
					w.want("about "+test.ask, got, test.want)
				}
				w.again()
			}
		}},
		{"the last lines about an address are left out", func(w *world) {
			for i := range 10 {
				w.record(match(fmt.Sprint(i), "192.0.2.1", i))
			}
			w.want("the last three", ids(w.about("192.0.2.1/32", 3).Matches), []string{"7", "8", "9"})
			w.want("none", len(w.about("192.0.2.1/32", 0).Matches), 0)
		}},
		{"what a target held before is not told", func(w *world) {
			h := edgeban.Held{Subject: prefix("192.0.2.1"), Target: "edge"}
			var want []edgeban.Held
			for stay := range 3 {
				h.Sent, h.Held, h.Released, h.Packets = at(10*stay), time.Time{}, time.Time{}, 0
				w.note(h)
				h.Held, h.Packets = at(10*stay+1), 5
				w.note(h)
				if stay < 2 {
					h.Released = at(10*stay + 2)
					w.note(h)
				}
				want = append(want, h)
			}
			w.want("stays", w.about("192.0.2.1/32", 0).Held, want)
		}},
	}
}

var day = 24 * time.Hour

func (w *world) prune(t time.Time, r edgeban.Retention) {
	w.Helper()
	w.must(w.Prune(w.Context(), t, r))
}

func pruning() []promise {
	return []promise{
		{"pruning lets somebody go", func(w *world) {
			w.impose(ban("192.0.2.1", 0, 1))
			w.impose(ban("192.0.2.2", 60*24*400, 2))
			w.impose(ban("192.0.2.3", 60, 3))
			w.note(edgeban.Held{Subject: prefix("192.0.2.1"), Target: "edge", Sent: noon, Held: noon}, edgeban.Held{Subject: prefix("192.0.2.3"), Target: "edge", Released: noon})
			w.prune(noon.AddDate(1, 0, 0), edgeban.Retention{Matches: time.Nanosecond, Bans: time.Nanosecond, Size: 1})
			for range 2 {
				w.want("standing", subjects(w.standing(noon.AddDate(1, 0, 0))), []string{"sshd 192.0.2.1/32", "sshd 192.0.2.2/32"})
				w.want("bans", len(w.about("192.0.2.0/24", 0).Bans), 2)
				w.want("holdings", len(w.holdings("edge")), 1)
				w.want("stays", len(w.about("192.0.2.0/24", 0).Held), 1)
				w.again()
			}
		}},
		{"nothing is ever forgotten", func(w *world) {
			w.record(match("old", "192.0.2.1", 0), match("young", "192.0.2.1", 60*24*50))
			w.impose(ban("192.0.2.9", 60, 1))
			w.impose(ban("192.0.2.9", 60*24*50, 2))
			w.impose(ban("192.0.2.8", 0, 3))
			w.must(w.Lift(w.Context(), edgeban.Lift{Key: ban("192.0.2.8", 0, 0).Key, At: at(1)}))
			w.prune(noon, edgeban.Retention{Matches: 10 * day, Bans: 10 * day})
			w.want("before anything is old", len(w.facts()), 6)
			w.prune(noon.Add(51*day), edgeban.Retention{Matches: 10 * day, Bans: 10 * day})
			for range 2 {
				w.want("events left", w.facts(), []edgeban.Fact{match("young", "192.0.2.1", 60*24*50), ban("192.0.2.9", 60*24*50, 2)})
				w.again()
			}
			w.impose(ban("192.0.2.9", 60, 1)) // of a forgotten one nobody knows that it is a repetition
			w.want("bans", len(w.facts()), 3)
		}},
		{"a retention of nothing forgets everything", func(w *world) {
			w.record(match("1", "192.0.2.1", 0))
			w.impose(ban("192.0.2.9", 60, 1))
			w.prune(noon.AddDate(9, 0, 0), edgeban.Retention{})
			w.want("events", len(w.facts()), 2)
		}},
		{"the lines that a ban was decided by are gone before it", evidenceStays},
		{"pruning takes what a jail has not judged", unjudgedStays},
		{"a place is given again after pruning", func(w *world) {
			w.record(match("1", "192.0.2.1", 0), match("2", "192.0.2.1", 1))
			w.prune(noon.Add(day), edgeban.Retention{Matches: time.Hour})
			w.want("events", len(w.facts()), 0)
			before := w.head()
			w.again()
			w.record(match("3", "192.0.2.1", 2))
			w.want("place", w.head(), before+1)
			_, latest, err := w.Head(w.Context())
			w.must(err)
			w.want("latest", latest, at(2))
		}},
		{"the outbox grows for ever, or loses what is untold", func(w *world) {
			w.nothing("ntfy")
			w.nothing("mail")
			w.post("1", "2")
			w.must(w.Told(w.Context(), "ntfy", w.pending("ntfy", 1)[0].ID))
			w.prune(noon.Add(day), edgeban.Retention{})
			w.want("mail", texts(w.pending("mail", 9)), []string{"1", "2"})
			w.again()
			w.want("mail after a restart", texts(w.pending("mail", 9)), []string{"1", "2"})
			w.prune(noon.Add(8*day), edgeban.Retention{})
			for range 2 {
				w.nothing("mail")
				w.again()
			}
		}},
	}
}

func evidenceStays(w *world) {
	var ms []edgeban.Match
	for i := range 30 {
		ms = append(ms, match(fmt.Sprint(i), "192.0.2.1", i))
	}
	other := match("jail", "192.0.2.1", 0)
	other.Jail = "dovecot"
	w.record(append(ms, other, match("addr", "192.0.2.2", 0))...)
	w.impose(ban("192.0.2.1", 60, 25)) // the 25th match: numbers 5 to 24 are the last 20
	w.again()
	w.record(match("later", "192.0.2.1", 26))
	w.prune(noon.Add(2*day), edgeban.Retention{Matches: day, Bans: 10 * day})
	r := w.about("192.0.2.0/24", 100)
	w.want("evidence", ids(r.Matches), ids(ms[5:25]))
	w.prune(noon.Add(20*day), edgeban.Retention{Matches: day, Bans: 10 * day})
	w.want("after the ban", len(w.facts()), 0)

	for i := range 30 { // a network that is banned by hand
		ms[i] = match(fmt.Sprint("h", i), fmt.Sprint("198.51.100.", i), i)
	}
	w.record(ms...)
	w.impose(ban("198.51.100.0/24", 60, 0))
	w.prune(noon.Add(2*day), edgeban.Retention{Matches: day, Bans: 10 * day})
	w.want("evidence of a network", ids(w.about("198.51.100.0/24", 100).Matches), ids(ms[10:]))
}

func unjudgedStays(w *world) {
	for i := range 10 {
		w.record(match(fmt.Sprint(i), "192.0.2.1", i))
	}
	w.impose(ban("192.0.2.9", 60, 0))
	w.must(w.Snapshot(w.Context(), edgeban.Snapshot{Jail: "sshd", At: 4}))
	w.must(w.Snapshot(w.Context(), edgeban.Snapshot{Jail: "dovecot", At: 6}))
	w.prune(noon.Add(2*day), edgeban.Retention{Matches: time.Hour, Bans: 90 * day, Size: 1})
	w.want("after the first four", ids(w.about("192.0.2.1/32", 99).Matches), []string{"4", "5", "6", "7", "8", "9"})
	w.must(w.Snapshot(w.Context(), edgeban.Snapshot{Jail: "sshd", At: 8}))
	w.again()
	w.prune(noon.Add(2*day), edgeban.Retention{Matches: time.Hour, Bans: 90 * day, Size: 1})
	w.want("after the first six", ids(w.about("192.0.2.1/32", 99).Matches), []string{"6", "7", "8", "9"})
	w.prune(noon.Add(2*day), edgeban.Retention{Matches: time.Hour, Bans: 90 * day, Jails: []string{"sshd"}})
	w.want("once dovecot is no jail any more", ids(w.about("192.0.2.1/32", 99).Matches), []string{"8", "9"})
	// The snapshot of a jail that has been gone for as long as bans are
	// remembered holds up nothing.
	w.prune(noon.Add(100*day), edgeban.Retention{Matches: time.Hour, Bans: 90 * day})
	w.want("a hundred days later", len(w.facts()), 0)
}
