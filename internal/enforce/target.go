// Package enforce makes targets equal to the ledger, and proves that they are.
//
// A Target is a firewall or whatever else can hold bans; a Keeper compares one
// with the standing bans, sends the difference and writes down what is held. It
// never decides who is banned.
package enforce

import (
	"context"
	"net/netip"
)

// A Target holds bans. A Keeper asks what is held from one goroutine and may
// apply differences from a few others meanwhile.
type Target interface {
	// Held returns every entry that the target holds, ours or not, masked. There
	// may be many: the list may be the target's own, and is not to be changed.
	// An error marked edgeban.Permanent needs a person; others pass.
	Held(ctx context.Context) ([]netip.Prefix, error)

	// Apply sends a difference. It is idempotent, and on an error it may have
	// sent a part: the Keeper asks again what is held.
	Apply(ctx context.Context, d Diff) error

	// Fits reports whether the target can hold p as it is.
	Fits(p netip.Prefix) bool
}

// A Whole target is set as a whole: it needs Diff.Want with every change.
type Whole interface {
	Target
	Whole()
}

// An Asker is a Target that can be asked for one entry alone, for less than a list.
type Asker interface {
	Target

	// Holds reports whether p, or a network around it, is held; known is false
	// where that cannot be asked.
	Holds(ctx context.Context, p netip.Prefix) (held, known bool, err error)
}

// A Breaker is a Target at which connections that were there before an entry go
// on, and can be ended.
type Breaker interface {
	Target

	// Break ends the connections of an entry that was added. It waits until the
	// target can bear it. That it fails is no fault of the ban, and the Breaker's to
	// tell.
	Break(ctx context.Context, p netip.Prefix)
}

// A Counter is a Target that counts what it stops.
type Counter interface {
	Target

	// Packets returns, as of the last Held, the packets that each entry has stopped
	// since it was added or counting began anew: sorted, those with none left out.
	// The list is the target's own.
	Packets() []Count
}

// A Count is how many packets an entry has stopped.
type Count struct {
	Entry   netip.Prefix
	Packets uint64
}

// A Diff is what separates a target from what it should hold.
type Diff struct {
	Want    []netip.Prefix // all that a Whole target should hold; sorted
	Add     []netip.Prefix // in the order in which they matter
	Remove  []netip.Prefix
	Partial bool // the ledger may lack bans: nothing was taken out of Want, and an empty Want means nothing
}

// A Door is a Target that clients pass whose packets need not cross a firewall:
// the service itself, or what stands before it.
type Door interface {
	Target

	// Passes says for people what passes it, such as "smtp and imaps of Traefik".
	Passes() string
}

// A Bounded target takes so many entries and no more: it is sent the newest and
// the longest, and the rest waits.
type Bounded interface {
	Target
	Room() int
}
