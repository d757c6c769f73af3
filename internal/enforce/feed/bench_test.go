package feed

import (
	"io"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce"
)

// BenchmarkFeed sets a list of 100,000 entries, and answers with it.
func BenchmarkFeed(b *testing.B) {
	var want []netip.Prefix
	for i := range 100_000 {
		want = append(want, netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 16), byte(i >> 8), byte(i)}), 32))
	}
	f := New(config.Feed{Listen: "127.0.0.1:0"}, "", slog.New(slog.DiscardHandler))
	b.Run("set", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if err := f.Apply(b.Context(), enforce.Diff{Want: want[i%2:]}); err != nil { // another list each time
				b.Fatal(err)
			}
		}
	})
	b.Run("answer", func(b *testing.B) {
		for b.Loop() {
			r := httptest.NewRequest("GET", "/bans.txt", nil)
			r.RemoteAddr = "127.0.0.1:1"
			w := httptest.NewRecorder()
			f.Handler().ServeHTTP(w, r)
			if n, err := io.Copy(io.Discard, w.Body); err != nil || n < 1_000_000 {
				b.Fatal(w.Code, n, err)
			}
		}
	})
}
