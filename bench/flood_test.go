// Package bench_test measures the whole daemon. What it measures, and how, is in
// README.md.
package bench_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/daemon"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
	"github.com/edgeban/edgeban/internal/web"
)

// A flood is what is written into the log, besides what is measured.
type flood struct {
	name  string
	lines int // a second
	every int // one line of so many fails
	addrs int // from so many addresses, in turn; 0 for a new one each time
}

// BenchmarkFlood measures how long it takes from the write of the third failing
// line of an attacker that was never seen before to the arrival of the call that
// adds it at the firewall, while a flood is written into the same log. Each op is
// one attacker; they come 100 ms apart.
func BenchmarkFlood(b *testing.B) {
	for _, f := range []flood{
		{name: "quiet", lines: 100, every: 10},
		{name: "hosts=5000", lines: 100_000, every: 10, addrs: 5000},
		{name: "failing", lines: 100_000, every: 1, addrs: 5000},
		{name: "distinct", lines: 30_000, every: 1},
	} {
		b.Run(f.name, func(b *testing.B) { measure(b, f) })
	}
}

func measure(b *testing.B, f flood) {
	l := newLane(b)
	stop := l.write(f)
	l.settle(f)
	before, from, began := rss(b), l.read(), time.Now()
	behind, n := int64(0), 0
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for b.Loop() {
		<-tick.C
		l.attack(n)
		if n++; n%10 == 0 {
			behind = max(behind, l.behind())
		}
	}
	read, passed, after := l.read()-from, time.Since(began), rss(b)
	stop()
	perLine := float64(l.bytes) / float64(l.lines)
	took := l.took(n)
	at := func(share float64) float64 {
		return float64(took[min(int(share*float64(n)), n-1)]) / float64(time.Millisecond)
	}
	b.ReportMetric(at(0.5), "median-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(at(1), "max-ms")
	b.ReportMetric(float64(read)/perLine/passed.Seconds(), "lines/s")
	b.ReportMetric(float64(behind)/perLine, "lines-behind")
	b.ReportMetric(before, "MB-before")
	b.ReportMetric(after, "MB-after")
	b.ReportMetric(float64(l.ledger())/1e6, "MB-ledger")
	b.ReportMetric(0, "ns/op") // the time between two attackers
}

// A lane is a whole daemon that reads one log, and a firewall that notes when
// an address first arrives.
type lane struct {
	*testing.B
	dir          string
	log          *os.File
	lines, bytes int // of the flood, once it is stopped

	mu      sync.Mutex
	written map[string]time.Time
	arrived map[string]time.Time
}

func newLane(b *testing.B) *lane {
	dir, err := os.MkdirTemp("", "eb") //nolint:usetesting // short, for the socket
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	l := &lane{B: b, dir: dir, written: map[string]time.Time{}, arrived: map[string]time.Time{}}
	edge := httptest.NewTLSServer(l.note(opnsensetest.New(opnsensetest.Options{Latency: true})))
	b.Cleanup(edge.Close)
	yaml := fmt.Sprintf(`state: state
socket: s
targets:
  - opnsense: {url: %s, pin: "sha256:%x", key: %s, secret: %s, alias: %s}
budget: {per_minute: 100000, entries: 1000000}
jails:
  sshd: {logpath: auth.log, maxretry: 3}
`, edge.URL, sha256.Sum256(edge.Certificate().Raw), opnsensetest.Key, opnsensetest.Secret, opnsensetest.AliasName)
	if err := os.WriteFile(filepath.Join(dir, "edgeban.yaml"), []byte(yaml), 0o600); err != nil {
		b.Fatal(err)
	}
	if l.log, err = os.OpenFile(filepath.Join(dir, "auth.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.log.Close() })
	l.run()
	l.attack(-1)
	l.await(address(21, -1)) // the daemon is up
	return l
}

func (l *lane) run() {
	c, err := config.Load(filepath.Join(l.dir, "edgeban.yaml"))
	if err != nil {
		l.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- daemon.Run(ctx, daemon.Options{Config: c, Log: slog.New(slog.DiscardHandler), Version: "bench"})
	}()
	l.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			l.Errorf("run: %v", err)
		}
	})
}

// note stands before a firewall and notes when an address arrives to be added.
func (l *lane) note(firewall http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := time.Now()
		if strings.Contains(r.URL.Path, "/add/") {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				panic(http.ErrAbortHandler)
			}
			var add struct{ Address string }
			if err := json.Unmarshal(body, &add); err != nil {
				l.Errorf("add: %s: %v", body, err)
			}
			l.mu.Lock()
			if _, again := l.arrived[add.Address]; !again {
				l.arrived[add.Address] = at
			}
			l.mu.Unlock()
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		firewall.ServeHTTP(w, r)
	})
}

// write writes the flood until it is stopped, some lines every few milliseconds.
func (l *lane) write(f flood) (stop func()) {
	const pause = 5 * time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(pause)
		defer tick.Stop()
		var text []byte
		began := time.Now()
		for n, failed := 0, 0; ; l.lines, l.bytes = n, l.bytes+len(text) {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			text = text[:0]
			stamp := time.Now().Format("Jan _2 15:04:05")
			for due := int(time.Since(began).Seconds() * float64(f.lines)); n < due; n++ {
				if n%f.every != 0 {
					text = append(append(text, stamp...), " host CRON[4242]: pam_unix(cron:session): session opened for user root(uid=0)\n"...)
					continue
				}
				i := failed
				if failed++; f.addrs > 0 {
					i %= f.addrs
				}
				text = append(appendFailure(append(text, stamp...), address(22+i>>16, i)), '\n')
			}
			if _, err := l.log.Write(text); err != nil {
				l.Error(err)
				return
			}
		}
	})
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	l.Cleanup(stop)
	return stop
}

// settle waits until the addresses of the flood are at the firewall, or for a
// while where there is a new one each time, and then for the log to be read.
func (l *lane) settle(f flood) {
	if f.addrs == 0 {
		<-time.After(10 * time.Second)
	}
	for i := range f.addrs {
		l.await(address(22, i))
	}
	const some = 100_000 // bytes, of which there are always some on the way
	for began := time.Now(); l.behind() > some && time.Since(began) < time.Minute; <-time.After(100 * time.Millisecond) {
	}
}

func address(net, i int) string {
	return netip.AddrFrom4([4]byte{byte(net), 1, byte(i >> 8), byte(i)}).String()
}

func failure(addr string) string {
	return string(appendFailure([]byte(time.Now().Format("Jan _2 15:04:05")), addr)) + "\n"
}

func appendFailure(b []byte, addr string) []byte {
	b = append(b, " host sshd[4242]: Failed password for root from "...)
	return append(append(b, addr...), " port 51000 ssh2"...)
}

// attack has an attacker fail three times, and notes when the last time was.
func (l *lane) attack(i int) {
	addr := address(21, i)
	for range 2 {
		l.fail(addr)
	}
	l.mu.Lock()
	l.written[addr] = time.Now()
	l.mu.Unlock()
	l.fail(addr)
}

func (l *lane) fail(addr string) {
	if _, err := l.log.WriteString(failure(addr)); err != nil {
		l.Fatal(err)
	}
}

// await waits until an address has arrived at the firewall, and returns when.
func (l *lane) await(addr string) time.Time {
	for began := time.Now(); time.Since(began) < 2*time.Minute; <-time.After(time.Millisecond) {
		l.mu.Lock()
		at, ok := l.arrived[addr]
		l.mu.Unlock()
		if ok {
			return at
		}
	}
	l.Fatalf("%s was not added within 2 minutes", addr)
	return time.Time{}
}

// took returns how long each attacker took to the firewall, in order.
func (l *lane) took(n int) (took []time.Duration) {
	for i := range n {
		at := l.await(address(21, i))
		l.mu.Lock()
		took = append(took, at.Sub(l.written[address(21, i)]))
		l.mu.Unlock()
	}
	slices.Sort(took)
	return took
}

func (l *lane) stream() web.Stream {
	st, err := web.NewClient(filepath.Join(l.dir, "s")).Status(l.Context())
	if err != nil {
		l.Fatal(err)
	}
	if len(st.Streams) != 1 {
		l.Fatalf("%d logs are read, want 1", len(st.Streams))
	}
	return st.Streams[0]
}

// read returns how far the log was read.
func (l *lane) read() int64 { return l.stream().Offset }

// behind returns how many bytes are written and not read.
func (l *lane) behind() int64 {
	fi, err := l.log.Stat()
	if err != nil {
		l.Fatal(err)
	}
	return fi.Size() - l.read()
}

// ledger returns how many bytes the ledger has on disk.
func (l *lane) ledger() (n int64) {
	files, err := filepath.Glob(filepath.Join(l.dir, "state", "ledger.db*"))
	if err != nil {
		l.Fatal(err)
	}
	for _, name := range files {
		if fi, err := os.Stat(name); err == nil {
			n += fi.Size()
		}
	}
	return n
}

// rss returns how much memory the process has, in MB: the daemon with the
// firewall and the writer.
func rss(b *testing.B) float64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Fatal(err)
	}
	var size, resident float64
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		b.Fatal(err)
	}
	return resident * float64(os.Getpagesize()) / 1e6
}
