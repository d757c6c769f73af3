package account

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"
)

const (
	maxSeen   = 1 << 15     // pairs of address and user, and users
	sweepings = time.Minute // between two looks for what can be forgotten
)

// sweep forgets what was silent for long.
func (w *Watch) sweep(now time.Time) {
	if now.Sub(w.swept).Abs() < sweepings {
		return
	}
	w.swept = now
	maps.DeleteFunc(w.devices, func(_ device, h *habit) bool {
		return now.Sub(h.last).Abs() > memory && due(h.told, now)
	})
	maps.DeleteFunc(w.users, func(_ string, b *mailbox) bool { return now.Sub(b.last).Abs() > again })
}

// thinDevices makes room for a quarter. Whoever fails can make names up, so those go
// first that were never found to be old passwords, and of these the oldest.
func (w *Watch) thinDevices() {
	all := slices.SortedFunc(maps.Keys(w.devices), func(a, b device) int {
		g, h := w.devices[a], w.devices[b]
		if g.told.IsZero() != h.told.IsZero() {
			return map[bool]int{true: -1, false: 1}[g.told.IsZero()]
		}
		return g.last.Compare(h.last)
	})
	for _, d := range all[:max(1, len(all)/4)] {
		delete(w.devices, d)
	}
}

// thinUsers makes room for a quarter: who has not logged in for longest goes.
func (w *Watch) thinUsers() {
	all := slices.SortedFunc(maps.Keys(w.users), func(a, b string) int {
		return cmp.Or(w.users[a].last.Compare(w.users[b].last), cmp.Compare(a, b))
	})
	for _, user := range all[:max(1, len(all)/4)] {
		delete(w.users, user)
	}
}

// Changed reports whether something is not in the last snapshot, and whether that must
// not be forgotten: a password that counted, how often it came until people were told,
// and that they were.
func (w *Watch) Changed() (changed, learned bool) { return w.changed, w.learned }

// A state is what a Watch keeps, in JSON.
type state struct {
	Devices []savedDevice `json:",omitempty"`
	Users   []savedUser   `json:",omitempty"`
	Odd     []time.Time   `json:",omitempty"`
}

// Times are Unix seconds, zero for never.
type savedDevice struct {
	Addr    netip.Addr
	User    string
	Tried   []savedSecret `json:",omitempty"`
	Guesses bool          `json:",omitempty"`
	Last    int64
	Told    int64 `json:",omitempty"`
}

type savedSecret struct {
	Word string
	N    int
}

type savedUser struct {
	User string
	Last int64
	Told int64     `json:",omitempty"`
	From []failing `json:",omitempty"`
}

type failing struct {
	From netip.Prefix
	At   int64
}

func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func moment(s int64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(s, 0)
}

// Snapshot returns all that w knows.
func (w *Watch) Snapshot() ([]byte, error) {
	s := state{Odd: w.odd, Users: make([]savedUser, 0, len(w.users)), Devices: make([]savedDevice, 0, len(w.devices))}
	for d, h := range w.devices {
		saved := savedDevice{Addr: d.addr, User: d.user, Guesses: h.guesses, Last: seconds(h.last), Told: seconds(h.told)}
		for _, t := range h.tried {
			saved.Tried = append(saved.Tried, savedSecret{t.word, t.n})
		}
		s.Devices = append(s.Devices, saved)
	}
	for user, b := range w.users {
		saved := savedUser{User: user, Last: seconds(b.last), Told: seconds(b.told)}
		for p, at := range b.from {
			saved.From = append(saved.From, failing{p, seconds(at)})
		}
		s.Users = append(s.Users, saved)
	}
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("accounts: %w", err)
	}
	w.changed, w.learned = false, false
	return b, nil
}

// Restore returns the Watch that a snapshot was taken of.
func Restore(snapshot []byte) (*Watch, error) {
	var s state
	if err := json.Unmarshal(snapshot, &s); err != nil {
		return nil, fmt.Errorf("accounts: %w", err)
	}
	w := New()
	w.odd = s.Odd
	for _, saved := range s.Devices {
		h := &habit{guesses: saved.Guesses, last: moment(saved.Last), told: moment(saved.Told)}
		for _, t := range saved.Tried {
			h.tried = append(h.tried, secret{t.Word, t.N})
		}
		w.devices[device{saved.Addr, saved.User}] = h
	}
	for _, saved := range s.Users {
		b := &mailbox{last: moment(saved.Last), told: moment(saved.Told)}
		for _, f := range saved.From {
			b.know(f.From, moment(f.At))
		}
		w.users[saved.User] = b
	}
	return w, nil
}
