package row

import (
	"math"
	"net/netip"
	"time"
	"unique"

	"github.com/edgeban/edgeban"
)

// A CompactBan is a ban in half of its bytes: there may be hundreds of thousands.
type CompactBan struct {
	edgeban.Key
	Cause         edgeban.Seq
	since, until  Instant
	addr          *netip.Addr // nil where it is the subject's
	failures, nth int32
	words         unique.Handle[banWords]
}

// Most bans have the words of others.
type banWords struct{ node, reason string }

// CompactBanOf returns b, whose times are Moments.
func CompactBanOf(b edgeban.Ban) CompactBan {
	c := CompactBan{
		Key: b.Key, Cause: b.Cause, since: InstantOf(b.Since), until: InstantOf(b.Until),
		failures: number(b.Failures), nth: number(b.Nth), words: unique.Make(banWords{b.Node, b.Reason}),
	}
	if b.Addr != b.Subject.Addr() {
		c.addr = &b.Addr
	}
	return c
}

// Ban returns the ban as it came.
func (c *CompactBan) Ban() edgeban.Ban {
	w := c.words.Value()
	b := edgeban.Ban{
		Key: c.Key, Since: c.since.Time(), Until: c.until.Time(), Addr: c.Subject.Addr(),
		Failures: int(c.failures), Nth: int(c.nth), Cause: c.Cause, Node: w.node, Reason: w.reason,
	}
	if c.addr != nil {
		b.Addr = *c.addr
	}
	return b
}

// Standing is edgeban.Ban's.
func (c *CompactBan) Standing(t time.Time) bool { return c.until == Unset || t.Before(c.until.Time()) }

// Outlasts is edgeban.Ban's.
func (c *CompactBan) Outlasts(old *CompactBan) bool {
	return old.until != Unset && (c.until == Unset || c.until > old.until)
}

func number(n int) int32 { return int32(min(max(n, math.MinInt32), math.MaxInt32)) }

// A CompactHeld is what is said of a subject at a target, without these.
type CompactHeld struct {
	sent, held, released Instant
	packets              uint64
	foreign              bool
}

// CompactHeldOf returns h, whose times are Moments.
func CompactHeldOf(h edgeban.Held) CompactHeld {
	return CompactHeld{InstantOf(h.Sent), InstantOf(h.Held), InstantOf(h.Released), h.Packets, h.Foreign}
}

// Held returns it as it came.
func (c CompactHeld) Held(target string, subject netip.Prefix) edgeban.Held {
	return edgeban.Held{
		Subject: subject, Target: target, Sent: c.sent.Time(), Held: c.held.Time(), Released: c.released.Time(),
		Foreign: c.foreign, Packets: c.packets,
	}
}

// Released reports whether the target was seen to have let the subject go.
func (c CompactHeld) Released() bool { return c.released != Unset }

// An Instant is a time in a third of its bytes, as the file has it.
type Instant int64

// Unset is the zero time.
const Unset = Instant(math.MinInt64)

// InstantOf returns t, which is a Moment.
func InstantOf(t time.Time) Instant {
	if t.IsZero() {
		return Unset
	}
	return Instant(t.UnixNano())
}

// Time returns the time as it came.
func (i Instant) Time() time.Time {
	if i == Unset {
		return time.Time{}
	}
	return time.Unix(0, int64(i)).UTC()
}

// Words hold one string for all that are equal: many rows have the same.
type Words map[string]string

// One returns the string that stands for s.
func (w Words) One(s string) string {
	if known, ok := w[s]; ok {
		return known
	}
	w[s] = s
	return s
}
