package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/edgeban/edgeban"
)

const (
	matchCols  = `seq, id, jail, kind, addr, subject, count, time, user, text, ignored`
	banCols    = `seq, jail, subject, since, until, failures, nth, cause, node, reason`
	liftCols   = `seq, jail, subject, at, who`
	heldCols   = `seq, target, subject, sent, held, released, theirs, packets`
	noticeCols = `id, kind, time, jail, subject, until, failures, nth, user, text, target`
)

func scanMatch(r *sql.Rows) (e edgeban.Event, err error) {
	var m edgeban.Match
	err = r.Scan(&e.Seq, &m.ID, &m.Jail, &m.Kind, asAddr{&m.Addr}, asPrefix{&m.Subject}, &m.Count, asTime{&m.Time}, &m.User, &m.Text, &m.Ignored)
	e.Fact = m
	return e, err
}

func scanBan(r *sql.Rows) (e edgeban.Event, err error) {
	var b edgeban.Ban
	err = r.Scan(&e.Seq, &b.Jail, asPrefix{&b.Subject}, asTime{&b.Since}, asTime{&b.Until}, &b.Failures, &b.Nth, &b.Cause, &b.Node, &b.Reason)
	e.Fact = b
	return e, err
}

func scanLift(r *sql.Rows) (e edgeban.Event, err error) {
	var l edgeban.Lift
	err = r.Scan(&e.Seq, &l.Jail, asPrefix{&l.Subject}, asTime{&l.At}, &l.By)
	e.Fact = l
	return e, err
}

func scanHeld(r *sql.Rows) (e edgeban.Event, err error) {
	var h edgeban.Held
	var packets int64 // SQLite knows no unsigned numbers: the bits are kept
	err = r.Scan(&e.Seq, &h.Target, asPrefix{&h.Subject}, asTime{&h.Sent}, asTime{&h.Held}, asTime{&h.Released}, &h.Foreign, &packets)
	h.Packets = uint64(packets)
	e.Fact = h
	return e, err
}

func scanNotice(r *sql.Rows) (n edgeban.Notice, err error) {
	err = r.Scan(&n.ID, &n.Kind, asTime{&n.Time}, &n.Jail, asPrefix{&n.Subject}, asTime{&n.Until}, &n.Failures, &n.Nth, &n.User, &n.Text, &n.Target)
	return n, err
}

// put writes one event.
func (s *Store) put(ctx context.Context, e edgeban.Event) (err error) {
	switch f := e.Fact.(type) {
	case edgeban.Match:
		_, err = s.exec(ctx, `insert into match (`+matchCols+`) values (?,?,?,?,?,?,?,?,?,?,?) on conflict do nothing`,
			e.Seq, f.ID, f.Jail, int64(f.Kind), address(f.Addr), subject(f.Subject, f.Addr), f.Count, nanos(f.Time), f.User, f.Text, f.Ignored)
	case edgeban.Ban:
		_, err = s.exec(ctx, `insert into ban (`+banCols+`) values (?,?,?,?,?,?,?,?,?,?) on conflict do nothing`,
			e.Seq, f.Jail, subject(f.Subject, netip.Addr{}), nanos(f.Since), nanos(f.Until), f.Failures, f.Nth, f.Cause, f.Node, f.Reason)
		if err == nil {
			err = s.pin(ctx, e.Seq, f)
		}
	case edgeban.Lift:
		_, err = s.exec(ctx, `insert into lift (`+liftCols+`) values (?,?,?,?,?) on conflict do nothing`,
			e.Seq, f.Jail, subject(f.Subject, netip.Addr{}), nanos(f.At), f.By)
		if err == nil {
			_, err = s.exec(ctx, `update ban set lifted = coalesce(?, 0) where subject = ? and jail = ? and seq < ? and lifted is null`,
				nanos(f.At), subject(f.Subject, netip.Addr{}), f.Jail, e.Seq)
		}
	case edgeban.Held:
		_, err = s.exec(ctx, `insert into held (`+heldCols+`) values (?,?,?,?,?,?,?,?) on conflict do nothing`,
			e.Seq, f.Target, subject(f.Subject, netip.Addr{}), nanos(f.Sent), nanos(f.Held), nanos(f.Released), f.Foreign, int64(f.Packets))
	}
	return err
}

// list reads all rows of a query.
func list[T any](ctx context.Context, q querier, scan func(*sql.Rows) (T, error), query string, args ...any) (out []T, err error) {
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

// normal returns t as it will come back from the file: in UTC, without a
// monotonic part, and within the years 1678 to 2262 that nanoseconds can say.
func normal(t time.Time) time.Time {
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

// normalFact returns f as it will come back from the file.
func normalFact(f edgeban.Fact) edgeban.Fact {
	switch f := f.(type) {
	case edgeban.Match:
		f.Addr, f.Subject, f.Time = f.Addr.Unmap().WithZone(""), f.Subject.Masked(), normal(f.Time)
		return f
	case edgeban.Ban:
		f.Subject, f.Since, f.Until = f.Subject.Masked(), normal(f.Since), normal(f.Until)
		return f
	case edgeban.Lift:
		f.Subject, f.At = f.Subject.Masked(), normal(f.At)
		return f
	case edgeban.Held:
		f.Subject, f.Sent, f.Held, f.Released = f.Subject.Masked(), normal(f.Sent), normal(f.Held), normal(f.Released)
		return f
	}
	return f
}

// nanos returns what the file holds for t.
func nanos(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixNano()
}

// address returns what the file holds for a; nothing, rather than null, for none.
func address(a netip.Addr) []byte { return append([]byte{}, a.AsSlice()...) }

// anyBits stands for the bits of a subject that is only an address.
const anyBits = 255

// subject returns what the file holds for p; for no prefix, the address under
// which it is found nevertheless.
func subject(p netip.Prefix, a netip.Addr) []byte {
	bits := byte(anyBits)
	if p.IsValid() {
		a, bits = p.Addr(), byte(p.Bits())
	}
	return key(a, bits)
}

func key(a netip.Addr, bits byte) []byte {
	family := byte(6)
	if a.Is4() {
		family = 4
	}
	return append(append([]byte{family}, a.AsSlice()...), bits)
}

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
	return fmt.Errorf("%w: %T is no time", errDamaged, v)
}

type asAddr struct{ a *netip.Addr }

func (a asAddr) Scan(v any) error {
	b, ok := v.([]byte)
	if ok && len(b) == 0 {
		*a.a = netip.Addr{}
		return nil
	}
	if *a.a, ok = netip.AddrFromSlice(b); !ok {
		return fmt.Errorf("%w: %x is no address", errDamaged, v)
	}
	return nil
}

type asPrefix struct{ p *netip.Prefix }

func (a asPrefix) Scan(v any) error {
	*a.p = netip.Prefix{}
	b, _ := v.([]byte)
	if len(b) < 2 {
		return fmt.Errorf("%w: %x is no subject", errDamaged, v)
	}
	bits := b[len(b)-1]
	if bits == anyBits {
		return nil
	}
	addr, _ := netip.AddrFromSlice(b[1 : len(b)-1])
	if *a.p = netip.PrefixFrom(addr, int(bits)); !a.p.IsValid() {
		return fmt.Errorf("%w: %x is no subject", errDamaged, v)
	}
	return nil
}
