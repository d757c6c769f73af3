package row

import (
	"bytes"
	"math"
	"net/netip"
	"time"
	"unique"

	"github.com/edgeban/edgeban"
)

// An Entry is a subject in half of its bytes, and without a pointer: 4 or 6, the
// address, and the bits.
type Entry [18]byte

// EntryOf returns p, which is masked; nothing for no subject.
func EntryOf(p netip.Prefix) (e Entry) {
	if !p.IsValid() {
		return e
	}
	e[0] = family(p.Addr())
	copy(e[1:17], p.Addr().AsSlice())
	e[17] = byte(p.Bits())
	return e
}

// Prefix returns the subject as it came.
func (e Entry) Prefix() netip.Prefix {
	switch e[0] {
	case 0:
		return netip.Prefix{}
	case 4:
		return netip.PrefixFrom(netip.AddrFrom4([4]byte(e[1:5])), int(e[17]))
	}
	return netip.PrefixFrom(netip.AddrFrom16([16]byte(e[1:17])), int(e[17]))
}

// Compare orders entries as Prefix.Compare does.
func (e Entry) Compare(other Entry) int { return bytes.Compare(e[:], other[:]) }

// A CompactBan is an event that is a ban, in a third of its bytes: there may be
// hundreds of thousands.
type CompactBan struct {
	Subject       Entry
	Lifted        bool
	failures, nth int32
	Seq, Cause    edgeban.Seq
	since, until  Instant
	addr          *netip.Addr // nil where it is the subject's
	words         unique.Handle[banWords]
}

// Most bans have the words of others.
type banWords struct{ jail, node, reason string }

// CompactBanOf returns b, whose times are Moments.
func CompactBanOf(seq edgeban.Seq, b edgeban.Ban) CompactBan {
	c := CompactBan{
		Subject: EntryOf(b.Subject), Seq: seq, Cause: b.Cause, since: InstantOf(b.Since), until: InstantOf(b.Until),
		failures: number(b.Failures), nth: number(b.Nth), words: unique.Make(banWords{b.Jail, b.Node, b.Reason}),
	}
	if b.Addr != b.Subject.Addr() {
		c.addr = &b.Addr
	}
	return c
}

// Ban returns the ban as it came.
func (c *CompactBan) Ban() edgeban.Ban {
	w, subject := c.words.Value(), c.Subject.Prefix()
	b := edgeban.Ban{
		Key: edgeban.Key{Jail: w.jail, Subject: subject}, Since: c.since.Time(), Until: c.until.Time(), Addr: subject.Addr(),
		Failures: int(c.failures), Nth: int(c.nth), Cause: c.Cause, Node: w.node, Reason: w.reason,
	}
	if c.addr != nil {
		b.Addr = *c.addr
	}
	return b
}

// Jail returns the jail of the ban.
func (c *CompactBan) Jail() string { return c.words.Value().jail }

// Standing is edgeban.Ban's.
func (c *CompactBan) Standing(t time.Time) bool { return c.until == Unset || t.Before(c.until.Time()) }

// Outlasts is edgeban.Ban's.
func (c *CompactBan) Outlasts(old *CompactBan) bool {
	return old.until != Unset && (c.until == Unset || c.until > old.until)
}

func number(n int) int32 { return int32(min(max(n, math.MinInt32), math.MaxInt32)) }

// A CompactHeld is what is said of a subject at a target, without that.
type CompactHeld struct {
	Subject              Entry
	foreign              bool
	sent, held, released Instant
	packets              uint64
}

// CompactHeldOf returns h, whose times are Moments.
func CompactHeldOf(h edgeban.Held) CompactHeld {
	return CompactHeld{EntryOf(h.Subject), h.Foreign, InstantOf(h.Sent), InstantOf(h.Held), InstantOf(h.Released), h.Packets}
}

// Held returns it as it came.
func (c *CompactHeld) Held(target string) edgeban.Held {
	return edgeban.Held{
		Subject: c.Subject.Prefix(), Target: target, Sent: c.sent.Time(), Held: c.held.Time(), Released: c.released.Time(),
		Foreign: c.foreign, Packets: c.packets,
	}
}

// Released reports whether the target was seen to have let the subject go.
func (c *CompactHeld) Released() bool { return c.released != Unset }

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
