package sqlite

import (
	"fmt"
	"net/netip"
	"os"
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

// BenchmarkRecord is of batches of so many matches that are read on from the last.
func BenchmarkRecord(b *testing.B) {
	for _, n := range []int{0, 1, 100, 2000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := benchStore(b)
			i := 0
			for b.Loop() {
				next := batch(i*n, n, fmt.Sprint(i))
				next.From = fmt.Sprint(i - 1)
				if err := s.Record(b.Context(), next); err != nil {
					b.Fatal(err)
				}
				i++
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(max(n*b.N, 1)), "us/match")
		})
	}
}

// BenchmarkWatchBehind is of a watcher that reads each event off the disk.
func BenchmarkWatchBehind(b *testing.B) {
	const n = 100_000
	s := big(b, n)
	for b.Loop() {
		seq := edgeban.Seq(0)
		for e, err := range edgeban.Each(s.Watch(b.Context(), 0)) {
			if err != nil {
				b.Fatal(err)
			}
			if seq = e.Seq; seq == n {
				break
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n*b.N), "ns/event")
}

// big returns a store that holds n matches, each of another address.
func big(b *testing.B, n int) *Store {
	b.Helper()
	s := benchStore(b)
	const each = 1000
	for i := 0; i < n; i += each {
		next := edgeban.Batch{Source: "mail", Stream: "a", From: fmt.Sprint(i), To: fmt.Sprint(i + each)}
		for j := range each {
			a := netip.AddrFrom4([4]byte{20, byte((i + j) >> 16), byte((i + j) >> 8), byte(i + j)})
			next.Matches = append(next.Matches, edgeban.Match{
				ID: fmt.Sprintf("%032x", i+j), Jail: "sshd", Kind: edgeban.Failure, Addr: a, Subject: netip.PrefixFrom(a, 32), Count: 1, Time: noon,
				User: "root", Text: "Nov 22 12:00:00 host sshd[4242]: Failed password for root from " + a.String() + " port 51000 ssh2",
			})
		}
		if err := s.Record(b.Context(), next); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

// BenchmarkAbout asks a ledger that is nearly as big as it may be for an address
// that is in it once, a long time ago.
func BenchmarkAbout(b *testing.B) {
	s := big(b, 2_500_000)
	for b.Loop() {
		r, err := s.About(b.Context(), netip.MustParsePrefix("20.0.0.7/32"), 50)
		if err != nil || len(r.Matches) != 1 {
			b.Fatal(len(r.Matches), err)
		}
	}
	fi, err := os.Stat(s.path)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(fi.Size())/1e6, "MB")
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

// BenchmarkImpose is of so many bans at once.
func BenchmarkImpose(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := benchStore(b)
			if err := s.Record(b.Context(), batch(0, 10_000, "1")); err != nil {
				b.Fatal(err)
			}
			i := 0
			for b.Loop() {
				var vs []edgeban.Verdict
				for range n {
					vs = append(vs, edgeban.Verdict{Ban: banOf(i), Notices: []edgeban.Notice{{Kind: edgeban.NoticeBan, Time: noon}}})
					i++
				}
				if err := s.Impose(b.Context(), vs...); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n*b.N), "us/ban")
		})
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
	if err := s.write(b.Context(), c); err != nil {
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
