package row

import (
	"cmp"
	"context"
	"slices"

	"github.com/edgeban/edgeban"
)

// A Kind is a table with a row for each event of it.
type Kind struct {
	selects string
	scan    func(Scanner) (edgeban.Event, error)
}

var (
	matches = Kind{`select ` + MatchColumns + ` from match `, Match}
	bans    = Kind{`select ` + BanColumns + ` from ban `, Ban}
	lifts   = Kind{`select ` + LiftColumns + ` from lift `, Lift}
	holds   = Kind{`select ` + HeldColumns + ` from held `, Held}

	// Everything that is a row, and Decisions alone.
	Everything = []Kind{matches, bans, lifts, holds}
	Decisions  = []Kind{bans, lifts}
)

// Events reads those of each kind that a condition is true of, in one order.
func Events(ctx context.Context, q querier, kinds []Kind, where string, args ...any) (events []edgeban.Event, err error) {
	for _, k := range kinds {
		some, err := List(ctx, q, k.scan, k.selects+where, args...)
		if err != nil {
			return nil, err
		}
		events = append(events, some...)
	}
	Sort(events)
	return events, nil
}

// Sort puts events in the order of their places.
func Sort(events []edgeban.Event) {
	slices.SortFunc(events, func(a, b edgeban.Event) int { return cmp.Compare(a.Seq, b.Seq) })
}
