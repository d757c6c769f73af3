package page

import (
	"context"
	"database/sql"
	"net/netip"
	"slices"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/store/sqlite/row"
)

const (
	fullPage  = 512 // matches of a page that is left as it is
	mostLoose = 64  // small pages at the end before they become one
)

// A Table is the pages of a file, as its only writer sees them.
type Table struct {
	w        Writer
	loose    []loose // the last pages, as long as they are small
	surveyed bool    // loose is true
}

// A Writer writes and reads in the transaction that its caller has begun.
type Writer interface {
	Querier
	Exec(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// A Querier reads.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// NewTable returns the table that w writes.
func NewTable(w Writer) *Table { return &Table{w: w} }

// Undone says that a transaction was rolled back.
func (t *Table) Undone() { t.surveyed = false }

// A loose page is small: what comes next may join it.
type loose struct {
	first edgeban.Seq
	n     int
}

func scanLoose(r row.Scanner) (l loose, err error) {
	err = r.Scan(&l.first, &l.n)
	return l, err
}

const pageColumns = `first, last, n, oldest, subjects, ids, matches`

func scanPage(r row.Scanner) (p page, err error) {
	err = r.Scan(&p.First, &p.Last, &p.N, row.IntoTime(&p.Oldest), &p.Subjects, &p.IDs, &p.Matches)
	return p, err
}

// Write writes the matches among the events as pages of their own, and now
// and then makes the last ones a bigger one.
func (t *Table) Write(ctx context.Context, events []edgeban.Event) error {
	matches := slices.DeleteFunc(slices.Clone(events), func(e edgeban.Event) bool { _, ok := e.Fact.(edgeban.Match); return !ok })
	if len(matches) == 0 {
		return nil
	}
	if err := t.survey(ctx); err != nil {
		return err
	}
	for _, p := range pack(matches) {
		if err := t.insert(ctx, p); err != nil {
			return err
		}
		t.loose = append(t.loose, loose{p.First, p.N})
	}
	return t.tighten(ctx)
}

// Insert inserts matches before the last ones.
func (t *Table) Insert(ctx context.Context, matches []edgeban.Event) error {
	t.surveyed = false
	for _, p := range pack(matches) {
		if err := t.insert(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (t *Table) insert(ctx context.Context, p page) error {
	_, err := t.w.Exec(ctx, `insert into page (`+pageColumns+`) values (?,?,?,?,?,?,?)`,
		p.First, p.Last, p.N, row.Time(p.Oldest), append([]byte{}, p.Subjects...), p.IDs, p.Matches)
	return err
}

// survey finds the loose pages, where that is not known.
func (t *Table) survey(ctx context.Context) error {
	if t.surveyed {
		return nil
	}
	last, err := row.List(ctx, t.w, scanLoose, `select first, n from page order by first desc limit ?`, mostLoose)
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(last, func(l loose) bool { return l.n >= fullPage }); i >= 0 {
		last = last[:i]
	}
	slices.Reverse(last)
	t.loose, t.surveyed = last, true
	return nil
}

// tighten makes the loose pages one if there are many, or much in them.
func (t *Table) tighten(ctx context.Context) error {
	n := 0
	for _, l := range t.loose {
		n += l.n
	}
	if n < fullPage && len(t.loose) < mostLoose {
		return nil
	}
	first, last := t.loose[0].first, t.loose[len(t.loose)-1].first
	if len(t.loose) > 1 {
		if err := t.join(ctx, first, last); err != nil {
			return err
		}
	}
	if t.loose = []loose{{first, n}}; n >= fullPage {
		t.loose = nil
	}
	return nil
}

// Join makes the pages from one to another a single one.
func (t *Table) Join(ctx context.Context, first, last edgeban.Seq) error {
	t.surveyed = false
	return t.join(ctx, first, last)
}

func (t *Table) join(ctx context.Context, first, last edgeban.Seq) error {
	pages, err := row.List(ctx, t.w, scanPage, `select `+pageColumns+` from page where first between ? and ? order by first`, first, last)
	if err != nil {
		return err
	}
	var all page
	for _, p := range pages {
		all.add(p)
	}
	if _, err := t.w.Exec(ctx, `delete from page where first between ? and ?`, first, last); err != nil || all.N == 0 {
		return err
	}
	return t.insert(ctx, all)
}

// Mark marks those of the IDs that are in a page.
func Mark(ctx context.Context, q Querier, ids []string, known map[string]bool) error {
	if len(ids) == 0 {
		return nil
	}
	hashes := make(map[uint32]bool, len(ids))
	for _, id := range ids {
		hashes[hash(id)] = true
	}
	return search(ctx, q, `ids`, func(hashed []byte) bool { return has(hashed, hashes) }, nil, func(events []edgeban.Event) bool {
		for _, e := range events {
			if id := e.Fact.(edgeban.Match).ID; hashes[hash(id)] {
				known[id] = true
			}
		}
		return true
	})
}

// About reads the matches whose subject lies in p or contains it, those of the last
// page first, until take has enough of them.
func About(ctx context.Context, db *sql.DB, p netip.Prefix, take func([]edgeban.Event) (more bool)) error {
	return lookup(ctx, db, func(subjects []byte) bool { return Overlaps(subjects, p) }, p.Overlaps, take)
}

// Lookup reads the pages with subjects that are wanted, the last first, until take
// has enough of them.
func Lookup(ctx context.Context, db *sql.DB, wanted func(subjects []byte) bool, take func([]edgeban.Event) (more bool)) error {
	return lookup(ctx, db, wanted, nil, take)
}

func lookup(ctx context.Context, db *sql.DB, wanted func([]byte) bool, only func(netip.Prefix) bool, take func([]edgeban.Event) bool) error {
	tx, err := db.BeginTx(ctx, nil) // else a page could be written anew between two looks
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // it has only read
	return search(ctx, tx, `subjects`, wanted, only, take)
}

// search reads the pages whose column wanted says yes to, the last first, and of
// them the matches of some subjects alone, until take has enough of them.
func search(ctx context.Context, q Querier, column string, wanted func([]byte) bool, only func(netip.Prefix) bool, take func([]edgeban.Event) (more bool)) error {
	rows, err := q.QueryContext(ctx, `select first, `+column+` from page order by first desc`)
	if err != nil {
		return err
	}
	defer rows.Close()
	var firsts []edgeban.Seq
	for rows.Next() {
		var first edgeban.Seq
		var b sql.RawBytes
		if err := rows.Scan(&first, &b); err != nil {
			return err
		}
		if wanted(b) {
			firsts = append(firsts, first)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, first := range firsts {
		events, err := matches(ctx, q, only, `where first = ?`, first)
		if err != nil || !take(events) {
			return err
		}
	}
	return nil
}

// Between returns the matches from one place to another.
func Between(ctx context.Context, q Querier, from, to edgeban.Seq) ([]edgeban.Event, error) {
	events, err := matches(ctx, q, nil, `where first >= coalesce((select max(first) from page where first <= ?1), 0) and first <= ?2 order by first`, from, to)
	return slices.DeleteFunc(events, func(e edgeban.Event) bool { return e.Seq < from || e.Seq > to }), err
}

// matches reads the matches of some subjects, nil for all, in the pages of a
// condition.
func matches(ctx context.Context, q Querier, only func(netip.Prefix) bool, where string, args ...any) (all []edgeban.Event, err error) {
	blobs, err := row.List(ctx, q, scanBlob, `select matches from page `+where, args...)
	for _, b := range blobs {
		events, err := unpack(b, only)
		if err != nil {
			return nil, err
		}
		all = append(all, events...)
	}
	return all, err
}

// Thin leaves those matches out of a page that go. If it is not there any more
// there is nothing to do.
func (t *Table) Thin(ctx context.Context, first edgeban.Seq, goes func(edgeban.Event) bool) error {
	events, err := matches(ctx, t.w, nil, `where first = ?`, first)
	if err != nil {
		return err
	}
	n := len(events)
	if events = slices.DeleteFunc(events, goes); len(events) == n {
		return nil
	}
	if _, err := t.w.Exec(ctx, `delete from page where first = ?`, first); err != nil {
		return err
	}
	return t.Insert(ctx, events)
}

// Drop removes a page unread if nothing in it lies after a place or is claimed,
// and reports whether it did.
func (t *Table) Drop(ctx context.Context, first, upto edgeban.Seq, c *Claims) (dropped bool, err error) {
	blobs, err := row.List(ctx, t.w, scanBlob, `select subjects from page where first = ? and last <= ?`, first, upto)
	if err != nil || len(blobs) == 0 || c.In(blobs[0]) {
		return false, err
	}
	t.surveyed = false
	_, err = t.w.Exec(ctx, `delete from page where first = ?`, first)
	return true, err
}

// A Run is pages that lie side by side.
type Run struct{ First, Last edgeban.Seq }

// Small returns the runs of small pages that would fit into one.
func Small(ctx context.Context, q Querier) (runs []Run, err error) {
	all, err := row.List(ctx, q, scanLoose, `select first, n from page order by first`)
	for len(all) > 0 {
		n, sum := 0, 0
		for n < len(all) && all[n].n < fullPage && sum < fullPage {
			sum += all[n].n
			n++
		}
		if n > 1 {
			runs = append(runs, Run{all[0].first, all[n-1].first})
		}
		all = all[max(n, 1):]
	}
	return runs, err
}

func scanBlob(r row.Scanner) (b []byte, err error) {
	err = r.Scan(&b)
	return b, err
}
