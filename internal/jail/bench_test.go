package jail

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
)

const million = 1_000_000

// crowded returns a jail that counts n subjects, each of which has failed so
// often, and what a subject costs in memory.
func crowded(b *testing.B, n, failures int) (*Jail, float64) {
	b.Helper()
	before := heap()
	j := New(rules(func(c *config.Jail) { c.MaxRetry = 5 }), forget)
	j.max = max(j.max, n)
	for f := range failures {
		for i := range n {
			observe(j, i, time.Duration(f)*time.Second)
		}
	}
	return j, float64(heap()-before) / float64(n)
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// observe plays a failure of one of many subjects.
func observe(j *Jail, i int, after time.Duration) (edgeban.Ban, bool) {
	n := i / 250
	a := netip.AddrFrom4([4]byte{byte(20 + n>>16), byte(n >> 8), byte(n), byte(i % 250)})
	m := edgeban.Match{Jail: "sshd", Kind: edgeban.Failure, Addr: a, Subject: netip.PrefixFrom(a, 32), Count: 1, Time: t0.Add(after)}
	return j.Observe(edgeban.Event{Seq: edgeban.Seq(i + 1), Fact: m})
}

// BenchmarkObserve is a failure in a jail that counts a million subjects: of one
// that it counts, and of a new one, for which it may have to make room.
func BenchmarkObserve(b *testing.B) {
	b.Run("known", func(b *testing.B) {
		j, _ := crowded(b, million, 1)
		for i := 0; b.Loop(); i++ {
			observe(j, i*7919%million, time.Duration(i)*time.Millisecond)
		}
	})
	b.Run("new", func(b *testing.B) {
		j, _ := crowded(b, million, 1)
		j.max = million
		var slowest time.Duration
		for i := million; b.Loop(); i++ {
			began := b.Elapsed()
			observe(j, i, time.Duration(i)*time.Microsecond)
			slowest = max(slowest, b.Elapsed()-began)
		}
		b.ReportMetric(float64(slowest.Microseconds())/1000, "slowest-ms")
	})
}

// BenchmarkSnapshot writes a fold of a million subjects, and reads it back.
func BenchmarkSnapshot(b *testing.B) {
	for _, failures := range []int{1, 4} {
		j, each := crowded(b, million, failures)
		state := j.Freeze(t0).Snapshot()
		b.Run(fmt.Sprintf("write/%d", failures), func(b *testing.B) {
			b.ReportAllocs()
			var held time.Duration
			for b.Loop() {
				began := b.Elapsed()
				f := j.Freeze(t0)
				held = max(held, b.Elapsed()-began)
				f.Snapshot()
			}
			b.ReportMetric(float64(held.Microseconds())/1000, "held-ms")
			b.ReportMetric(each, "B/subject")
			b.ReportMetric(float64(len(state))/million, "B/written")
		})
		b.Run(fmt.Sprintf("read/%d", failures), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := New(j.c, forget).Restore(state); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
