// Package account looks at reported logins by whose they are: a device that goes on
// with an old password is told from guessing, and one mailbox that is guessed from
// many addresses, each of which stays below what bans, is noticed.
//
// It bans nobody, forgives nobody and reads no clock. What it keeps is bounded, and
// nobody who cannot log in can crowd out what is known of those who can.
package account

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/edgeban/edgeban"
)

const (
	few      = 3                  // passwords of one user from one address: more are guesses
	stale    = 10                 // times the same one, and it is an old one on a device
	many     = 10                 // addresses within spraying, and the mailbox is being guessed
	spraying = time.Hour          //
	memory   = 24 * time.Hour     // after the last failure
	again    = 7 * 24 * time.Hour // before the same is told once more, and after the last login
	strange  = 5                  // notices a day of names that nobody has logged in with: whoever fails can make them up
	maxFrom  = 4 * many           // addresses of a user
	maxUser  = 128                // bytes of a name
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
	users   map[string]*mailbox // of those who have logged in
	swept   time.Time
	odd     []time.Time // when names were told that nobody has logged in with, within a day
	learned bool        // since the last snapshot, what a restart must not forget
	changed bool        // since the last snapshot
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
	from map[netip.Prefix]time.Time
	last time.Time // login
	told time.Time
}

// Look takes a login in. It returns why its failure does not count, or "", and what
// people are to be told.
func (w *Watch) Look(l Login) (ignored string, tell []edgeban.Notice) {
	user, now := name(l.User), l.Time.Round(0)
	if user == "" {
		return "", nil
	}
	w.sweep(now)
	switch l.Kind {
	case edgeban.Success:
		w.succeed(device{l.Addr, user}, now)
		return "", nil
	case edgeban.Failure:
	default:
		return "", nil
	}
	d, box, word := device{l.Addr, user}, w.users[user], strings.ToValidUTF8(l.Secret, "")
	ignored, old := w.repeats(d, word, now)
	text := ""
	switch {
	case old && (box != nil || w.mayTellOf(now)):
		text = oldPassword(d)
	case ignored == "" && box != nil && box.fail(l.Addr, now):
		text = guessed(user, len(box.from))
	}
	w.changed = true
	w.learned = w.learned || text != "" || ignored == "" && (box != nil || word != "")
	if text != "" {
		tell = []edgeban.Notice{{Kind: edgeban.NoticeTrouble, Time: now, Jail: l.Jail, User: user, Text: text}}
	}
	return ignored, tell
}

// name returns what a user is known by. Who writes a name in other letters has the
// same mailbox, at most services.
func name(user string) string {
	return strings.ToValidUTF8(strings.ToLower(strings.ToValidUTF8(user[:min(len(user), maxUser)], "")), "")
}

// succeed remembers who has logged in: of the mailboxes that there are only they know.
// What he tried from there before were mistakes, but for what a device repeats.
func (w *Watch) succeed(d device, now time.Time) {
	if h := w.devices[d]; h != nil && (h.guesses || len(h.tried) > 0) {
		h.guesses = false
		h.keep(few-1, 2)
		w.learned = true
	}
	box := w.users[d.user]
	if box == nil {
		if len(w.users) >= maxSeen {
			w.thinUsers()
		}
		box = &mailbox{}
		w.users[d.user] = box
		w.learned = true
	}
	box.last, w.changed = now, true
}

// keep forgets all but the n passwords that were repeated most, often at least.
func (h *habit) keep(n, often int) {
	slices.SortStableFunc(h.tried, func(a, b secret) int { return b.n - a.n })
	h.tried = slices.DeleteFunc(h.tried[:min(n, len(h.tried))], func(s secret) bool { return s.n < often })
}

// repeats reports why a failure does not count: it is the password of before, by which
// nobody learns anything. Who has tried more than few is guessing, and everything
// counts but what was an old password before. It reports as well whether people are to
// be told of one.
func (w *Watch) repeats(d device, word string, now time.Time) (ignored string, tell bool) {
	if word == "" {
		return "", false
	}
	h := w.devices[d]
	if h == nil {
		if len(w.devices) >= maxSeen {
			w.thinDevices()
		}
		h = &habit{}
		w.devices[d] = h
	}
	h.last = now
	i := slices.IndexFunc(h.tried, func(s secret) bool { return s.word == word })
	switch {
	case i < 0 && h.guesses:
		return "", false
	case i < 0 && len(h.tried) == few:
		h.guesses = true
		h.keep(few, stale)
		return "", false
	case i < 0:
		h.tried = append(h.tried, secret{word, 1})
		return "", false
	}
	h.tried[i].n++
	w.learned = w.learned || h.told.IsZero()
	if tell = h.tried[i].n >= stale && due(h.told, now); tell {
		h.told = now
	}
	return "the same password as before: an old one on a device, it seems", tell
}

// due reports whether what was told at a time, or never, is to be told at now.
func due(told, now time.Time) bool { return told.IsZero() || now.Sub(told).Abs() > again }

// mayTellOf reports whether people are to be told of a name that nobody has logged in
// with.
func (w *Watch) mayTellOf(now time.Time) bool {
	w.odd = slices.DeleteFunc(w.odd, func(at time.Time) bool { return now.Sub(at).Abs() > memory })
	if len(w.odd) >= strange {
		return false
	}
	w.odd = append(w.odd, now)
	return true
}

// fail takes a failure in that counts, and reports whether people are to be told of a
// mailbox that is being guessed.
func (b *mailbox) fail(a netip.Addr, now time.Time) bool {
	p, err := a.Prefix(min(a.BitLen(), 64))
	if err != nil {
		return false
	}
	for q, at := range b.from {
		if now.Sub(at).Abs() > spraying {
			delete(b.from, q)
		}
	}
	if _, known := b.from[p]; !known && len(b.from) >= maxFrom {
		return false
	}
	b.know(p, now)
	if len(b.from) < many || !due(b.told, now) {
		return false
	}
	b.told = now
	return true
}

func (b *mailbox) know(p netip.Prefix, at time.Time) {
	if b.from == nil {
		b.from = map[netip.Prefix]time.Time{}
	}
	b.from[p] = at
}
