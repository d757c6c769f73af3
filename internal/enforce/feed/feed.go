package feed

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce"
	"github.com/edgeban/edgeban/internal/enforce/endpoint"
)

// A Feed is a Target that firewalls pull.
type Feed struct {
	config config.Feed
	path   string // of the last copy; empty for none
	log    *slog.Logger
	made   time.Time // before that nobody could fetch from it, as far as it knows

	first sync.Once            // reads the last copy
	page  atomic.Pointer[page] // what is served; nil for 503
	mu    sync.Mutex           // held by Apply
	saved *page                // what the last copy holds, as far as is known
	lost  bool                 // the last copy could not be written, and it was said

	refused endpoint.Refusals
	fetched atomic.Pointer[fetch]
}

var (
	_ enforce.Whole  = (*Feed)(nil)
	_ enforce.Prober = (*Feed)(nil)
)

// New returns a Feed. It keeps its last copy in stateDir; empty for none.
func New(c config.Feed, stateDir string, log *slog.Logger) *Feed {
	f := &Feed{config: c, log: log, made: time.Now()}
	if stateDir != "" {
		f.path = filepath.Join(stateDir, "feed-"+strings.Map(inFileName, c.Listen)+".txt")
	}
	return f
}

// inFileName replaces what does not belong in the name of a file.
func inFileName(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
		return r
	}
	return '_'
}

// Whole says that the list is set as a whole.
func (f *Feed) Whole() {}

// Fits reports whether p can be served: any canonical address or network, but
// never the whole internet.
func (f *Feed) Fits(p netip.Prefix) bool {
	return p.IsValid() && p.Bits() > 0 && p == p.Masked() && !p.Addr().Is4In6()
}

// Held returns what is being served.
func (f *Feed) Held(context.Context) ([]netip.Prefix, error) {
	p := f.current()
	if p == nil {
		return nil, nil
	}
	return p.prefixes, nil
}

// Apply serves d.Want from now on, and writes a copy of it. A copy that cannot be
// written is said and tried again; the list is served all the same. As long as
// the ledger may lack bans, only d.Remove is taken from the list, and no list is begun:
// it would take from the firewall what it holds.
func (f *Feed) Apply(_ context.Context, d enforce.Diff) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.current()
	want := f.canonical(d.Want)
	switch {
	case d.Partial && old == nil && len(want) == 0:
		return nil
	case d.Partial && old == nil:
		return errors.New("the ledger was lost and so was the last copy of the list: the feed answers 503, so that firewalls keep what they hold; run edgeban adopt to begin anew")
	case d.Partial:
		gone := f.canonical(d.Remove)
		for _, p := range old.prefixes {
			if _, goes := slices.BinarySearchFunc(gone, p, netip.Prefix.Compare); !goes {
				want = append(want, p)
			}
		}
		want = f.canonical(want)
	}
	if old == nil || !slices.Equal(old.prefixes, want) {
		f.page.Store(newPage(want, time.Now()))
	}
	f.keepCopy(f.page.Load())
	return nil
}

// canonical returns ps masked, sorted, each once, without what does not fit: ps
// itself where it is all that, for it may be long.
func (f *Feed) canonical(ps []netip.Prefix) []netip.Prefix {
	if f.isCanonical(ps) {
		return ps
	}
	out := make([]netip.Prefix, 0, len(ps))
	for _, p := range ps {
		if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
		}
		if p = p.Masked(); f.Fits(p) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, netip.Prefix.Compare)
	return slices.Compact(out)
}

func (f *Feed) isCanonical(ps []netip.Prefix) bool {
	for i, p := range ps {
		if !f.Fits(p) || i > 0 && ps[i-1].Compare(p) >= 0 {
			return false
		}
	}
	return true
}

// current returns what is served now, at first the last copy.
func (f *Feed) current() *page {
	f.first.Do(func() {
		if f.path == "" {
			return
		}
		p, err := readCopy(f.path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			f.log.Warn("last copy of the feed not used", "err", err)
		default:
			f.saved = p
			f.page.Store(p)
			f.log.Info("feed serves its last copy", "entries", len(p.prefixes), "updated", p.updated)
		}
	})
	return f.page.Load()
}

// keepCopy writes p to disk unless it is there.
func (f *Feed) keepCopy(p *page) {
	if f.path == "" || f.saved == p {
		return
	}
	if err := writeCopy(f.path, p); err != nil {
		if !f.lost {
			f.log.Warn("copy of the feed not written; it is served all the same", "err", err)
		}
		f.lost = true
		return
	}
	if f.lost {
		f.log.Info("copy of the feed written again", "path", f.path)
	}
	f.saved, f.lost = p, false
}

// Addr returns the address that the feed is to be served at.
func (f *Feed) Addr() string { return f.config.Listen }
