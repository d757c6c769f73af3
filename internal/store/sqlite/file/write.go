package file

import (
	"context"
	"database/sql"
	"fmt"
)

// Transact runs do in a transaction. What it has written survives the end of this
// process; see Sync.
func (f *File) Transact(ctx context.Context, do func() error) error {
	if _, err := f.Exec(ctx, `begin immediate`); err != nil {
		return err
	}
	if err := do(); err != nil {
		_, _ = f.Exec(ctx, `rollback`) // SQLite may have done so already
		return err
	}
	if _, err := f.Exec(ctx, `commit`); err != nil {
		_, _ = f.Exec(ctx, `rollback`)
		return err
	}
	if f.commits.Add(1)%foldEvery == 0 {
		go f.Fold() // Close waits for it
	}
	f.foldRest(ctx)
	return nil
}

// statement returns the statement for a query, which is one of a few.
func (f *File) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	if st, ok := f.prepared[query]; ok {
		return st, nil
	}
	st, err := f.Writer.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	f.prepared[query] = st
	return st, nil
}

// Exec runs one of a few statements, which are prepared once.
func (f *File) Exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	st, err := f.statement(ctx, query) //nolint:sqlclosecheck // kept in f.prepared
	if err != nil {
		return nil, err
	}
	return st.ExecContext(ctx, args...)
}

// QueryContext asks the writer.
func (f *File) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return f.Writer.QueryContext(ctx, query, args...)
}

// Size returns how many bytes of the file are used, and how many are not.
func (f *File) Size(ctx context.Context) (used, free int64, err error) {
	var pages, unused, size int64
	err = f.Writer.QueryRowContext(ctx, `select page_count, freelist_count, page_size
		from pragma_page_count, pragma_freelist_count, pragma_page_size`).Scan(&pages, &unused, &size)
	return (pages - unused) * size, unused * size, err
}

// GiveBack gives some of the pages that are not used back to the disk.
func (f *File) GiveBack(ctx context.Context, pages int) error {
	rows, err := f.QueryContext(ctx, fmt.Sprintf(`pragma incremental_vacuum(%d)`, pages))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() { // SQLite frees a page for each row that is asked of it
	}
	return rows.Err()
}

// Shrink gives back the memory that the writer does not need now.
func (f *File) Shrink(ctx context.Context) error {
	_, err := f.Writer.ExecContext(ctx, `pragma shrink_memory`)
	return err
}

// FoldLog folds the rest of the log while nobody writes, and empties it. While a
// reader is at work it does what it can.
func (f *File) FoldLog(ctx context.Context) error {
	f.folding.Lock()
	defer f.folding.Unlock()
	var busy, log, done int
	return f.Writer.QueryRowContext(ctx, `pragma wal_checkpoint(truncate)`).Scan(&busy, &log, &done)
}
