package account

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/edgeban/edgeban"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func login(kind edgeban.Kind, addr, user, secret string, after time.Duration) Login {
	return Login{Match: edgeban.Match{Jail: "logins", Kind: kind, Addr: netip.MustParseAddr(addr), User: user, Time: noon.Add(after)}, Secret: secret}
}

const (
	failed = edgeban.Failure
	office = "192.0.2.7"
)

// A phone with an old password, for a week: it counts once, and one notice names the
// account.
func TestAnOldPasswordIsNamedOnceAndCountsOnce(t *testing.T) {
	w, counted, told := New(), 0, []string{}
	for at := time.Duration(0); at < 7*24*time.Hour; at += time.Minute {
		why, ns := w.Look(login(failed, office, "alice", "0aba", at))
		if why == "" {
			counted++
		}
		for _, n := range ns {
			told = append(told, n.Text)
		}
	}
	if counted != 1 {
		t.Errorf("%d failures count, want the first", counted)
	}
	if len(told) != 1 || !strings.Contains(told[0], "An old password on a device of alice") || !strings.Contains(told[0], office) {
		t.Errorf("told %q, want one that names the account", told)
	}
}

// Who guesses has many passwords. That he repeats some must not hide the others: else
// he would fill the memory first, and guess without end then.
func TestGuessingIsNeverTakenForAnOldPassword(t *testing.T) {
	w, counted := New(), 0
	for i := range 10_000 {
		if why, _ := w.Look(login(failed, office, "alice", fmt.Sprintf("%04x", i%4096), time.Duration(i)*time.Second)); why == "" {
			counted++
		}
	}
	if counted != 10_000 {
		t.Errorf("%d of 10,000 guesses count, want all", counted)
	}
	for i := range 10 { // and what he repeats then
		if why, _ := w.Look(login(failed, office, "alice", "0001", time.Duration(10_001+i)*time.Second)); why != "" {
			t.Errorf("who has guessed is trusted: %s", why)
		}
	}
}

// The owner of an old phone mistypes his password at his desk, behind the same address.
// That makes no guesser of the phone, and its old password stays known.
func TestTyposDoNotUnmaskAnOldPhone(t *testing.T) {
	w, counted, told := New(), 0, 0
	at := time.Duration(0)
	look := func(l Login) {
		why, ns := w.Look(l)
		if told += len(ns); why == "" && l.Secret == "0aba" {
			counted++
		}
	}
	for i := range 400 {
		at += time.Minute
		look(login(failed, office, "alice", "0aba", at))
		if i%5 == 0 { // a typo, sometimes two, and then the right one
			for n := range 1 + i%2 {
				look(login(failed, office, "alice", fmt.Sprintf("typo%d.%d", i, n), at))
			}
			look(login(edgeban.Success, office, "alice", "right", at))
		}
		if i > 30 && i%50 == 0 { // four, and no more
			for n := range 4 {
				look(login(failed, office, "alice", fmt.Sprintf("lost%d.%d", i, n), at))
			}
		}
	}
	if counted > 2 || told != 1 { // twice, for a login came before it was repeated
		t.Errorf("the old password counts %d times, told %d times; want twice at most, and once", counted, told)
	}
}

// Who guesses gains nothing by looking like an old phone first, nor by the logins of
// the one whose password he guesses: each new password counts.
func TestEachNewPasswordCounts(t *testing.T) {
	w, counted, at := New(), 0, time.Duration(0)
	for i := range 500 {
		at += time.Second
		for range i % 12 {
			w.Look(login(failed, office, "alice", "0aba", at))
		}
		if i%7 == 0 {
			w.Look(login(edgeban.Success, office, "alice", "right", at))
		}
		if why, _ := w.Look(login(failed, office, "alice", fmt.Sprintf("guess%d", i), at)); why == "" {
			counted++
		}
	}
	if counted != 500 {
		t.Errorf("%d of 500 guesses count, want all", counted)
	}
}

func TestWithoutASecretEverythingCounts(t *testing.T) {
	w := New()
	for i := range 20 {
		if why, ns := w.Look(login(failed, office, "alice", "", time.Duration(i)*time.Second)); why != "" || len(ns) > 0 {
			t.Errorf("not counted: %q, told %v", why, ns)
		}
	}
}

func TestOldPasswordsAreOfOneUserAndOneAddress(t *testing.T) {
	w := New()
	w.Look(login(failed, office, "alice", "0aba", 0))
	for _, l := range []Login{login(failed, office, "bob", "0aba", time.Second), login(failed, "192.0.2.8", "alice", "0aba", time.Second), login(failed, office, "alice", "0abb", time.Second)} {
		if why, _ := w.Look(l); why != "" {
			t.Errorf("%s from %s: %s", l.User, l.Addr, why)
		}
	}
}

// Many addresses that each try once or twice are seen by nobody but the mailbox.
func TestASprayedMailboxIsNamed(t *testing.T) {
	spray := func(w *Watch, user string, gap time.Duration) (told []string) {
		for i := range 30 {
			_, ns := w.Look(login(failed, fmt.Sprintf("203.0.113.%d", i), user, fmt.Sprint(i), time.Duration(i)*gap))
			for _, n := range ns {
				told = append(told, n.Text)
			}
		}
		return told
	}
	w := New()
	w.Look(login(edgeban.Success, office, "alice", "0aba", 0))
	if told := spray(w, "alice", time.Minute); len(told) != 1 || !strings.Contains(told[0], "The password of alice is being guessed from 10 addresses") {
		t.Errorf("told %q, want one", told)
	}
	if told := spray(w, "admin", time.Minute); len(told) != 0 {
		t.Errorf("of a mailbox that nobody has: %q", told)
	}
	w = New()
	w.Look(login(edgeban.Success, office, "alice", "0aba", 0))
	if told := spray(w, "alice", 20*time.Minute); len(told) != 0 {
		t.Errorf("three an hour: %q", told)
	}
	w = New()
	w.Look(login(edgeban.Success, office, "alice", "0aba", 0))
	for i := range 30 { // one host of IPv6, with many addresses
		if _, ns := w.Look(login(failed, fmt.Sprintf("2001:db8::%x", i+1), "alice", fmt.Sprint(i), time.Second)); len(ns) > 0 {
			t.Errorf("one network is told as many addresses: %v", ns)
		}
	}
}

// A service that compares names without regard to case has one mailbox for all of them.
func TestNamesInOtherLettersAreTheSame(t *testing.T) {
	w, told := New(), 0
	w.Look(login(edgeban.Success, office, "Alice", "0aba", 0))
	for i := range 12 {
		user := []string{"alice", "ALICE", "aLice"}[i%3]
		_, ns := w.Look(login(failed, fmt.Sprintf("203.0.113.%d", i), user, fmt.Sprint(i), time.Second))
		told += len(ns)
	}
	if told != 1 {
		t.Errorf("told %d times, want once", told)
	}
}

// Weeks after the first time, a mailbox is named once more, whoever comes then.
func TestTheSecondSprayIsNamedAsWell(t *testing.T) {
	w, told := New(), 0
	for week := range 3 {
		start := time.Duration(week) * 8 * 24 * time.Hour
		w.Look(login(edgeban.Success, office, "alice", "0aba", start))
		for i := range 2 * maxFrom { // more than are remembered
			_, ns := w.Look(login(failed, fmt.Sprintf("203.0.%d.%d", week, i), "alice", fmt.Sprint(i), start+time.Duration(i)*time.Second))
			told += len(ns)
		}
		for day := range 7 {
			w.Look(login(edgeban.Success, office, "alice", "0aba", start+time.Duration(day)*24*time.Hour))
		}
	}
	if told != 3 {
		t.Errorf("told %d times in three weeks, want each week once", told)
	}
}

// Whoever fails can make up names without end. That costs little, hides nobody else,
// and fills no phone.
func TestMadeUpNamesHideNobody(t *testing.T) {
	w, a := New(), netip.MustParseAddr("10.0.0.0")
	w.Look(login(edgeban.Success, office, "alice", "0aba", 0))
	for i := range 2 * stale {
		w.Look(login(failed, office, "bob", "0abb", time.Duration(i)*time.Minute))
	}
	told := 0
	for i := range maxSeen + maxSeen/2 {
		a = a.Next()
		for range 2 {
			_, ns := w.Look(login(failed, a.String(), strings.Repeat("x", 500)+fmt.Sprint(i), "0aba", time.Hour))
			told += len(ns)
		}
		if i < maxSeen/4 {
			w.Look(login(failed, a.String(), fmt.Sprint(i), "0aba", time.Hour))
		}
	}
	if len(w.devices) > maxSeen || len(w.users) != 1 {
		t.Errorf("%d devices, %d users, want %d at most and 1", len(w.devices), len(w.users), maxSeen)
	}
	if why, _ := w.Look(login(failed, office, "bob", "0abb", time.Hour)); why == "" {
		t.Error("an old password that was known counts again")
	}
	for i := range 50 * stale { // each name as an old phone does, to fill the phone of who is told
		_, ns := w.Look(login(failed, "192.0.2.66", fmt.Sprint("name", i/stale), "0abb", time.Hour))
		told += len(ns)
	}
	if told != strange-1 { // bob was one
		t.Errorf("%d notices of made-up names in a day, want %d", told, strange-1)
	}
	sprayed := 0
	for i := range 2 * many {
		_, ns := w.Look(login(failed, fmt.Sprintf("203.0.113.%d", i), "alice", fmt.Sprint(i), time.Hour))
		sprayed += len(ns)
	}
	if sprayed != 1 {
		t.Errorf("behind the noise a mailbox is guessed, told %d times, want once", sprayed)
	}
	if n := len(w.users["alice"].from); n > maxFrom {
		t.Errorf("%d addresses of a mailbox, want %d at most", n, maxFrom)
	}
	w.Look(login(failed, office, "carol", "0aba", 30*24*time.Hour))
	if len(w.devices) != 1 || len(w.users) != 0 {
		t.Errorf("a month later %d devices and %d users are remembered", len(w.devices), len(w.users))
	}
}

// Users who log in are bounded as well, and who was there last stays.
func TestManyUsersAreBounded(t *testing.T) {
	w := New()
	for i := range maxSeen + 10 {
		w.Look(login(edgeban.Success, office, fmt.Sprint(i), "", time.Duration(i)*time.Millisecond))
	}
	if n := len(w.users); n > maxSeen || w.users[fmt.Sprint(maxSeen+9)] == nil || w.users["0"] != nil {
		t.Errorf("%d users, want %d at most, and the last of them", n, maxSeen)
	}
}

// What a name says is chosen by whoever fails to log in.
func TestNoNamePassesForWordsOfOurs(t *testing.T) {
	for user, want := range map[string]string{
		"alice": "alice", "Alice.Smith@example.com": "Alice.Smith@example.com", "jürgen": "jürgen",
		"evil.example":                     "evil[.]example",
		"http://evil.example/x":            "“http://evil[.]example/x”",
		"alice. All is well":               "“alice[.] All is well”",
		"a@evil.example click":             "“a@evil[.]example click”",
		"alice\n\x1b[31m\u202eecila\u200b": "“alice \ufffd[31m\ufffdecila\ufffd”",
		"x” of bob: “y":                    "“x\ufffd of bob: \ufffdy”",
		strings.Repeat("n", 100):           strings.Repeat("n", 63) + "…",
	} {
		if got := shown(user); got != want {
			t.Errorf("%q is shown as %q, want %q", user, got, want)
		}
	}
	w := New()
	w.Look(login(edgeban.Success, office, strings.Repeat("é", 100), "", 0))
	for user := range w.users {
		if !utf8.ValidString(user) || len(user) > maxUser {
			t.Errorf("remembered as %q", user)
		}
	}
}

// A restart goes on where the life before ended, wherever that was.
func TestARestartForgetsNothing(t *testing.T) {
	type event struct{ why, told string }
	run := func(restarts bool) (all []event) {
		w := New()
		for i := range 400 {
			at := time.Duration(i) * 5 * time.Minute
			for _, l := range []Login{
				login(failed, office, "alice", "0aba", at),
				login(failed, office, "bob", fmt.Sprint(i%3), at),
				login(failed, fmt.Sprintf("203.0.113.%d", i%100), "carol", fmt.Sprint(i), at),
				login(failed, fmt.Sprintf("203.0.113.%d", i%100), "\xff", "\xff"+fmt.Sprint(i), at),
				login([]edgeban.Kind{edgeban.Success, failed}[min(i%100, 1)], "2001:db8::1", "carol", "right", at),
			} {
				why, ns := w.Look(l)
				e := event{why, ""}
				for _, n := range ns {
					e.told += n.Text
				}
				all = append(all, e)
			}
			if restarts {
				s, err := w.Snapshot()
				if err != nil {
					t.Fatal(err)
				}
				if w, err = Restore(s); err != nil {
					t.Fatal(err)
				}
			}
		}
		return all
	}
	want, got := run(false), run(true)
	told := 0
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("login %d: %q with restarts, want %q", i, got[i], want[i])
		}
		if want[i].told != "" {
			told++
		}
	}
	if told == 0 {
		t.Error("nothing was told: the test says little")
	}
	if _, err := Restore([]byte("{")); err == nil {
		t.Error("a damaged snapshot is read")
	}
}

// What must not be forgotten is said, so that it is written down at once.
func TestWhatIsLearntIsSaid(t *testing.T) {
	w := New()
	for i, c := range []struct {
		l       Login
		learned bool
	}{
		{login(edgeban.Success, office, "alice", "0aba", 0), true},
		{login(edgeban.Success, office, "alice", "0aba", time.Second), false},
		{login(failed, office, "alice", "0abb", time.Second), true},
		{login(failed, office, "alice", "0abb", 2*time.Second), true}, // once more, and not told yet
		{login(failed, office, "bob", "", 2*time.Second), false},
		{login(failed, "203.0.113.1", "alice", "", 2*time.Second), true},
	} {
		w.Look(c.l)
		if changed, learned := w.Changed(); learned != c.learned || learned && !changed {
			t.Errorf("login %d: changed %v, learned %v, want %v", i, changed, learned, c.learned)
		}
		if _, err := w.Snapshot(); err != nil {
			t.Fatal(err)
		}
		if changed, learned := w.Changed(); changed || learned {
			t.Errorf("login %d: after a snapshot changed %v, learned %v", i, changed, learned)
		}
	}
}

// BenchmarkSnapshot measures what a full memory takes to write down.
func BenchmarkSnapshot(b *testing.B) {
	w, a := New(), netip.MustParseAddr("10.0.0.0")
	for i := range maxSeen {
		a = a.Next()
		user := fmt.Sprintf("user%d@example.com", i)
		w.Look(login(edgeban.Success, a.String(), user, "", 0))
		w.Look(login(failed, a.String(), user, "0aba", 0))
	}
	n := 0
	for b.Loop() {
		s, err := w.Snapshot()
		if err != nil {
			b.Fatal(err)
		}
		n = len(s)
	}
	b.ReportMetric(float64(n), "bytes")
}
