package account

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

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

func TestMemoryIsBounded(t *testing.T) {
	w := New()
	a := netip.MustParseAddr("10.0.0.0")
	for i := range maxSeen + 100 {
		a = a.Next()
		w.Look(login(failed, a.String(), strings.Repeat("x", 500)+fmt.Sprint(i), "0aba", 0))
		w.Look(login(failed, a.String(), fmt.Sprint(i), "0aba", 0))
		w.Look(login(failed, a.String(), "alice", "0aba", 0))
	}
	if len(w.devices) > maxSeen || len(w.users) > maxSeen || len(w.users["alice"].from) > maxFrom {
		t.Errorf("%d devices, %d users, %d addresses", len(w.devices), len(w.users), len(w.users["alice"].from))
	}
	w.Look(login(failed, office, "bob", "0aba", 30*24*time.Hour))
	if len(w.devices) != 1 || len(w.users) != 1 {
		t.Errorf("a month later %d devices and %d users are remembered", len(w.devices), len(w.users))
	}
}
