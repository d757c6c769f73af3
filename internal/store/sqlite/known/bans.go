// Package known is what the store remembers of bans, and of what targets hold. Of
// either it gives views that cost nothing and never change.
package known

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/sorted"
	"github.com/edgeban/edgeban/internal/store/sqlite/row"
)

// Bans are by subject, those of one subject in their order. But for the mark of one
// that was lifted they never change.
type Bans struct {
	*sorted.Table[row.CompactBan]
}

// NewBans returns none.
func NewBans() Bans {
	return Bans{sorted.NewTable(func(a, b *row.CompactBan) int { return PlaceOf(b).Order(a) })}
}

// A Place is where a ban is.
type Place struct {
	Subject row.Entry
	Seq     edgeban.Seq
}

// PlaceOf returns the place of a ban.
func PlaceOf(b *row.CompactBan) Place { return Place{b.Subject, b.Seq} }

// Order says where a ban is from p.
func (p Place) Order(b *row.CompactBan) int {
	if c := b.Subject.Compare(p.Subject); c != 0 {
		return c
	}
	return cmp.Compare(b.Seq, p.Seq)
}

// of yields the bans of one key, oldest first.
func (bs Bans) of(k edgeban.Key) iter.Seq[*row.CompactBan] {
	return func(yield func(*row.CompactBan) bool) {
		subject := row.EntryOf(k.Subject)
		for b := range bs.From(Place{subject, 0}.Order) {
			if b.Subject != subject || b.Jail() == k.Jail && !yield(b) {
				return
			}
		}
	}
}

// Decided reports whether there is a ban of a key and a cause.
func (bs Bans) Decided(k edgeban.Key, cause edgeban.Seq) bool {
	for b := range bs.of(k) {
		if b.Cause == cause {
			return true
		}
	}
	return false
}

// Stands reports whether any ban of a key does at t.
func (bs Bans) Stands(k edgeban.Key, t time.Time) bool {
	for b := range bs.of(k) {
		if better(b, nil, t) {
			return true
		}
	}
	return false
}

// Lift marks every ban of k that is there.
func (bs Bans) Lift(k edgeban.Key) {
	for _, b := range slices.Collect(bs.of(k)) {
		bs.Edit(*b).Lifted = true
	}
}

// better reports whether b stands at t, and ends later than another one of its key, if any.
func better(b, than *row.CompactBan, t time.Time) bool {
	return !b.Lifted && b.Standing(t) && (than == nil || b.Outlasts(than))
}

// Standing yields, for each key, the ban of those that are there now that stands at
// t and ends last, in the order of their subjects.
func (bs Bans) Standing(t time.Time) iter.Seq[edgeban.Ban] {
	all := bs.Freeze()
	return func(yield func(edgeban.Ban) bool) {
		var best []*row.CompactBan // of each jail, for one subject
		for b := range all.All() {
			if len(best) > 0 && best[0].Subject != b.Subject {
				if !yieldAll(best, yield) {
					return
				}
				best = best[:0]
			}
			i := slices.IndexFunc(best, func(other *row.CompactBan) bool { return other.Jail() == b.Jail() })
			switch {
			case i < 0 && better(b, nil, t):
				best = append(best, b)
			case i >= 0 && better(b, best[i], t):
				best[i] = b
			}
		}
		yieldAll(best, yield)
	}
}

func yieldAll(bans []*row.CompactBan, yield func(edgeban.Ban) bool) bool {
	for _, b := range bans {
		if !yield(b.Ban()) {
			return false
		}
	}
	return true
}
