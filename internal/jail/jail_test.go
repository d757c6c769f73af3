package jail

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
)

var t0 = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const forget = 90 * 24 * time.Hour

func rules(change func(*config.Jail)) config.Jail {
	c := config.NewJail("sshd")
	c.LogPath, c.MaxRetry, c.Increment = []string{"/log"}, 3, config.Increment{}
	if change != nil {
		change(&c)
	}
	return c
}

// A tape feeds a jail and numbers the events.
type tape struct {
	*testing.T
	j   *Jail
	seq edgeban.Seq
}

func play(t *testing.T, c config.Jail) *tape { return &tape{t, New(c, forget), 0} }

func (tp *tape) event(f edgeban.Fact) (edgeban.Ban, bool) {
	tp.seq++
	return tp.j.Observe(edgeban.Event{Seq: tp.seq, Fact: f})
}

func failing(addr string, after time.Duration) edgeban.Match {
	a := netip.MustParseAddr(addr)
	return edgeban.Match{Jail: "sshd", Kind: edgeban.Failure, Addr: a, Subject: netip.PrefixFrom(a, a.BitLen()), Count: 1, Time: t0.Add(after)}
}

// fail plays failures of an address and reports the bans they earn.
func (tp *tape) fail(addr string, after ...time.Duration) (bans []edgeban.Ban) {
	for _, d := range after {
		if b, ok := tp.event(failing(addr, d)); ok {
			bans = append(bans, b)
		}
	}
	return bans
}

const attacker = "203.0.113.9"

func TestThirdFailureBans(t *testing.T) {
	tp := play(t, rules(nil))
	bans := tp.fail(attacker, 0, time.Minute, 2*time.Minute)
	if len(bans) != 1 {
		t.Fatalf("after 3 failures in 2 minutes: %d bans, want 1", len(bans))
	}
	want := edgeban.Ban{
		Key:   edgeban.Key{Jail: "sshd", Subject: netip.MustParsePrefix(attacker + "/32")},
		Since: t0.Add(2 * time.Minute), Until: t0.Add(62 * time.Minute), Failures: 3, Nth: 1, Cause: 3, Reason: "3 failures in 2m",
	}
	if bans[0] != want {
		t.Errorf("got  %+v\nwant %+v", bans[0], want)
	}
}

func TestSlowFailuresDoNotBan(t *testing.T) {
	tp := play(t, rules(nil))
	if bans := tp.fail(attacker, 0, 5*time.Minute, 10*time.Minute, 15*time.Minute, 20*time.Minute); len(bans) != 0 {
		t.Errorf("2 failures in any 10 minutes: got %v, want no ban", bans)
	}
}

func TestOutOfOrderLinesCountAlike(t *testing.T) {
	tp := play(t, rules(nil))
	bans := tp.fail(attacker, 2*time.Minute, 0, time.Minute)
	if len(bans) != 1 || !bans[0].Since.Equal(t0.Add(2*time.Minute)) {
		t.Errorf("got %v, want one ban since the latest failure", bans)
	}
}

func TestLineThatCountsThreeBansAtOnce(t *testing.T) {
	tp := play(t, rules(nil))
	m := failing(attacker, 0)
	m.Count = 3
	if b, ok := tp.event(m); !ok || b.Failures != 3 {
		t.Errorf("got %v %v, want a ban for 3 failures", b, ok)
	}
}

func TestWhatDoesNotCountNeverBans(t *testing.T) {
	for name, change := range map[string]func(*edgeban.Match){
		"ignored":    func(m *edgeban.Match) { m.Ignored = "ignoreip" },
		"success":    func(m *edgeban.Match) { m.Kind = edgeban.Success },
		"other jail": func(m *edgeban.Match) { m.Jail = "dovecot" },
	} {
		tp := play(t, rules(nil))
		for range 10 {
			m := failing(attacker, 0)
			change(&m)
			if b, ok := tp.event(m); ok {
				t.Errorf("%s: got %v, want no ban", name, b)
			}
		}
	}
}

// fail2ban's own figures, measured.
func TestRateIsTheOneOfFail2ban(t *testing.T) {
	sec := func(ss ...int) (ds []time.Duration) {
		for _, s := range ss {
			ds = append(ds, time.Duration(s)*time.Second)
		}
		return ds
	}
	c := rules(func(c *config.Jail) { c.MaxRetry, c.Count = 5, config.Rate })
	for _, tt := range []struct {
		at   []time.Duration
		bans int
	}{
		{sec(0, 10, 20, 30, 605), 1},
		{sec(0, 0, 0, 0, 700), 0},
		{sec(0, 0, 0, 0, 700, 701), 0},
		{sec(0, 0, 0, 500, 700), 0},
		{sec(0, 0, 0, 500, 700, 701), 1},
		{sec(0, 150, 300, 450), 0},
		{sec(0, 150, 300, 450, 600), 1},
	} {
		if bans := play(t, c).fail(attacker, tt.at...); len(bans) != tt.bans {
			t.Errorf("failures at %v: %d bans, want %d", tt.at, len(bans), tt.bans)
		}
	}
}

func TestFailuresWhileBannedDoNotCount(t *testing.T) {
	tp := play(t, rules(nil))
	tp.fail(attacker, 0, 0, 0)
	if bans := tp.fail(attacker, time.Minute, 2*time.Minute, 59*time.Minute); len(bans) != 0 {
		t.Errorf("within the ban: got %v, want none", bans)
	}
	if bans := tp.fail(attacker, 61*time.Minute, 62*time.Minute); len(bans) != 0 {
		t.Errorf("2 failures after the ban: got %v, want none: those within it must not count", bans)
	}
	if bans := tp.fail(attacker, 63*time.Minute); len(bans) != 1 || bans[0].Nth != 2 {
		t.Errorf("3 failures after the ban: got %v, want the second offence", bans)
	}
}

func TestIncrementDoublesUpToMax(t *testing.T) {
	c := rules(func(c *config.Jail) {
		c.Increment = config.Increment{Enabled: true, Factor: 1, MaxTime: 5 * time.Hour}
	})
	tp := play(t, c)
	at := time.Duration(0)
	for i, want := range []time.Duration{1, 2, 4, 5, 5} {
		bans := tp.fail(attacker, at, at, at)
		if len(bans) != 1 {
			t.Fatalf("offence %d: %d bans, want 1", i+1, len(bans))
		}
		if got := bans[0].Until.Sub(bans[0].Since); got != want*time.Hour {
			t.Errorf("offence %d: banned for %v, want %v", i+1, got, want*time.Hour)
		}
		at = bans[0].Until.Sub(t0) + time.Minute
	}
}

func TestMultipliersAndRandomPart(t *testing.T) {
	c := rules(func(c *config.Jail) {
		c.Increment = config.Increment{Enabled: true, Factor: 1, Multipliers: []int{1, 3, 9}, RandomTime: time.Hour}
	})
	k := edgeban.Key{Jail: "sshd", Subject: netip.MustParsePrefix(attacker + "/32")}
	j := New(c, forget)
	if got := j.duration(k, 42, 0); got != time.Hour {
		t.Errorf("first offence: %v, want the plain hour", got)
	}
	for before, want := range map[int]time.Duration{1: 3 * time.Hour, 2: 9 * time.Hour, 6: 9 * time.Hour} {
		got := j.duration(k, 42, before)
		if got < want || got >= want+time.Hour {
			t.Errorf("after %d offences: %v, want %v and a random part below 1h", before, got, want)
		}
		if again := j.duration(k, 42, before); again != got {
			t.Errorf("after %d offences: %v, then %v: a replay must agree", before, got, again)
		}
	}
	if j.duration(k, 42, 1) == j.duration(k, 43, 1) {
		t.Error("two causes gave the same random part")
	}
}

func TestForgottenOffenceDoesNotLengthen(t *testing.T) {
	c := rules(func(c *config.Jail) { c.Increment = config.Increment{Enabled: true, Factor: 1} })
	tp := play(t, c)
	tp.fail(attacker, 0, 0, 0)
	late := forget + time.Hour
	if bans := tp.fail(attacker, late, late, late); len(bans) != 1 || bans[0].Nth != 1 {
		t.Errorf("after %v: got %v, want a first offence", late, bans)
	}
}

func TestOverallJailsCountsOffencesElsewhere(t *testing.T) {
	elsewhere := edgeban.Ban{
		Key:   edgeban.Key{Jail: "dovecot", Subject: netip.MustParsePrefix(attacker + "/32")},
		Since: t0, Until: t0.Add(time.Hour), Cause: 900,
	}
	for overall, want := range map[bool]int{false: 1, true: 2} {
		tp := play(t, rules(func(c *config.Jail) {
			c.Increment = config.Increment{Enabled: true, Factor: 1, OverallJails: overall}
		}))
		tp.event(elsewhere)
		if bans := tp.fail(attacker, 0, 0, 0); len(bans) != 1 || bans[0].Nth != want {
			t.Errorf("overalljails %v: got %v, want offence %d", overall, bans, want)
		}
	}
}

func TestUnbannedIsNotBannedByOldLinesAndIsByNewOnes(t *testing.T) {
	tp := play(t, rules(func(c *config.Jail) { c.Increment = config.Increment{Enabled: true, Factor: 1} }))
	b := tp.fail(attacker, 0, 0, 0)[0]
	tp.event(b)
	tp.event(edgeban.Lift{Key: b.Key, At: t0.Add(10 * time.Minute), By: "a person"})
	if bans := tp.fail(attacker, time.Minute, 2*time.Minute, 3*time.Minute, 10*time.Minute); len(bans) != 0 {
		t.Errorf("old lines: got %v, want no ban", bans)
	}
	bans := tp.fail(attacker, 11*time.Minute, 12*time.Minute, 13*time.Minute)
	if len(bans) != 1 {
		t.Fatalf("new lines: got %v, want a ban", bans)
	}
	if bans[0].Nth != 1 {
		t.Errorf("got offence %d, want 1: a ban that a person lifted is none", bans[0].Nth)
	}
}

func TestLiftingABanByHandKeepsOffences(t *testing.T) {
	tp := play(t, rules(func(c *config.Jail) { c.Increment = config.Increment{Enabled: true, Factor: 1} }))
	b := tp.fail(attacker, 0, 0, 0)[0]
	tp.event(b)
	byHand := edgeban.Ban{Key: b.Key, Since: t0.Add(2 * time.Hour), Until: t0.Add(3 * time.Hour)}
	tp.event(byHand)
	tp.event(edgeban.Lift{Key: b.Key, At: t0.Add(150 * time.Minute)})
	at := 4 * time.Hour
	if bans := tp.fail(attacker, at, at, at); len(bans) != 1 || bans[0].Nth != 2 {
		t.Errorf("got %v, want the second offence: the first ban was not lifted", bans)
	}
}

func TestRecidiveCountsBansOfOthers(t *testing.T) {
	c := config.NewJail("recidive")
	c.MaxRetry, c.FindTime, c.BanTime = 3, 24*time.Hour, config.Forever
	tp := play(t, c)
	subject := netip.MustParsePrefix(attacker + "/32")
	banned := func(jail string, hour time.Duration, cause edgeban.Seq) (edgeban.Ban, bool) {
		since := t0.Add(hour * time.Hour)
		return tp.event(edgeban.Ban{Key: edgeban.Key{Jail: jail, Subject: subject}, Since: since, Until: since.Add(time.Hour), Cause: cause})
	}
	banned("sshd", 0, 100)
	banned("sshd", 0, 100) // told again
	banned("manual", 1, 0) // by hand
	if b, ok := banned("dovecot", 2, 102); ok {
		t.Fatalf("2 offences: got %v, want no ban", b)
	}
	b, ok := banned("sshd", 3, 103)
	if !ok || !b.Until.IsZero() || b.Jail != "recidive" || b.Subject != subject {
		t.Errorf("3 offences: got %v %v, want a ban for ever in recidive", b, ok)
	}
}

// A million networks fail once each within two findtimes, beside an attacker who
// fails every two minutes.
func TestSlowAttackerIsNotForgottenInAFlood(t *testing.T) {
	const flooders, slow = 1_000_000, 3
	tp := play(t, rules(nil))
	var bans []edgeban.Ban
	for i := range flooders {
		if i%(flooders/slow) == 0 {
			bans = append(bans, tp.fail(attacker, time.Duration(i/(flooders/slow))*2*time.Minute)...)
		}
		p := netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, byte(i >> 16), byte(i >> 8), byte(i)}), 64)
		m := edgeban.Match{Jail: "sshd", Kind: edgeban.Failure, Addr: p.Addr(), Subject: p, Count: 1, Time: t0.Add(time.Duration(i) * 360 * time.Microsecond)}
		if b, ok := tp.event(m); ok {
			t.Fatalf("one failure is no ban: %v", b)
		}
		if n := tp.j.Len(); n > MaxSubjects {
			t.Fatalf("%d subjects are counted, want at most %d", n, MaxSubjects)
		}
	}
	if len(bans) != 1 {
		t.Errorf("the slow attacker beside the flood: %d bans, want 1", len(bans))
	}
}

func TestSubjectIsTheNetworkOfAnIPv6Address(t *testing.T) {
	c := rules(nil)
	for _, tt := range []struct {
		addr, want string
		alone      bool
	}{
		{"203.0.113.9", "203.0.113.9/32", false},
		{"2001:db8:1:2:3::4", "2001:db8:1:2::/64", false},
		{"2001:db8:1:2:3::4", "2001:db8:1:2:3::4/128", true},
	} {
		if got := Subject(c, netip.MustParseAddr(tt.addr), tt.alone); got.String() != tt.want {
			t.Errorf("%s alone %v: got %v, want %s", tt.addr, tt.alone, got, tt.want)
		}
	}
}

// TestRestartAnywhereDecidesTheSame plays a random day twice: at one go, and with
// a restart from a snapshot after every event, losing up to ten events each time.
func TestRestartAnywhereDecidesTheSame(t *testing.T) {
	for _, how := range []string{"window", "rate", "heals"} {
		count := config.Count(how)
		c := rules(func(c *config.Jail) {
			if c.Count = count; how == "heals" {
				c.Count, c.ResetOnSuccess, c.KnownGood = config.Window, true, time.Hour
			}
			c.Increment = config.Increment{Enabled: true, Factor: 1, RandomTime: time.Hour}
		})
		events := randomDay(rand.New(rand.NewPCG(1, 2)), c)
		want := judgeAll(New(c, forget), events)
		if len(want) < 20 {
			t.Fatalf("%d bans in the day, want enough to compare", len(want))
		}
		for cut := range events {
			j := New(c, forget)
			at := max(0, cut-cut%11)
			got := judgeAll(j, events[:at])
			state := j.Freeze(timeOf(events[:at])).Snapshot()
			judgeAll(j, events[at:cut]) // what is lost with the process
			j = New(c, forget)
			if err := j.Restore(state); err != nil {
				t.Fatal(err)
			}
			got = append(got, judgeAll(j, events[at:])...)
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%s, cut at %d: got %d bans, want %d, or others", count, cut, len(got), len(want))
			}
		}
	}
}

func timeOf(events []edgeban.Event) time.Time {
	var newest time.Time
	for _, ev := range events {
		if m, ok := ev.Fact.(edgeban.Match); ok && m.Time.After(newest) {
			newest = m.Time
		}
	}
	return newest
}

func judgeAll(j *Jail, events []edgeban.Event) (bans []edgeban.Ban) {
	for _, ev := range events {
		if b, ok := j.Observe(ev); ok {
			bans = append(bans, b)
		}
	}
	return bans
}

// randomDay makes a day's events, with the bans and lifts that a daemon would
// have put among them.
func randomDay(r *rand.Rand, c config.Jail) []edgeban.Event {
	var events []edgeban.Event
	j := New(c, forget)
	var late []edgeban.Fact
	put := func(f edgeban.Fact) {
		ev := edgeban.Event{Seq: edgeban.Seq(len(events) + 1), Fact: f}
		events = append(events, ev)
		if b, ok := j.Observe(ev); ok {
			late = append(late, b)
			if r.IntN(4) == 0 {
				late = append(late, edgeban.Lift{Key: b.Key, At: b.Since.Add(time.Minute)})
			}
		}
	}
	at := time.Duration(0)
	for len(events) < 700 {
		if len(late) > 0 && r.IntN(3) == 0 {
			put(late[0])
			late = late[1:]
			continue
		}
		at += time.Duration(r.IntN(120)) * time.Second
		m := failing(fmt.Sprintf("203.0.113.%d", r.IntN(8)), at-time.Duration(r.IntN(30))*time.Second)
		m.Count = 1 + r.IntN(2)
		if c.ResetOnSuccess {
			m.User = fmt.Sprint("user", r.IntN(3))
			if r.IntN(15) == 0 {
				m.Kind = edgeban.Success
			}
		}
		put(m)
	}
	return events
}

func TestChangedRulesKnowThePast(t *testing.T) {
	tp := play(t, rules(nil))
	tp.fail(attacker, 0, 0)
	state := tp.j.Freeze(t0).Snapshot()
	stricter := New(rules(func(c *config.Jail) { c.MaxRetry = 2 }), forget)
	if err := stricter.Restore(state); err != nil {
		t.Fatal(err)
	}
	if b, ok := stricter.Observe(edgeban.Event{Seq: 9, Fact: failing(attacker, time.Minute)}); !ok || b.Failures != 3 {
		t.Errorf("next failure: got %v %v, want a ban that knows the past", b, ok)
	}
}

func TestDamagedSnapshotIsAnError(t *testing.T) {
	j := New(rules(nil), forget)
	for _, b := range [][]byte{nil, []byte("x"), make([]byte, 100)} {
		if err := j.Restore(b); err == nil {
			t.Errorf("restored from %q", b)
		}
	}
}

// FuzzObserve holds the window to a naive one: a ban falls exactly when the
// newest findtime holds maxretry failures.
func FuzzObserve(f *testing.F) {
	f.Add([]byte{0, 10, 20, 200, 30, 3}, uint8(3))
	f.Add([]byte{1, 1, 1, 1, 255, 254, 7, 7}, uint8(2))
	f.Fuzz(func(t *testing.T, steps []byte, retry uint8) {
		c := rules(func(c *config.Jail) { c.MaxRetry = 1 + int(retry%6) })
		j := New(c, forget)
		var naive []time.Time
		at, until := time.Duration(0), time.Time{}
		for i, s := range steps {
			at += time.Duration(s%64) * 10 * time.Second
			when := at
			if s >= 192 { // an older line
				when -= time.Duration(s-192) * 5 * time.Second
			}
			m := failing(attacker, when)
			b, got := j.Observe(edgeban.Event{Seq: edgeban.Seq(i + 1), Fact: m})
			want := false
			if !m.Time.Before(until) {
				naive = append(naive, m.Time)
				want = enough(naive, c.MaxRetry, c.FindTime)
			}
			if got != want {
				t.Fatalf("step %d at %v: banned %v, want %v", i, when, got, want)
			}
			if got {
				naive, until = nil, b.Until
			}
		}
	})
}

func enough(at []time.Time, n int, within time.Duration) bool {
	var newest time.Time
	for _, t := range at {
		if t.After(newest) {
			newest = t
		}
	}
	for _, t := range at {
		if newest.Sub(t) < within {
			n--
		}
	}
	return n <= 0
}

func TestFailuresAfterABansEndOutliveItsEvent(t *testing.T) {
	tp := play(t, rules(nil))
	b := tp.fail(attacker, 0, 0, 0)[0]
	late := 90 * time.Minute
	tp.fail(attacker, late, late) // read before the ban's own event comes back
	tp.event(b)
	if bans := tp.fail(attacker, late); len(bans) != 1 {
		t.Errorf("third failure after the ban: got %v, want a ban", bans)
	}
}

func rateRules(change func(*config.Jail)) config.Jail {
	c := rules(func(c *config.Jail) {
		c.Count, c.MaxRetry, c.BanTime = config.Rate, 5, 10*time.Minute
		c.Increment = config.Increment{Enabled: true, Factor: 1}
	})
	if change != nil {
		change(&c)
	}
	return c
}

// A known bad address is banned sooner each time, as by fail2ban: after one ban
// each failure counts 2, after two 3, after three 5.
func TestKnownBadAddressIsBannedSooner(t *testing.T) {
	tp := play(t, rateRules(nil))
	at := time.Duration(0)
	for i, want := range []int{5, 3, 2, 1, 1} {
		var bans []edgeban.Ban
		n := 0
		for ; len(bans) == 0; n++ {
			at += time.Second
			bans = tp.fail(attacker, at)
		}
		if n != want || bans[0].Failures != want || bans[0].Nth != i+1 {
			t.Errorf("ban %d: %+v after %d failures, want %d", i+1, bans[0], n, want)
		}
		at = bans[0].Until.Sub(t0) + time.Minute
	}
}

func TestFailuresDuringABanProlongARatesBan(t *testing.T) {
	tp := play(t, rateRules(nil))
	first := tp.fail(attacker, 0, 0, 0, 0, 0)[0]
	if tp.j.Prolongs(first) {
		t.Error("the first ban prolongs something")
	}
	tp.event(first)
	bans := tp.fail(attacker, 5*time.Minute, 5*time.Minute, 5*time.Minute)
	if len(bans) != 1 {
		t.Fatalf("3 failures that count 2 each, during the ban: %d bans, want one", len(bans))
	}
	b := bans[0]
	if want := first.Since.Add(15*time.Minute + 75*time.Second); !b.Until.Equal(want) || b.Nth != 1 || !tp.j.Prolongs(b) {
		t.Errorf("got %+v, prolongs %v, want the first offence until %v", b, tp.j.Prolongs(b), want)
	}
	if bans := tp.fail(attacker, 6*time.Minute, 6*time.Minute, 6*time.Minute); len(bans) != 0 {
		t.Errorf("a minute later: got %v, want nothing that is imposed again", bans)
	}
	tp.fail(attacker, 7*time.Minute) // read before the ban's own event comes back
	tp.event(b)
	if again := tp.fail(attacker, 7*time.Minute, 7*time.Minute); len(again) != 1 || again[0].Nth != 1 {
		t.Errorf("3 failures more: got %v, want it longer still", again)
	}
	// It ends at 17 minutes; what is imposed, at 18:15.
	if second := tp.fail(attacker, 17*time.Minute, 17*time.Minute, 17*time.Minute); len(second) != 1 || second[0].Nth != 2 || tp.j.Prolongs(second[0]) {
		t.Errorf("after its end: got %v, want a second offence", second)
	}
	if tp.j.Len() != 0 {
		t.Errorf("%d subjects are counted after a ban, want none", tp.j.Len())
	}
}

// A flood that was coalesced leaves the count where its lines would have.
func TestCoalescedFloodCountsAsItsLines(t *testing.T) {
	for n := range 40 {
		whole, single := New(rateRules(nil), forget), New(rateRules(nil), forget)
		m := failing(attacker, 0)
		for range n {
			single.Observe(edgeban.Event{Seq: 1, Fact: m})
		}
		m.Count = n
		if n > 0 {
			whole.Observe(edgeban.Event{Seq: 1, Fact: m})
		}
		a, b := whole.Freeze(time.Time{}).Snapshot(), single.Freeze(time.Time{}).Snapshot()
		if !bytes.Equal(a, b) {
			t.Errorf("%d lines at once leave another state than one by one", n)
		}
	}
}

func TestFormulaTakesThePlaceOfTheDoubling(t *testing.T) {
	k := edgeban.Key{Jail: "sshd", Subject: netip.MustParsePrefix(attacker + "/32")}
	for _, tt := range []struct {
		formula string
		max     time.Duration
		want    time.Duration
	}{
		{"ban.Time * (ban.Count + banFactor)", 0, 60 * time.Minute}, // 10m * (4+2)
		{"ban.Time / 2", 0, 10 * time.Minute},                       // never shorter
		{"ban.Time ** 2", time.Hour, time.Hour},
		{"ban.Time / (ban.Count - 4)", time.Hour, 10 * time.Minute}, // it has no value
		{"2.0 ** 9999", time.Hour, time.Hour},                       // too large for a number
	} {
		j := New(rateRules(func(c *config.Jail) {
			c.Increment.Formula, c.Increment.Factor, c.Increment.MaxTime = tt.formula, 2, tt.max
		}), forget)
		if got := j.duration(k, 1, 4); got != tt.want {
			t.Errorf("%s, at most %v: %v, want %v", tt.formula, tt.max, got, tt.want)
		}
		if got := j.duration(k, 1, 0); got != 10*time.Minute {
			t.Errorf("%s: the first ban %v, want the plain bantime", tt.formula, got)
		}
	}
}
