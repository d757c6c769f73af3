package daemon

import (
	"cmp"
	"iter"
	"slices"

	"github.com/edgeban/edgeban"
)

// fewBans is how many bans are put into their order at a time, or an eighth of all if that
// is more: for each time all are gone through.
const fewBans = 16 << 10

// A beginning is when a ban began, in Unix nanoseconds, and which of all it is.
type beginning struct {
	at  int64
	nth int
}

// newest yields the bans that bans does each time that it is asked, those that began last
// first, others as they come. It asks again for each few of them, for all would take as
// much memory as the ledger does: only when they began is held of all.
func newest(bans iter.Seq[edgeban.Ban], few int) iter.Seq[edgeban.Ban] {
	return func(yield func(edgeban.Ban) bool) {
		var all []beginning
		for b := range bans {
			all = append(all, beginning{b.Since.UnixNano(), len(all)})
		}
		slices.SortFunc(all, func(x, y beginning) int { return cmp.Or(cmp.Compare(y.at, x.at), cmp.Compare(x.nth, y.nth)) })
		some := make([]edgeban.Ban, min(len(all), max(few, len(all)/8)))
		for len(all) > 0 {
			some = some[:min(len(some), len(all))]
			gather(bans, all[:len(some)], some)
			all = all[len(some):]
			for _, b := range some {
				if !yield(b) {
					return
				}
			}
		}
	}
}

// gather puts the bans of which these are the beginnings at their places.
func gather(bans iter.Seq[edgeban.Ban], these []beginning, places []edgeban.Ban) {
	order := make([]int, len(these)) // in which they come
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, k int) int { return cmp.Compare(these[i].nth, these[k].nth) })
	n := 0
	for b := range bans {
		if n == these[order[0]].nth {
			places[order[0]] = b
			if order = order[1:]; len(order) == 0 {
				return
			}
		}
		n++
	}
}
