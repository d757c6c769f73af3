package sqlite

import (
	"context"
	"net/netip"

	"github.com/edgeban/edgeban"
)

// widths are the prefix lengths, by family, that any entry ever had: so few that
// who holds an address is found by asking for each.
type widths [2][129]bool

func (w *widths) note(p netip.Prefix) { w[family(p.Addr())][p.Bits()] = true }

func family(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// Around returns what is known of the entries of all targets that contain a,
// released ones left out.
func (s *Store) Around(ctx context.Context, a netip.Addr) (held []edgeban.Held, err error) {
	if err := ctx.Err(); err != nil || !a.IsValid() {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for bits, used := range s.widths[family(a)] {
		if !used {
			continue
		}
		p := netip.PrefixFrom(a, bits).Masked()
		for target := range s.held {
			if h, ok := s.standing(target, p); ok {
				held = append(held, h)
			}
		}
	}
	return held, nil
}

// standing returns what is known of an entry that was not released.
func (s *Store) standing(target string, p netip.Prefix) (edgeban.Held, bool) {
	h, ok := s.held[target][p]
	if !ok || h.Released() {
		return edgeban.Held{}, false
	}
	return h.Held(target, p), true
}
