package intake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/never"
)

const (
	maxQueue  = 1000            // names that wait to be looked up
	maxKept   = 1000            // names whose answer is kept
	maxAnswer = 16              // addresses of one name that count
	keptFor   = 5 * time.Minute // also that there is no answer
	patience  = 2 * time.Second // with one look-up
	longest   = 253             // bytes of a name that can be one
)

// Names looks up the hosts that failed, for jails with usedns yes, and records a
// match for each address of a host. It never holds up who reads: names that come
// faster than they are answered, and those without an answer, count nothing. A
// name that waits or is being looked up at a kill, a stop or a reload is lost: its
// line counts as read.
type Names struct {
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	ledger edgeban.Ledger
	never  func() *never.List
	queue  chan named

	mu   sync.Mutex
	kept map[string]answer
}

// A named is a failure of a host; its match has no address.
type named struct {
	*Watcher
	host  string
	match edgeban.Match
}

type answer struct {
	addrs []netip.Addr
	until time.Time
}

// NewNames returns Names that ask lookup, which must end with its context.
func NewNames(lookup func(ctx context.Context, host string) ([]netip.Addr, error), l edgeban.Ledger, list func() *never.List) *Names {
	return &Names{lookup: lookup, ledger: l, never: list, queue: make(chan named, maxQueue), kept: map[string]answer{}}
}

// Run looks names up, one after the other, until ctx is done or the ledger fails.
// It may run several times at once.
func (n *Names) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case q := <-n.queue:
			if err := n.record(ctx, q); err != nil {
				return err
			}
		}
	}
}

// ask takes a failure of a host, or counts it as lost where too many wait.
func (n *Names) ask(q named) {
	select {
	case n.queue <- q:
	default:
		q.counters.names.Add(int64(max(1, q.match.Count)))
	}
}

// record records what a host's failure means for its addresses.
func (n *Names) record(ctx context.Context, q named) error {
	b := edgeban.Batch{Source: "names", Read: q.match.Time}
	for _, a := range n.addresses(ctx, q.host) {
		m := q.match
		m.Count = max(1, m.Count)
		m.Addr, m.ID = a, identify(m.ID, a)
		q.judgeable(&m, n.never())
		b.Matches = append(b.Matches, m)
	}
	if len(b.Matches) == 0 {
		q.counters.names.Add(int64(max(1, q.match.Count)))
		return nil
	}
	done, err := record(ctx, n.ledger, b)
	if done {
		q.counters.matched(b.Matches)
	}
	return err
}

// identify names the failure of one of a host's addresses, so that it has the
// same name on every reading of its line.
func identify(id string, a netip.Addr) string {
	sum := sha256.Sum256([]byte(id + "\x00" + a.String()))
	return hex.EncodeToString(sum[:16])
}

// addresses returns what a host resolves to, none if nobody says.
func (n *Names) addresses(ctx context.Context, host string) []netip.Addr {
	if host = strings.ToLower(host); host == "" || len(host) > longest {
		return nil
	}
	n.mu.Lock()
	known, ok := n.kept[host]
	n.mu.Unlock()
	if ok && time.Now().Before(known.until) {
		return known.addrs
	}
	asking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found, err := n.lookup(asking, host)
	if err != nil && ctx.Err() != nil {
		return nil // the end of the daemon is no answer
	}
	addrs := usable(found)
	n.keep(host, addrs)
	return addrs
}

// usable returns the addresses that somebody can sit at, each once.
func usable(found []netip.Addr) (addrs []netip.Addr) {
	seen := map[netip.Addr]bool{}
	for _, a := range found {
		if a = a.Unmap().WithZone(""); a.IsValid() && !a.IsUnspecified() && !seen[a] && len(addrs) < maxAnswer {
			seen[a] = true
			addrs = append(addrs, a)
		}
	}
	return addrs
}

// keep remembers an answer. Where there are too many, those that are too old go
// first, then any.
func (n *Names) keep(host string, addrs []netip.Addr) {
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.kept) >= maxKept {
		for h, a := range n.kept {
			if !now.Before(a.until) {
				delete(n.kept, h)
			}
		}
	}
	for h := range n.kept {
		if len(n.kept) < maxKept {
			break
		}
		delete(n.kept, h)
	}
	n.kept[host] = answer{addrs, now.Add(keptFor)}
}
