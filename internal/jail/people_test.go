package jail

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
)

func healing(c *config.Jail) { c.ResetOnSuccess, c.MaxRetry = true, 5 }

// login plays a login of a user, and reports whether it led to a ban.
func (tp *tape) login(kind edgeban.Kind, user string, after time.Duration) bool {
	m := failing(attacker, after)
	m.Kind, m.User = kind, user
	_, banned := tp.event(m)
	return banned
}

const failed, succeeded = edgeban.Failure, edgeban.Success

func TestALoginForgivesThatUsersFailuresAndNoOthers(t *testing.T) {
	tp := play(t, rules(healing))
	at := time.Duration(0)
	next := func() time.Duration { at += time.Second; return at }
	for range 4 {
		tp.login(failed, "alice", next())
	}
	tp.login(succeeded, "alice", next())
	for range 4 {
		if tp.login(failed, "alice", next()) {
			t.Fatal("banned for what was forgiven")
		}
	}
	for _, user := range []string{"bob", "Alice", "", "alice "} { // of none of whom these are
		tp.login(succeeded, user, next())
	}
	if !tp.login(failed, "alice", next()) {
		t.Error("the login of somebody else has forgiven what was tried on alice")
	}
}

func TestALoginForgivesNothingThatCameAfterIt(t *testing.T) {
	tp := play(t, rules(healing))
	for i := range 4 {
		tp.login(failed, "alice", time.Minute+time.Duration(i)*time.Second)
	}
	tp.login(succeeded, "alice", time.Second) // a line that was read late
	if !tp.login(failed, "alice", 2*time.Minute) {
		t.Error("an earlier login has forgiven later failures")
	}
}

func TestNothingIsForgivenUnlessSaid(t *testing.T) {
	tp := play(t, rules(func(c *config.Jail) { c.MaxRetry = 5 }))
	banned := false
	for i := range 5 {
		banned = tp.login(failed, "alice", time.Duration(2*i)*time.Second)
		tp.login(succeeded, "alice", time.Duration(2*i+1)*time.Second)
	}
	if !banned {
		t.Error("5 failures between logins did not ban: whoever can forge a success would never be")
	}
}

// The owner of one mailbox must not guess another's password under its cover.
func TestOnesOwnMailboxIsNoCoverToGuessAnothers(t *testing.T) {
	for _, good := range []time.Duration{0, 24 * time.Hour} {
		tp := play(t, rules(func(c *config.Jail) { healing(c); c.KnownGood = good }))
		guesses := 0
		for i := range 100 {
			at := time.Duration(10*i) * time.Second
			tp.login(succeeded, "mallory", at)
			if guesses++; tp.login(failed, "bob", at+time.Second) {
				break
			}
		}
		if want := map[time.Duration]int{0: 5, 24 * time.Hour: 15}[good]; guesses != want {
			t.Errorf("known_good %v: banned after %d guesses, want %d", good, guesses, want)
		}
	}
}

// A week of an office behind one address: typos are forgiven, and who tries fifty
// mailboxes from there is not.
func TestAnOfficeBehindOneAddress(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	tp := play(t, rules(func(c *config.Jail) { healing(c); c.KnownGood = 7 * 24 * time.Hour }))
	week := 7 * 24 * time.Hour
	for at := time.Duration(0); at < week; at += time.Duration(r.IntN(60)) * time.Second {
		user := fmt.Sprint("user", r.IntN(10))
		for range r.IntN(4) { // typos, and then it is right
			if at += time.Second; tp.login(failed, user, at) {
				t.Fatalf("the office is banned after %v", at)
			}
		}
		at += time.Second
		tp.login(succeeded, user, at)
	}
	banned := -1
	for i := range 50 {
		if tp.login(failed, fmt.Sprint("mailbox", i), week+time.Duration(i)*time.Second) {
			banned = i + 1
			break
		}
	}
	if banned < 0 || banned > 15 {
		t.Errorf("fifty mailboxes tried from there: banned after %d, want 15 at most", banned)
	}
}

func TestKnownGoodIsPatienceAndNoExemption(t *testing.T) {
	good := func(c *config.Jail) { c.MaxRetry, c.KnownGood = 5, time.Hour }
	fails := func(tp *tape, from time.Duration) (n int) {
		for i := range 100 {
			if n++; tp.login(failed, "bob", from+time.Duration(i)*time.Second) {
				return n
			}
		}
		return -1
	}
	tp := play(t, rules(good))
	if n := fails(tp, 0); n != 5 {
		t.Errorf("a stranger is banned after %d failures, want 5", n)
	}
	tp = play(t, rules(good))
	tp.login(succeeded, "alice", 0)
	if n := fails(tp, time.Minute); n != 15 {
		t.Errorf("who is known as good is banned after %d failures, want 15", n)
	}
	tp = play(t, rules(good))
	tp.login(succeeded, "alice", 0)
	if n := fails(tp, 2*time.Hour); n != 5 {
		t.Errorf("who was known as good is banned after %d failures, want 5", n)
	}
	ignored := failing(attacker, 0)
	ignored.Kind, ignored.Ignored = succeeded, "a proxy"
	tp = play(t, rules(good))
	tp.event(ignored)
	if n := fails(tp, time.Minute); n != 5 {
		t.Errorf("what does not count has made it good: banned after %d", n)
	}
}

func TestPeopleAreBounded(t *testing.T) {
	tp := play(t, rules(func(c *config.Jail) { healing(c); c.KnownGood = time.Hour }))
	a := netip.MustParseAddr("10.0.0.0")
	for i := range maxPeople + 1000 {
		a = a.Next()
		m := failing(a.String(), time.Duration(i)*time.Millisecond)
		m.User = strings.Repeat("x", 100)
		tp.event(m)
		m.Kind = succeeded
		m.User = "another"
		tp.event(m)
	}
	if n, g := len(tp.j.people), len(tp.j.good); n > maxPeople || g > maxPeople {
		t.Errorf("%d subjects with people, %d good ones; want %d at most", n, g, maxPeople)
	}
	tp.j.Freeze(t0.Add(365 * 24 * time.Hour))
	if n, g := len(tp.j.people), len(tp.j.good); n+g > 0 {
		t.Errorf("a year later %d and %d are remembered", n, g)
	}
}

func TestTheSecondSnapshotIsUnderstood(t *testing.T) {
	c := rules(nil)
	tp := play(t, c)
	tp.fail(attacker, 0, time.Second)
	now := tp.j.Freeze(time.Time{}).Snapshot()
	old := append([]byte(second), bytes.TrimPrefix(now[:len(now)-2], []byte(title))...) // without the two numbers of nobody
	j := New(c, forget)
	if err := j.Restore(old); err != nil {
		t.Fatal(err)
	}
	if _, banned := j.Observe(edgeban.Event{Seq: 9, Fact: failing(attacker, 2*time.Second)}); !banned {
		t.Error("what was counted before is lost")
	}
}
