// Package row says how facts are written in the columns of SQLite's tables, and
// read back. It knows neither the file nor the ledger, and decides nothing.
//
// Times are nanoseconds of Unix, null for the zero time. An address is its 4 or
// 16 bytes; a subject is 4 or 6, its bytes, and its bits, so that what lies in a
// subject follows it in order.
package row

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"

	"github.com/edgeban/edgeban"
)

// ErrUnreadable is returned for a column that holds what was never written.
var ErrUnreadable = errors.New("a row cannot be read")

// A Scanner is a row that a query is at.
type Scanner interface{ Scan(dest ...any) error }

// The columns, in the order in which they are read.
const (
	MatchColumns  = `seq, id, jail, kind, addr, subject, count, time, user, text, ignored`
	BanColumns    = `seq, jail, subject, since, until, failures, nth, cause, node, reason, addr`
	LiftColumns   = `seq, jail, subject, at, who`
	HeldColumns   = `seq, target, subject, sent, held, released, theirs, packets`
	NoticeColumns = `id, kind, time, jail, subject, until, failures, nth, user, text, target`
)

// Match reads MatchColumns.
func Match(r Scanner) (e edgeban.Event, err error) {
	var m edgeban.Match
	err = r.Scan(&e.Seq, &m.ID, &m.Jail, &m.Kind, asAddr{&m.Addr}, asSubject{&m.Subject}, &m.Count, asTime{&m.Time}, &m.User, &m.Text, &m.Ignored)
	e.Fact = m
	return e, err
}

// Ban reads BanColumns.
func Ban(r Scanner) (e edgeban.Event, err error) {
	var b edgeban.Ban
	err = r.Scan(&e.Seq, &b.Jail, asSubject{&b.Subject}, asTime{&b.Since}, asTime{&b.Until}, &b.Failures, &b.Nth, &b.Cause, &b.Node, &b.Reason, asAddr{&b.Addr})
	e.Fact = b
	return e, err
}

// Lift reads LiftColumns.
func Lift(r Scanner) (e edgeban.Event, err error) {
	var l edgeban.Lift
	err = r.Scan(&e.Seq, &l.Jail, asSubject{&l.Subject}, asTime{&l.At}, &l.By)
	e.Fact = l
	return e, err
}

// Held reads HeldColumns.
func Held(r Scanner) (e edgeban.Event, err error) {
	var h edgeban.Held
	var packets int64 // SQLite knows no unsigned numbers: the bits are kept
	err = r.Scan(&e.Seq, &h.Target, asSubject{&h.Subject}, asTime{&h.Sent}, asTime{&h.Held}, asTime{&h.Released}, &h.Foreign, &packets)
	h.Packets = uint64(packets)
	e.Fact = h
	return e, err
}

// Notice reads NoticeColumns.
func Notice(r Scanner) (n edgeban.Notice, err error) {
	err = r.Scan(&n.ID, &n.Kind, asTime{&n.Time}, &n.Jail, asSubject{&n.Subject}, asTime{&n.Until}, &n.Failures, &n.Nth, &n.User, &n.Text, &n.Target)
	return n, err
}

// List reads all rows of a query.
func List[T any](ctx context.Context, q querier, scan func(Scanner) (T, error), query string, args ...any) (out []T, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Insert returns the statement that writes an event other than a match.
func Insert(e edgeban.Event) (query string, args []any) {
	switch f := e.Fact.(type) {
	case edgeban.Ban:
		return `insert into ban (` + BanColumns + `) values (?,?,?,?,?,?,?,?,?,?,?) on conflict do nothing`,
			[]any{e.Seq, f.Jail, Subject(f.Subject), Time(f.Since), Time(f.Until), f.Failures, f.Nth, f.Cause, f.Node, f.Reason, address(f.Addr)}
	case edgeban.Lift:
		return `insert into lift (` + LiftColumns + `) values (?,?,?,?,?) on conflict do nothing`,
			[]any{e.Seq, f.Jail, Subject(f.Subject), Time(f.At), f.By}
	case edgeban.Held:
		return `insert into held (` + HeldColumns + `) values (?,?,?,?,?,?,?,?) on conflict do nothing`,
			[]any{e.Seq, f.Target, Subject(f.Subject), Time(f.Sent), Time(f.Held), Time(f.Released), f.Foreign, int64(f.Packets)}
	}
	panic(fmt.Sprintf("a fact of type %T", e.Fact)) // there are three that have rows
}

// InsertNotice returns the statement that writes a notice.
func InsertNotice(n edgeban.Notice) (query string, args []any) {
	return `insert into notice (` + NoticeColumns + `) values (?,?,?,?,?,?,?,?,?,?,?) on conflict do nothing`,
		[]any{n.ID, string(n.Kind), Time(n.Time), n.Jail, Subject(n.Subject), Time(n.Until), n.Failures, n.Nth, n.User, n.Text, n.Target}
}

// Moment returns t as it will come back from the file: in UTC, without a
// monotonic part, and within the years 1678 to 2262 that nanoseconds can say.
func Moment(t time.Time) time.Time {
	switch {
	case t.IsZero():
		return time.Time{}
	case t.Before(time.Unix(0, math.MinInt64)):
		return time.Unix(0, math.MinInt64).UTC()
	case t.After(time.Unix(0, math.MaxInt64)):
		return time.Unix(0, math.MaxInt64).UTC()
	}
	return time.Unix(0, t.UnixNano()).UTC()
}

// Normal returns f as it will come back from the file.
func Normal(f edgeban.Fact) edgeban.Fact {
	switch f := f.(type) {
	case edgeban.Match:
		f.Addr, f.Subject, f.Time = f.Addr.Unmap().WithZone(""), f.Subject.Masked(), Moment(f.Time)
		return f
	case edgeban.Ban:
		f.Subject, f.Addr, f.Since, f.Until = f.Subject.Masked(), f.Addr.Unmap().WithZone(""), Moment(f.Since), Moment(f.Until)
		return f
	case edgeban.Lift:
		f.Subject, f.At = f.Subject.Masked(), Moment(f.At)
		return f
	case edgeban.Held:
		f.Subject, f.Sent, f.Held, f.Released = f.Subject.Masked(), Moment(f.Sent), Moment(f.Held), Moment(f.Released)
		return f
	}
	return f
}

// Time returns what the file holds for t.
func Time(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixNano()
}

// address returns what the file holds for a; nothing, rather than null, for none.
func address(a netip.Addr) []byte { return append([]byte{}, a.AsSlice()...) }

// anyBits stands for the bits of a subject that is only an address.
const anyBits = 255

// Subject returns what the file holds for p.
func Subject(p netip.Prefix) []byte { return found(p, netip.Addr{}) }

// found returns what the file holds for p; for no prefix, the address under
// which it is found nevertheless.
func found(p netip.Prefix, a netip.Addr) []byte {
	bits := byte(anyBits)
	if p.IsValid() {
		a, bits = p.Addr(), byte(p.Bits())
	}
	return key(a, bits)
}

func key(a netip.Addr, bits byte) []byte {
	return append(append([]byte{family(a)}, a.AsSlice()...), bits)
}

func family(a netip.Addr) byte {
	if a.Is4() {
		return 4
	}
	return 6
}

// IntoTime returns what reads a time into t.
func IntoTime(t *time.Time) sql.Scanner { return asTime{t} }

type asTime struct{ t *time.Time }

func (a asTime) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*a.t = time.Time{}
		return nil
	case int64:
		*a.t = time.Unix(0, v).UTC()
		return nil
	}
	return fmt.Errorf("%w: %T is no time", ErrUnreadable, v)
}

type asAddr struct{ a *netip.Addr }

func (a asAddr) Scan(v any) error {
	b, ok := v.([]byte)
	if ok && len(b) == 0 {
		*a.a = netip.Addr{}
		return nil
	}
	if *a.a, ok = netip.AddrFromSlice(b); !ok {
		return fmt.Errorf("%w: %x is no address", ErrUnreadable, v)
	}
	return nil
}

// IntoSubject returns what reads a subject into p.
func IntoSubject(p *netip.Prefix) sql.Scanner { return asSubject{p} }

type asSubject struct{ p *netip.Prefix }

func (a asSubject) Scan(v any) error {
	*a.p = netip.Prefix{}
	b, _ := v.([]byte)
	if len(b) < 2 {
		return fmt.Errorf("%w: %x is no subject", ErrUnreadable, v)
	}
	bits := b[len(b)-1]
	if bits == anyBits {
		return nil
	}
	addr, _ := netip.AddrFromSlice(b[1 : len(b)-1])
	p := netip.PrefixFrom(addr, int(bits))
	if !p.IsValid() || b[0] != family(addr) || p != p.Masked() {
		return fmt.Errorf("%w: %x is no subject", ErrUnreadable, v)
	}
	*a.p = p
	return nil
}

// Overlap returns the condition that a subject lies in p or contains it.
func Overlap(p netip.Prefix) (string, []any) {
	args := []any{key(p.Addr(), 0), key(Last(p), anyBits)}
	for bits := range p.Bits() {
		wider, _ := p.Addr().Prefix(bits)
		args = append(args, Subject(wider))
	}
	marks := strings.TrimSuffix(strings.Repeat("?,", p.Bits()), ",")
	return `(subject between ? and ? or subject in (` + marks + `))`, args
}

// Last returns the last address of p.
func Last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < 8*len(b); i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// Concerns reports what Overlap asks of the disk.
func Concerns(f edgeban.Fact, p netip.Prefix) bool {
	switch f := f.(type) {
	case edgeban.Match:
		return f.Subject.Overlaps(p) || !f.Subject.IsValid() && p.Contains(f.Addr)
	case edgeban.Ban:
		return f.Subject.Overlaps(p)
	case edgeban.Lift:
		return f.Subject.Overlaps(p)
	case edgeban.Held:
		return f.Subject.Overlaps(p)
	}
	return false
}
