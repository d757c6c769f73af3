package daemon_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/daemon"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
	"github.com/edgeban/edgeban/internal/notify/ntfytest"
	"github.com/edgeban/edgeban/internal/store/sqlite"
)

// BenchmarkLatency measures how long it takes from the write of the line that
// decides a ban to the arrival of the call that adds it at the firewall, which
// has 10,000 entries and answers as slowly as a real one was recorded to. The
// call's way through the firewall is not part of it. Each op is one ban; they
// come 100 to 200 ms apart. See bench/README.md.
func BenchmarkLatency(b *testing.B) {
	l := newLane(b)
	var took []time.Duration
	for b.Loop() {
		took = append(took, l.ban(len(took)))
	}
	slices.Sort(took)
	report := func(share float64, unit string) {
		at := min(int(share*float64(len(took))), len(took)-1)
		b.ReportMetric(float64(took[at])/float64(time.Millisecond), unit)
	}
	report(0.5, "median-ms")
	report(0.99, "p99-ms")
	report(1, "max-ms")
	b.ReportMetric(0, "ns/op") // mostly the time between two bans
}

// A lane is a whole daemon that reads one log, and a firewall that notes when
// calls arrive.
type lane struct {
	*testing.B
	log      *os.File
	arrivals chan arrival
}

type arrival struct {
	address string
	at      time.Time
}

const standing = 10_000 // bans before the first one that is measured

func newLane(b *testing.B) *lane {
	dir, err := os.MkdirTemp("", "eb") //nolint:usetesting // short, for the socket
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	l := &lane{B: b, arrivals: make(chan arrival, 16)}
	firewall := opnsensetest.New(opnsensetest.Options{Latency: true})
	l.fill(filepath.Join(dir, "state"), firewall)
	edge := httptest.NewTLSServer(l.note(firewall))
	b.Cleanup(edge.Close)
	ntfy := httptest.NewServer(ntfytest.New(ntfytest.Options{Users: []ntfytest.User{{Name: "e", Tokens: map[string]time.Time{token: {}}, Write: []string{"*"}}}}))
	b.Cleanup(ntfy.Close)
	yaml := fmt.Sprintf(`state: state
socket: s
targets:
  - opnsense: {url: %s, pin: "sha256:%x", key: %s, secret: %s, alias: %s}
notify:
  - ntfy: {url: %s, topic: %s, token: %s}
jails:
  dovecot: {logpath: dovecot.log}
`, edge.URL, sha256.Sum256(edge.Certificate().Raw), opnsensetest.Key, opnsensetest.Secret, opnsensetest.AliasName, ntfy.URL, topic, token)
	if err := os.WriteFile(filepath.Join(dir, "edgeban.yaml"), []byte(yaml), 0o600); err != nil {
		b.Fatal(err)
	}
	if l.log, err = os.OpenFile(filepath.Join(dir, "dovecot.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.log.Close() })
	l.run(filepath.Join(dir, "edgeban.yaml"))
	l.ban(-1) // the daemon is up
	return l
}

// fill makes the bans that stand already.
func (l *lane) fill(state string, firewall *opnsensetest.Firewall) {
	if err := os.MkdirAll(state, 0o700); err != nil {
		l.Fatal(err)
	}
	now := time.Now()
	store, err := sqlite.Open(filepath.Join(state, "ledger.db"), sqlite.Options{Now: now})
	if err != nil {
		l.Fatal(err)
	}
	var held []edgeban.Held
	for i := range standing {
		a := netip.AddrFrom4([4]byte{20, 0, byte(i >> 8), byte(i)})
		p := netip.PrefixFrom(a, 32)
		ban := edgeban.Ban{Key: edgeban.Key{Jail: "dovecot", Subject: p}, Since: now, Until: now.Add(24 * time.Hour), Addr: a, Nth: 1, Reason: "before"}
		if err := store.Impose(l.Context(), edgeban.Verdict{Ban: ban}); err != nil {
			l.Fatal(err)
		}
		held = append(held, edgeban.Held{Subject: p, Target: "opnsense", Sent: now, Held: now})
		firewall.Insert(opnsensetest.AliasName, a.String())
	}
	if err := store.Note(l.Context(), held, nil); err != nil {
		l.Fatal(err)
	}
	if err := store.Close(); err != nil {
		l.Fatal(err)
	}
}

// note stands before a firewall and says when an address arrives to be added.
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
			l.arrivals <- arrival{add.Address, at}
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		firewall.ServeHTTP(w, r)
	})
}

func (l *lane) run(path string) {
	c, err := config.Load(path)
	if err != nil {
		l.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- daemon.Run(ctx, daemon.Options{Config: c, Log: slog.New(slog.DiscardHandler), Version: "test"})
	}()
	l.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			l.Errorf("run: %v", err)
		}
	})
}

// ban has one address fail until it is banned, the last time after a while, and
// returns how long that took to arrive.
func (l *lane) ban(i int) time.Duration {
	i++
	addr := netip.AddrFrom4([4]byte{21, 0, byte(i >> 8), byte(i)}).String()
	for range 4 {
		l.fail(addr)
	}
	<-time.After(100*time.Millisecond + rand.N(100*time.Millisecond)) // bans are that far apart
	began := time.Now()
	l.fail(addr)
	limit := time.After(30 * time.Second)
	for {
		select {
		case got := <-l.arrivals:
			if got.address == addr { // and not one that is sent again
				return got.at.Sub(began)
			}
		case <-limit:
			l.Fatalf("%s was not added within 30 s", addr)
		}
	}
}

func (l *lane) fail(addr string) {
	if _, err := l.log.WriteString(failure(addr, "root") + "\n"); err != nil {
		l.Fatal(err)
	}
}
