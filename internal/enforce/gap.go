package enforce

import (
	"context"
	"net/netip"
	"time"
)

// A Gap is why packets of an address may pass a target that lists it.
type Gap struct {
	Kind GapKind
	Text string // what was seen, and the way out: words for people, of ours alone
}

// GapKind says what a gap is.
type GapKind string

// The kinds of gap.
const (
	NoGap     GapKind = ""        // nothing is wrong at the target
	NoRule    GapKind = "rule"    // no rule blocks what it lists, or that is disabled
	NoIPv6    GapKind = "ipv6"    // the rules do not cover IPv6, and the address is one
	Behind    GapKind = "inside"  // the address is behind the target: its packets need not cross it
	OpenState GapKind = "session" // a connection from before goes on
	Unfetched GapKind = "fetch"   // nobody has taken the list, or asked, since
	Refusing  GapKind = "refused" // it has refused the address since: what comes of that are the lines
)

// A Prober is a Target that can be asked why packets pass that it should stop.
type Prober interface {
	Target

	// Gap looks for the reason why packets of a still arrive, which the target
	// lists since a time. An error means that this could not be found out.
	Gap(ctx context.Context, a netip.Addr, since time.Time) (Gap, error)
}
