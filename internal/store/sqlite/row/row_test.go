package row

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
)

// within evaluates the condition that Overlap gives to SQLite.
func within(subject []byte, args []any) bool {
	in := bytes.Compare(args[0].([]byte), subject) <= 0 && bytes.Compare(subject, args[1].([]byte)) <= 0
	for _, wider := range args[2:] {
		in = in || bytes.Equal(subject, wider.([]byte))
	}
	return in
}

// FuzzOverlap wants the condition to be what netip says, of any two networks.
func FuzzOverlap(f *testing.F) {
	f.Add([]byte{192, 0, 2, 1}, []byte{192, 0, 2, 0}, byte(32), byte(24))
	f.Add([]byte{10, 0, 0, 0}, []byte{10, 0, 0, 0}, byte(8), byte(32))
	f.Add(bytes.Repeat([]byte{0xff}, 16), make([]byte, 16), byte(128), byte(0))
	f.Add(make([]byte, 16), make([]byte, 4), byte(0), byte(0))
	f.Add(append(make([]byte, 10), 0xff, 0xff, 192, 0, 2, 1), []byte{192, 0, 2, 1}, byte(128), byte(32))
	f.Fuzz(func(t *testing.T, a, b []byte, abits, bbits byte) {
		p, ok := prefix(a, abits)
		q, ok2 := prefix(b, bbits)
		if !ok || !ok2 {
			return
		}
		_, args := Overlap(p)
		if got := within(Subject(q), args); got != p.Overlaps(q) {
			t.Errorf("%v and %v: %v, want %v", p, q, got, p.Overlaps(q))
		}
		bare := found(netip.Prefix{}, q.Addr())
		if got := within(bare, args); got != p.Contains(q.Addr()) {
			t.Errorf("%v and the address %v: %v, want %v", p, q.Addr(), got, p.Contains(q.Addr()))
		}
		var back netip.Prefix
		if err := IntoSubject(&back).Scan(Subject(q)); err != nil || back != q {
			t.Errorf("%v comes back as %v, %v", q, back, err)
		}
		if Concerns(edgeban.Ban{Key: edgeban.Key{Subject: q}}, p) != p.Overlaps(q) {
			t.Errorf("a ban of %v concerns %v: want %v", q, p, p.Overlaps(q))
		}
	})
}

func prefix(b []byte, bits byte) (netip.Prefix, bool) {
	a, ok := netip.AddrFromSlice(b)
	if !ok {
		return netip.Prefix{}, false
	}
	p, err := a.Prefix(int(bits) % (a.BitLen() + 1))
	return p, err == nil
}

func TestTimesBeyondTheirRangeStayInIt(t *testing.T) {
	for _, at := range []time.Time{{}, time.Unix(0, 0), time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), time.Now()} {
		want := Moment(at)
		var got time.Time
		if err := IntoTime(&got).Scan(Time(want)); err != nil || got != want {
			t.Errorf("%v is %v, and comes back as %v, %v", at, want, got, err)
		}
		if at.IsZero() != want.IsZero() || want.After(at) != (at.Year() < 1600 && !at.IsZero()) {
			t.Errorf("%v became %v", at, want)
		}
	}
}

func TestDamagedColumnsAreNotBelieved(t *testing.T) {
	var at time.Time
	var a netip.Addr
	var p netip.Prefix
	for what, err := range map[string]error{
		"a time that is text":        IntoTime(&at).Scan("noon"),
		"an address of 5 bytes":      asAddr{&a}.Scan(make([]byte, 5)),
		"an address that is text":    asAddr{&a}.Scan("192.0.2.1"),
		"a subject of nothing":       IntoSubject(&p).Scan([]byte{}),
		"a subject of too many":      IntoSubject(&p).Scan([]byte{4, 192, 0, 2, 1, 33}),
		"a subject that is a number": IntoSubject(&p).Scan(int64(4)),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

// What is kept in few bytes comes back as it was.
func FuzzCompact(f *testing.F) {
	f.Add([]byte{192, 0, 2, 1}, []byte{192, 0, 2, 1}, byte(32), int64(0), int64(1), 5, "5 failures in 2m")
	f.Add(bytes.Repeat([]byte{0x20}, 16), []byte{}, byte(64), int64(-1), int64(1<<62), 0, "")
	f.Fuzz(func(t *testing.T, subject, by []byte, bits byte, since, until int64, n int, reason string) {
		p, _ := prefix(subject, bits)
		addr, _ := netip.AddrFromSlice(by)
		at := func(ns int64) time.Time {
			if ns == 0 {
				return time.Time{}
			}
			return Moment(time.Unix(0, max(ns, -1<<62)))
		}
		b := Normal(edgeban.Ban{
			Key: edgeban.Key{Jail: "sshd", Subject: p}, Since: at(since), Until: at(until), Addr: addr,
			Failures: int(int32(n)), Nth: 2, Cause: edgeban.Seq(since), Node: "n1", Reason: reason,
		}).(edgeban.Ban)
		c := CompactBanOf(7, b)
		if got := c.Ban(); got != b {
			t.Errorf("%+v comes back as %+v", b, got)
		}
		old := b
		old.Until = at(since)
		o := CompactBanOf(3, old)
		if c.Outlasts(&o) != b.Outlasts(old) || c.Standing(old.Since) != b.Standing(old.Since) {
			t.Errorf("%+v and one until %v: its compact says otherwise", b, old.Until)
		}
		h := edgeban.Held{Subject: p, Target: "edge", Sent: at(since), Held: at(until), Released: at(int64(n)), Foreign: n%2 == 0, Packets: uint64(until)}
		ch := CompactHeldOf(h)
		if got := ch.Held("edge"); got != h {
			t.Errorf("%+v comes back as %+v", h, got)
		}
	})
}
