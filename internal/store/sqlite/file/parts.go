package file

import (
	"bytes"
	"context"

	"github.com/edgeban/edgeban/internal/store/sqlite/row"
)

// AddPart adds a part to what is too large to be written at once.
func (f *File) AddPart(ctx context.Context, gen int64, n int, part []byte) error {
	return f.Transact(ctx, func() error {
		_, err := f.Exec(ctx, `insert into part (gen, n, state) values (?,?,?)`, gen, n, part)
		return err
	})
}

// DropPart removes one of the parts of a gen, and reports whether there was one.
func (f *File) DropPart(ctx context.Context, gen int64) (dropped bool, err error) {
	err = f.Transact(ctx, func() error {
		r, err := f.Exec(ctx, `delete from part where gen = ?1 and n = (select max(n) from part where gen = ?1)`, gen)
		if err != nil {
			return err
		}
		n, err := r.RowsAffected()
		dropped = n > 0
		return err
	})
	return dropped, err
}

// Parts returns what the parts of a gen make up.
func (f *File) Parts(ctx context.Context, gen int64) ([]byte, error) {
	all, err := row.List(ctx, f.Readers, func(r row.Scanner) (b []byte, err error) {
		err = r.Scan(&b)
		return b, err
	}, `select state from part where gen = ? order by n`, gen)
	return bytes.Join(all, nil), err
}

// DropLost removes the parts that no snapshot names: it was not finished.
func (f *File) DropLost(ctx context.Context) error {
	_, err := f.Exec(ctx, `delete from part where gen not in (select gen from snapshot)`)
	return err
}
