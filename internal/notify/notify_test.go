package notify

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/notify/ntfytest"
)

func users() ntfytest.Options { return ntfytest.Options{Users: []ntfytest.User{writer()}} }

func TestOneBanIsToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, users(), Options{})
		defer w.end(t)
		time.Sleep(time.Hour)
		w.post(t, ban(1))
		synctest.Wait()
		if ms := w.messages(); len(ms) != 1 || ms[0].Title != "Banned 203.0.0.1 (dovecot)" {
			t.Errorf("at once: %v, want one ban", ms)
		}
		if n := w.pending(); n != 0 {
			t.Errorf("pending: %d, want 0", n)
		}
		if s := w.delivery.Status(); s.Told.IsZero() || s.Err != "" || !s.Since.IsZero() {
			t.Errorf("status: %+v, want told", s)
		}
	})
}

func TestBurstBecomesFewMessagesAndCountsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, users(), Options{})
		defer w.end(t)
		begin := time.Now()
		for i := range 500 {
			w.post(t, ban(i))
			time.Sleep(47 * time.Millisecond)
		}
		took := time.Since(begin)
		time.Sleep(time.Minute)
		ms := w.messages()
		if limit := 1 + int(math.Ceil(took.Seconds()/5)); len(ms) > limit {
			t.Errorf("500 bans in %v: %d messages, want at most %d", took, len(ms), limit)
		}
		if n := counted(t, ms); n != 500 {
			t.Errorf("the messages count %d bans, want 500", n)
		}
	})
}

func TestServerAwayForAnHourGivesOneDigest(t *testing.T) {
	for _, fault := range []ntfytest.Fault{ntfytest.Down, ntfytest.Broken, ntfytest.Hang} {
		synctest.Test(t, func(t *testing.T) {
			w := start(t, users(), Options{})
			defer w.end(t)
			w.server.Fail(fault, 0)
			for i := range 60 {
				w.post(t, ban(i))
				time.Sleep(time.Minute)
			}
			if s := w.delivery.Status(); s.Err == "" || s.Since.IsZero() || s.Permanent {
				t.Errorf("fault %d: status %+v, want failing for now", fault, s)
			}
			if n := w.server.Requests(); n < 12 || n > 40 {
				t.Errorf("fault %d: %d requests in an hour, want every few minutes", fault, n)
			}
			w.server.Fail(ntfytest.None, 0)
			time.Sleep(lastTry + callTimeout)
			if ms := w.messages(); len(ms) != 1 || counted(t, ms) != 60 {
				t.Errorf("fault %d: afterwards %d messages, want one digest of 60", fault, len(ms))
			}
			if log := w.log.String(); strings.Count(log, "level=WARN") != 1 || strings.Count(log, "level=INFO") != 1 {
				t.Errorf("fault %d: want one complaint and one all-clear, got\n%s", fault, log)
			}
		})
	}
}

func TestLostAnswerIsToldAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, users(), Options{})
		defer w.end(t)
		w.server.Fail(ntfytest.LostAnswer, 1)
		w.post(t, ban(1), ban(2))
		time.Sleep(time.Minute)
		if n := counted(t, w.messages()); n != 4 {
			t.Errorf("told %d bans, want both twice: at least once is the promise", n)
		}
		if n := w.pending(); n != 0 {
			t.Errorf("pending: %d, want 0", n)
		}
	})
}

// TestBadTokenLocksNobodyOut: 30 bad tokens would lock out every client that
// shares our address.
func TestBadTokenLocksNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, ntfytest.Options{}, Options{})
		defer w.end(t)
		for i := range 6 * 60 {
			w.post(t, ban(i))
			time.Sleep(time.Minute)
		}
		if n := w.server.Requests(); n < 20 || n > 25 {
			t.Errorf("with a bad token: %d requests in 6 h, want one in 15 minutes", n)
		}
		if n := strings.Count(w.log.String(), "level=ERROR"); n != 1 {
			t.Errorf("%d complaints, want 1:\n%s", n, w.log)
		}
		s := w.delivery.Status()
		if !s.Permanent || !strings.Contains(s.Err, "alerts at https://ntfy.example.org") || !strings.Contains(s.Err, "token") {
			t.Errorf("status: %+v, want what to do about the token", s)
		}
		w.server.Allow(writer())
		time.Sleep(mendedAfter + time.Second)
		if ms := w.messages(); len(ms) != 1 || counted(t, ms) != 360 {
			t.Errorf("once the token works: %d messages, want one digest of 360", len(ms))
		}
		if s := w.delivery.Status(); s.Permanent || s.Err != "" {
			t.Errorf("status: %+v, want well", s)
		}
	})
}

func TestAfterADayWhatIsOldIsDroppedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, ntfytest.Options{}, Options{})
		defer w.end(t)
		for i := range 48 {
			w.post(t, ban(i))
			time.Sleep(time.Hour)
		}
		if n := w.pending(); n < 23 || n > 26 {
			t.Errorf("after two days %d are pending, want those of the last", n)
		}
		w.server.Allow(writer())
		time.Sleep(time.Hour)
		ms := w.messages()
		if len(ms) != 1 {
			t.Fatalf("%d messages, want 1", len(ms))
		}
		var lost, told int
		lines := strings.Split(ms[0].Message, "\n")
		fmt.Sscanf(lines[0], "%d earlier notices could not be told", &lost)
		fmt.Sscanf(lines[1], "%d addresses banned", &told)
		if lost < 22 || lost+told != 48 {
			t.Errorf("lost %d and told %d, want half of 48 each:\n%s", lost, told, ms[0].Message)
		}
		w.post(t, ban(99))
		time.Sleep(time.Minute)
		if ms := w.messages(); len(ms) != 2 || ms[1].Title != "Banned 203.0.0.99 (dovecot)" {
			t.Errorf("the loss was told again: %v", ms[1:])
		}
	})
}

// TestOldNewsIsToldAfterASmallFault: bans from a log that is being caught up
// with are old when they are decided.
func TestOldNewsIsToldAfterASmallFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, users(), Options{})
		defer w.end(t)
		w.server.Fail(ntfytest.Down, 3)
		old := ban(1)
		old.Time = old.Time.Add(-72 * time.Hour)
		w.post(t, old)
		time.Sleep(time.Minute)
		if n := len(w.messages()); n != 1 {
			t.Errorf("%d messages, want the old ban", n)
		}
	})
}

// TestOldNewsIsToldAfterAnOldFault: what went wrong days ago, and was not the
// server's fault, must not make old news stale.
func TestOldNewsIsToldAfterAnOldFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, users(), Options{On: []string{"ban"}})
		defer w.end(t)
		w.breakIt(true)
		w.post(t, edgeban.Notice{Kind: edgeban.NoticeUnban})
		time.Sleep(time.Hour)
		w.breakIt(false)
		time.Sleep(72 * time.Hour)
		if s := w.delivery.Status(); s.Err != "" {
			t.Errorf("status: %+v, want well", s)
		}
		old := ban(1)
		old.Time = old.Time.Add(-48 * time.Hour)
		w.post(t, old)
		synctest.Wait()
		if n := len(w.messages()); n != 1 {
			t.Errorf("%d messages, want the old ban", n)
		}
	})
}

func TestOnlyTheKindsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, users(), Options{On: []string{"unban", "trouble"}})
		defer w.end(t)
		w.post(t, ban(1), ban(2))
		time.Sleep(time.Minute)
		if n, p := w.server.Requests(), w.pending(); n != 0 || p != 0 {
			t.Errorf("bans, which nobody asked for: %d requests, %d pending, want none", n, p)
		}
		free := ban(3)
		free.Kind = edgeban.NoticeUnban
		w.post(t, ban(4), free, ban(5))
		synctest.Wait()
		if ms := w.messages(); len(ms) != 1 || ms[0].Title != "203.0.0.3 is free again" || strings.Contains(ms[0].Message, "203.0.0.4") {
			t.Errorf("got %v, want the unban alone", ms)
		}
	})
}

func TestOnlyTheJailsAskedForAndEveryTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		by := map[string]string{"203.0.0.2/32": "dovecot", "203.0.0.7/32": "postfix"}
		w := start(t, users(), Options{Jails: []string{"postfix"}, Banned: func(_ context.Context, p netip.Prefix) []string { return []string{by[p.String()]} }})
		defer w.end(t)
		of := func(i int, jail string, kind edgeban.NoticeKind) edgeban.Notice {
			n := ban(i)
			n.Jail, n.Kind = jail, kind
			return n
		}
		w.post(t, of(1, "dovecot", edgeban.NoticeBan), of(2, "", edgeban.NoticeUnban), of(3, "dovecot", edgeban.NoticeInside))
		time.Sleep(time.Minute)
		if n, p := w.server.Requests(), w.pending(); n != 0 || p != 0 {
			t.Errorf("of another jail: %d requests, %d pending, want none", n, p)
		}
		w.post(t, of(4, "dovecot", edgeban.NoticeBan), of(5, "postfix", edgeban.NoticeBan), of(6, "dovecot", edgeban.NoticeBan))
		synctest.Wait()
		if ms := w.messages(); len(ms) != 1 || !strings.Contains(ms[0].Title+ms[0].Message, "203.0.0.5") || strings.Contains(ms[0].Message, "203.0.0.4") {
			t.Errorf("got %v, want the ban of postfix alone", ms)
		}
		for i, tt := range []struct {
			n    edgeban.Notice
			want string
		}{
			{of(7, "", edgeban.NoticeUnban), "203.0.0.7"},
			{edgeban.Notice{Kind: edgeban.NoticeTrouble, Text: "the firewall is away"}, "the firewall is away"},
		} {
			w.post(t, tt.n)
			time.Sleep(time.Minute)
			if ms := w.messages(); len(ms) != 2+i || !strings.Contains(ms[1+i].Title+ms[1+i].Message, tt.want) {
				t.Errorf("got %v, want %s too", ms, tt.want)
			}
		}
	})
}

func TestFullDiskDoesNotRepeatMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, users(), Options{})
		defer w.end(t)
		w.fill(true)
		w.post(t, ban(1))
		time.Sleep(10 * time.Minute)
		w.post(t, ban(2))
		time.Sleep(10 * time.Minute)
		w.fill(false)
		time.Sleep(10 * time.Minute)
		if n := counted(t, w.messages()); n != 2 {
			t.Errorf("told %d bans, want each of 2 once", n)
		}
		if n := w.pending(); n != 0 {
			t.Errorf("pending: %d, want 0", n)
		}
		if s := w.delivery.Status(); s.Err != "" || !s.Since.IsZero() {
			t.Errorf("status: %+v, want well", s)
		}
	})
}

func TestBrokenOutboxIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, users(), Options{})
		defer w.end(t)
		w.post(t, ban(1))
		synctest.Wait()
		w.breakIt(true)
		w.post(t, ban(2)) // ends the wait of before
		time.Sleep(time.Hour)
		if s := w.delivery.Status(); !strings.Contains(s.Err, "no such table") {
			t.Errorf("status: %+v, want the outbox's error", s)
		}
		if n := w.asked(); n < 12 || n > 40 {
			t.Errorf("the outbox was asked %d times in an hour, want every few minutes", n)
		}
		w.breakIt(false)
		time.Sleep(lastTry + callTimeout)
		if n := counted(t, w.messages()); n != 2 {
			t.Errorf("told %d bans, want 2", n)
		}
	})
}

func TestRateLimitIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, users(), Options{})
		defer w.end(t)
		other := NewNtfy(ntfyConfig(), w.server.Transport(ourAddr))
		for range 60 { // somebody else at our address
			if err := other.Notify(t.Context(), []edgeban.Notice{ban(1)}); err != nil {
				t.Fatal(err)
			}
		}
		w.post(t, ban(2))
		synctest.Wait()
		if s := w.delivery.Status(); !strings.Contains(s.Err, "42901") || s.Permanent {
			t.Errorf("status: %+v, want 42901", s)
		}
		time.Sleep(time.Minute + time.Second)
		if n := len(w.messages()); n != 61 {
			t.Errorf("a minute later: %d messages, want 61", n)
		}
	})
}

func TestDailyQuotaIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := users()
		o.Daily = 2
		w := start(t, o, Options{})
		defer w.end(t)
		for i := range 10 {
			w.post(t, ban(i))
			time.Sleep(time.Minute)
		}
		time.Sleep(23*time.Hour + 45*time.Minute)
		if n := w.server.Requests(); n > 2+24 {
			t.Errorf("%d requests before midnight, want at most one an hour", n)
		}
		time.Sleep(10 * time.Minute)
		if ms := w.messages(); len(ms) != 3 || counted(t, ms) != 10 {
			t.Errorf("after midnight: %d messages, want the rest in one", len(ms))
		}
	})
}

// A judge is a notifier that never takes some notices.
type judge struct {
	mu     sync.Mutex
	bad    func(edgeban.Notice) bool
	calls  int
	passed []edgeban.Notice
}

func (j *judge) Notify(_ context.Context, ns []edgeban.Notice) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.calls++
	if slices.ContainsFunc(ns, j.bad) {
		return edgeban.Permanent(errors.New("never"))
	}
	j.passed = append(j.passed, ns...)
	return nil
}

func TestOneBadNoticeDoesNotBlockTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &judge{bad: func(n edgeban.Notice) bool { return n.User == "bad" }}
		w := run(t, j, Options{})
		ns := make([]edgeban.Notice, 1000)
		for i := range ns {
			ns[i] = ban(i)
		}
		ns[617].User = "bad"
		w.post(t, ns...)
		time.Sleep(time.Hour)
		w.end(t)
		told := map[edgeban.Seq]int{}
		loss := 0
		for _, n := range j.passed {
			if n.Kind == edgeban.NoticeTrouble && strings.HasPrefix(n.Text, "1 earlier notice ") {
				loss++
				continue
			}
			told[n.ID]++
		}
		if len(told) != 999 || told[618] != 0 || loss != 1 || w.pending() != 0 {
			t.Errorf("told %d, the bad one %d times, the loss %d times, %d pending; want 999, 0, 1, 0", len(told), told[618], loss, w.pending())
		}
		if j.calls > 60 {
			t.Errorf("%d calls, want a search by halves", j.calls)
		}
	})
}

func TestRefusingEverythingIsNotHammered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &judge{bad: func(edgeban.Notice) bool { return true }}
		w := run(t, j, Options{})
		for i := range 3000 {
			w.post(t, ban(i))
		}
		time.Sleep(5 * time.Minute)
		w.end(t)
		if j.calls > 20 {
			t.Errorf("%d calls for 3000 notices, want at most 20", j.calls)
		}
		if s := w.delivery.Status(); s.Lost != 3000 || w.pending() != 0 {
			t.Errorf("lost %d, pending %d, want 3000 and 0", s.Lost, w.pending())
		}
	})
}

// A slow notifier takes its time, unless it is told to stop.
type slow time.Duration

func (s slow) Notify(ctx context.Context, _ []edgeban.Notice) error {
	sleep(ctx, time.Duration(s))
	return ctx.Err()
}

func TestStoppingWaitsForWhatIsBeingSent(t *testing.T) {
	for _, test := range []struct {
		takes, want time.Duration
		pending     int
	}{
		{2 * time.Second, 1 * time.Second, 0},
		{time.Minute, linger, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := run(t, slow(test.takes), Options{})
			w.post(t, ban(1))
			time.Sleep(time.Second)
			begin := time.Now()
			w.end(t)
			if got := time.Since(begin); got != test.want {
				t.Errorf("a message of %v: stopped after %v, want %v", test.takes, got, test.want)
			}
			if n := w.pending(); n != test.pending {
				t.Errorf("a message of %v: %d pending, want %d", test.takes, n, test.pending)
			}
		})
	}
}

func TestStoppingDoesNotWaitForARetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, ntfytest.Options{}, Options{})
		w.post(t, ban(1))
		time.Sleep(time.Minute)
		begin := time.Now()
		w.end(t)
		if got := time.Since(begin); got != 0 {
			t.Errorf("stopped after %v, want at once", got)
		}
		if n := w.pending(); n != 1 {
			t.Errorf("%d pending, want 1", n)
		}
	})
}

func TestBackoffStaysWithinBounds(t *testing.T) {
	for n := 1; n < 100; n++ {
		if d := backoff(n); d < firstTry || d > lastTry {
			t.Errorf("wait %d: %v, want %v to %v", n, d, firstTry, lastTry)
		}
	}
	if d := backoff(50); d < lastTry/2 {
		t.Errorf("wait 50: %v, want long", d)
	}
}

// A proof that is there within a moment is in the message; one that is not keeps
// nobody waiting.
func TestMessageOfABanSaysWhoHoldsIt(t *testing.T) {
	for _, c := range []struct {
		name  string
		after time.Duration // until it is held
		two   bool          // another target never holds it
		waits time.Duration // the most
		says  string
	}{
		{name: "at once", says: ", held at edge after 0.1 s", waits: 50 * time.Millisecond},
		{name: "soon", after: 800 * time.Millisecond, says: ", held at edge after 0.8 s", waits: time.Second},
		{name: "one of two", after: 800 * time.Millisecond, two: true, says: ", held at edge after 0.8 s", waits: patience + glance},
		{name: "late", after: time.Minute, says: "", waits: patience + glance},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start1 := time.Now()
				w := start(t, users(), Options{Prove: func(_ context.Context, n *edgeban.Notice) bool {
					if time.Since(start1) < c.after {
						return false
					}
					n.Target, n.After = "edge", c.after
					if c.after == 0 {
						n.After = time.Millisecond
					}
					return !c.two
				}})
				defer w.end(t)
				w.post(t, ban(1))
				for len(w.messages()) == 0 && time.Since(start1) < time.Minute {
					time.Sleep(10 * time.Millisecond)
				}
				if took := time.Since(start1); took > c.waits {
					t.Errorf("the message came after %v, want %v at most", took, c.waits)
				}
				m := w.messages()[0].Message
				if c.says != "" && !strings.HasSuffix(m, c.says) || c.says == "" && strings.Contains(m, "held") {
					t.Errorf("the message says %q, want %q at its end", m, c.says)
				}
			})
		})
	}
}

// Three doors let somebody go within a second. The first of them must not be told as if
// it were all, and the others in a message of their own; nor must it wait for a target
// that is away.
func TestAnUnbanAtSeveralTargetsIsOneMessage(t *testing.T) {
	for _, c := range []struct {
		name  string
		after time.Duration // until the second lets go
		want  []string
	}{
		{"soon", 700 * time.Millisecond, []string{"at proxy, logins."}},
		{"late", time.Minute, []string{"at proxy.", "at logins."}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var free atomic.Bool
				w := start(t, users(), Options{Free: func(context.Context, netip.Prefix) bool { return free.Load() }})
				defer w.end(t)
				n := ban(1)
				n.Kind, n.Jail, n.Target = edgeban.NoticeUnban, "", "proxy"
				w.post(t, n)
				time.Sleep(c.after)
				n.Target = "logins"
				w.post(t, n)
				free.Store(true)
				time.Sleep(10 * time.Second)
				var got []string
				for _, m := range w.messages() {
					got = append(got, strings.TrimPrefix(m.Message, "It is not banned any more "))
				}
				if !slices.Equal(got, c.want) || w.pending() != 0 {
					t.Errorf("told %q, %d pending; want %q", got, w.pending(), c.want)
				}
			})
		})
	}
}

// Several logs show the same logins: the second jail's ban of an attacker, seconds after
// the first one's, is no second incident. A longer one is news, and so is one after an
// unban, or a minute later.
func TestTheSameAttackInAnotherLogIsNoNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, users(), Options{})
		defer w.end(t)
		told := 0
		for _, step := range []struct {
			after time.Duration
			kind  edgeban.NoticeKind
			jail  string
			until time.Duration
			news  bool
		}{
			{0, edgeban.NoticeInside, "dovecot", time.Hour, true},
			{10 * time.Second, edgeban.NoticeInside, "postfix", time.Hour, false},
			{10 * time.Second, edgeban.NoticeInside, "recidive", 7 * 24 * time.Hour, true},
			{10 * time.Second, edgeban.NoticeInside, "postfix", time.Hour, false},
			{10 * time.Second, edgeban.NoticeUnban, "", 0, true},
			{10 * time.Second, edgeban.NoticeInside, "postfix", time.Hour, true},
			{10 * time.Second, edgeban.NoticeInside, "postfix", time.Hour, true}, // unbanned by hand, and no news of that
			{2 * time.Minute, edgeban.NoticeInside, "dovecot", time.Hour, true},
		} {
			time.Sleep(step.after)
			n := ban(1)
			n.Kind, n.Jail, n.Time, n.Until = step.kind, step.jail, time.Now(), time.Now().Add(step.until)
			w.post(t, n)
			time.Sleep(6 * time.Second)
			if step.news {
				told++
			}
			if ms := w.messages(); len(ms) != told || w.pending() != 0 {
				t.Fatalf("%s of %s after %v: %d messages, %d pending; want %d", step.kind, step.jail, step.after, len(ms), w.pending(), told)
			}
		}
	})
}
