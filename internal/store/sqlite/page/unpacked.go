package page

import (
	"context"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/store/sqlite/row"
)

// Before there were pages each match was a row. To pack them all while a file is
// opened would take long, so it is done some at a time.

// MarkRows marks those of the IDs that are in a row.
func MarkRows(ctx context.Context, q Querier, ids []string, known map[string]bool) error {
	for _, id := range ids {
		found, err := row.List(ctx, q, scanSeq, `select seq from match where id = ?`, id)
		if err != nil {
			return err
		}
		if len(found) > 0 {
			known[id] = true
		}
	}
	return nil
}

// PackRows makes pages of the oldest rows, and reports whether there are more.
func (t *Table) PackRows(ctx context.Context, most int) (more bool, err error) {
	events, err := row.List(ctx, t.w, row.Match, `select `+row.MatchColumns+` from match order by seq limit ?`, most)
	if err != nil || len(events) == 0 {
		return false, err
	}
	if err := t.Insert(ctx, events); err != nil {
		return false, err
	}
	_, err = t.w.Exec(ctx, `delete from match where seq <= ?`, events[len(events)-1].Seq)
	return len(events) == most, err
}

func scanSeq(r row.Scanner) (seq edgeban.Seq, err error) { return seq, r.Scan(&seq) }
