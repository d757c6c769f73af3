package row

import (
	"iter"
	"net/netip"
)

// Widths are the prefix lengths, by family, that any entry ever had: so few that who
// holds an address is found by asking for each.
type Widths [2][129]bool

// Note takes an entry in.
func (w *Widths) Note(p netip.Prefix) { w[column(p.Addr())][p.Bits()] = true }

// Around yields the entries that may contain an address, the widest first.
func (w *Widths) Around(a netip.Addr) iter.Seq[netip.Prefix] {
	return func(yield func(netip.Prefix) bool) {
		for bits, used := range w[column(a)][:a.BitLen()+1] {
			if used && !yield(netip.PrefixFrom(a, bits).Masked()) {
				return
			}
		}
	}
}

func column(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}
