// Package account looks at reported logins by whose they are: a device that goes on
// with an old password is told from guessing, and one mailbox that is guessed from
// many addresses, each of which stays below what bans, is noticed.
//
// It bans nobody and reads no clock. What it keeps is bounded, and forgotten with the
// process: then a device counts as guessing until it has repeated itself.
package account

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/edgeban/edgeban"
)

const (
	few       = 3                  // passwords of one user from one address: more are guesses
	stale     = 10                 // times the same one, and it is an old one on a device
	many      = 10                 // addresses within spraying, and the mailbox is being guessed
	spraying  = time.Hour          //
	memory    = 24 * time.Hour     // after the last failure
	again     = 7 * 24 * time.Hour // before the same is told once more
	maxSeen   = 1 << 15            // pairs of address and user, and users
	maxFrom   = 4 * many           // addresses of a user
	maxUser   = 128                // bytes of a name
	sweepings = time.Minute        // between two looks for what can be forgotten
)

// A Login is a login that a service reports.
type Login struct {
	edgeban.Match

	// Secret tells one password from another without being one: equal ones have
	// equal Secrets, and few different ones do. Empty where it is not known.
	Secret string
}

// A Watch remembers logins. It is not safe for concurrent use.
type Watch struct {
	devices map[device]*habit
	users   map[string]*mailbox
	swept   time.Time
}

// New returns a Watch that has seen nothing.
func New() *Watch { return &Watch{devices: map[device]*habit{}, users: map[string]*mailbox{}} }

// A device is what logs a user in from an address.
type device struct {
	addr netip.Addr
	user string
}

// A habit is which passwords it has tried.
type habit struct {
	tried   []secret
	guesses bool // too many to be old ones
	last    time.Time
	told    time.Time
}

type secret struct {
	word string
	n    int
}

// A mailbox is from where its logins have failed lately.
type mailbox struct {
	exists bool // somebody has logged in
	from   map[netip.Prefix]time.Time
	last   time.Time
	told   time.Time
}

// Look takes a login in. It returns why its failure does not count, or "", and what
// people are to be told.
func (w *Watch) Look(l Login) (ignored string, tell []edgeban.Notice) {
	if l.User == "" {
		return "", nil
	}
	user, now := l.User[:min(len(l.User), maxUser)], l.Time
	w.sweep(now)
	box := w.mailbox(user)
	if box != nil {
		box.last = now
		box.exists = box.exists || l.Kind == edgeban.Success
	}
	if l.Kind != edgeban.Failure {
		return "", nil
	}
	ignored, n := w.repeats(device{l.Addr, user}, l.Secret, now)
	if n != nil {
		n.Jail, n.User = l.Jail, user
		return ignored, []edgeban.Notice{*n}
	}
	if ignored == "" && box != nil {
		if n := box.fail(l.Addr, user, now); n != nil {
			return "", []edgeban.Notice{*n}
		}
	}
	return ignored, nil
}

func (w *Watch) mailbox(user string) *mailbox {
	box := w.users[user]
	if box == nil && len(w.users) < maxSeen {
		box = &mailbox{from: map[netip.Prefix]time.Time{}}
		w.users[user] = box
	}
	return box
}

// repeats reports why a failure does not count: it is the password of before, by which
// nobody learns anything. Who has tried more than few is guessing, and everything counts.
func (w *Watch) repeats(d device, word string, now time.Time) (ignored string, tell *edgeban.Notice) {
	h := w.devices[d]
	if h == nil && len(w.devices) >= maxSeen || word == "" {
		return "", nil
	}
	if h == nil {
		h = &habit{}
		w.devices[d] = h
	}
	h.last = now
	i := slices.IndexFunc(h.tried, func(s secret) bool { return s.word == word })
	switch {
	case h.guesses:
		return "", nil
	case i < 0 && len(h.tried) == few:
		h.guesses, h.tried = true, nil
		return "", nil
	case i < 0:
		h.tried = append(h.tried, secret{word, 1})
		return "", nil
	}
	h.tried[i].n++
	if h.tried[i].n >= stale && (h.told.IsZero() || now.Sub(h.told) > again) {
		h.told = now
		tell = &edgeban.Notice{Kind: edgeban.NoticeTrouble, Time: now, Text: fmt.Sprintf(
			"An old password on a device of %s: its logins from %s fail again and again with the same one. They do not count; change it there.", d.user, d.addr)}
	}
	return "the same password as before: an old one on a device, it seems", tell
}

// fail takes a failure in that counts, and returns what people are to be told.
func (b *mailbox) fail(a netip.Addr, user string, now time.Time) *edgeban.Notice {
	p, err := a.Prefix(min(a.BitLen(), 64))
	if err != nil {
		return nil
	}
	if _, known := b.from[p]; !known && len(b.from) >= maxFrom {
		return nil
	}
	b.from[p] = now
	for q, at := range b.from {
		if now.Sub(at) > spraying {
			delete(b.from, q)
		}
	}
	if len(b.from) < many || !b.exists || !b.told.IsZero() && now.Sub(b.told) < again {
		return nil
	}
	b.told = now
	return &edgeban.Notice{Kind: edgeban.NoticeTrouble, Time: now, User: user, Text: fmt.Sprintf(
		"The password of %s is being guessed from %d addresses within an hour. Each may try too seldom to be banned: see that the password is a good one.", user, len(b.from))}
}

// sweep forgets what was silent for long.
func (w *Watch) sweep(now time.Time) {
	if now.Sub(w.swept).Abs() < sweepings {
		return
	}
	w.swept = now
	for d, h := range w.devices {
		if now.Sub(h.last) > memory && (h.told.IsZero() || now.Sub(h.told) > again) {
			delete(w.devices, d)
		}
	}
	for user, b := range w.users {
		if now.Sub(b.last) > again {
			delete(w.users, user)
		}
	}
}
