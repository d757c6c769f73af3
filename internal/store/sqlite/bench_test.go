package sqlite

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/edgeban/edgeban"
)

func benchStore(b *testing.B) *Store {
	b.Helper()
	s, err := Open(filepath.Join(b.TempDir(), "edgeban.db"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

func BenchmarkRecord(b *testing.B) {
	for _, n := range []int{0, 1, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := benchStore(b)
			i := 0
			for b.Loop() {
				if err := s.Record(b.Context(), batch(i*n, n, fmt.Sprint(i))); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

// BenchmarkRecordAgain is what reading a log again after a crash costs.
func BenchmarkRecordAgain(b *testing.B) {
	s := benchStore(b)
	for b.Loop() {
		if err := s.Record(b.Context(), batch(0, 100, "1")); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkImpose(b *testing.B) {
	s := benchStore(b)
	if err := s.Record(b.Context(), batch(0, 10_000, "1")); err != nil {
		b.Fatal(err)
	}
	i := 0
	for b.Loop() {
		if err := s.Impose(b.Context(), banOf(i), []edgeban.Notice{{Kind: edgeban.NoticeBan, Time: noon}}); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// imposeMany writes bans as a queue is written: many in a transaction.
func imposeMany(b *testing.B, s *Store, n int) {
	b.Helper()
	s.writing.Lock()
	defer s.writing.Unlock()
	var c change
	for i := range n {
		ban := banOf(i % 65536)
		ban.Jail = fmt.Sprint("jail", i/65536)
		c.add(ban)
	}
	s.number(&c)
	if err := s.write(b.Context(), afterKill, c); err != nil {
		b.Fatal(err)
	}
	s.apply(c, true)
}

func BenchmarkStanding(b *testing.B) {
	s := benchStore(b)
	imposeMany(b, s, 50_000)
	for b.Loop() {
		bans, err := s.Standing(b.Context(), noon)
		if err != nil {
			b.Fatal(err)
		}
		if n := len(slices.Collect(bans)); n != 50_000 {
			b.Fatal(n)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "edgeban.db")
	s, err := Open(path, Options{})
	if err != nil {
		b.Fatal(err)
	}
	imposeMany(b, s, 100_000)
	for b.Loop() {
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		if s, err = Open(path, Options{}); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
