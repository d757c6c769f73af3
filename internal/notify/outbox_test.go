package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/notify/ntfytest"
)

// A box is an outbox for one notifier, in memory.
type box struct {
	mu      sync.Mutex
	notices []edgeban.Notice
	told    edgeban.Seq
	posted  chan struct{} // closed by the next Post
	full    bool          // the disk: Told fails
	broken  bool          // Pending fails
	calls   int           // of Pending
}

var _ edgeban.Outbox = (*box)(nil)

func newBox() *box { return &box{posted: make(chan struct{})} }

func (b *box) Post(_ context.Context, ns []edgeban.Notice) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range ns {
		n.ID = edgeban.Seq(len(b.notices) + 1)
		b.notices = append(b.notices, n)
	}
	close(b.posted)
	b.posted = make(chan struct{})
	return nil
}

func (b *box) Pending(ctx context.Context, _ string, limit int) ([]edgeban.Notice, error) {
	for {
		b.mu.Lock()
		rest, posted := b.notices[b.told:], b.posted
		batch := append([]edgeban.Notice(nil), rest[:min(limit, len(rest))]...)
		b.calls++
		broken := b.broken
		b.mu.Unlock()
		if broken {
			return nil, errors.New("no such table")
		}
		if len(batch) > 0 {
			return batch, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-posted:
		}
	}
}

func (b *box) Told(ctx context.Context, _ string, through edgeban.Seq) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if b.full {
		return errors.New("disk full")
	}
	b.told = max(b.told, through)
	return nil
}

func (b *box) fill(full bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.full = full
}

func (b *box) breakIt(broken bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.broken = broken
}

func (b *box) asked() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.calls
}

func (b *box) pending() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.notices) - int(b.told)
}

// ban returns the notice of a ban of the ith address.
func ban(i int) edgeban.Notice {
	now := time.Now()
	addr := netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)})
	return edgeban.Notice{
		Kind: edgeban.NoticeBan, Time: now, Jail: "dovecot", Subject: netip.PrefixFrom(addr, 32),
		Until: now.Add(2 * time.Hour), Failures: 5, Nth: 1, User: "alice@example.com",
	}
}

func prefix(s string) netip.Prefix {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p
	}
	addr := netip.MustParseAddr(s)
	return netip.PrefixFrom(addr, addr.BitLen())
}

const (
	goodToken = "tk_0123456789abcdefghijklmnopqrs"
	ourAddr   = "192.0.2.10:40000"
)

// A world is a delivery to a fake ntfy server, in a bubble.
type world struct {
	*box
	server   *ntfytest.Server
	delivery *Delivery
	log      *journal
	stop     context.CancelFunc
	done     chan error
}

// writer is who may write to the topic of the tests.
func writer() ntfytest.User {
	return ntfytest.User{
		Name: "ips", Password: "correct horse", Write: []string{"alerts"},
		Tokens: map[string]time.Time{goodToken: {}},
	}
}

func ntfyConfig() config.Ntfy {
	return config.Ntfy{URL: "https://ntfy.example.org", Topic: "alerts", Token: config.NewSecret(goodToken)}
}

// start runs a delivery until the test ends.
func start(t *testing.T, o ntfytest.Options, opt Options) *world {
	t.Helper()
	server := ntfytest.New(o)
	w := run(t, NewNtfy(ntfyConfig(), server.Transport(ourAddr)), opt)
	w.server = server
	t.Cleanup(func() {
		if odd := server.Odd(); len(odd) > 0 {
			t.Errorf("sent what ntfy does not know: %q", odd)
		}
	})
	return w
}

func run(t *testing.T, n edgeban.Notifier, opt Options) *world {
	t.Helper()
	w := &world{box: newBox(), log: &journal{}, done: make(chan error, 1)}
	opt.Log = slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.delivery = NewDelivery(w.box, "phone", n, opt)
	ctx, stop := context.WithCancel(t.Context())
	w.stop = stop
	go func() { w.done <- w.delivery.Run(ctx) }()
	return w
}

func (w *world) end(t *testing.T) {
	t.Helper()
	w.stop()
	if err := <-w.done; err != nil {
		t.Errorf("Run: %v, want nil", err)
	}
}

func (w *world) post(t *testing.T, ns ...edgeban.Notice) {
	t.Helper()
	if err := w.Post(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
}

func (w *world) messages() []ntfytest.Message { return w.server.Messages("alerts") }

// counted returns how many bans the titles of the messages add up to.
func counted(t *testing.T, ms []ntfytest.Message) int {
	t.Helper()
	sum := 0
	for _, m := range ms {
		n := 1
		if _, err := fmt.Sscanf(m.Title, "%d addresses banned", &n); err != nil && m.Title[:7] != "Banned " {
			t.Errorf("title %q counts no bans", m.Title)
		}
		sum += n
	}
	return sum
}

// A journal is a log that may be read while it is written.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}
