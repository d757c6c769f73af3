package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/edgeban/edgeban/internal/store/sqlite"
	"github.com/edgeban/edgeban/internal/store/storetest"
)

func open(t testing.TB, dir string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(filepath.Join(dir, "edgeban.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t testing.TB, dir string) storetest.Store { return open(t, dir) })
}
