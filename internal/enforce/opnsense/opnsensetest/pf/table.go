package pf

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// A Table is a table of pf: its entries by pf's spelling, "!" in front of one
// that is negated.
type Table struct {
	Entries  map[string]*Entry
	Counters bool      // packets are counted for each entry, too
	Updated  time.Time // when it was last filled from a file; zero if never

	Match, NoMatch int // how often a rule asked whether an address is in it
	Traffic        Traffic
}

// An Entry is an address or a network. Its prefix is not valid if it is neither.
type Entry struct {
	Prefix  netip.Prefix
	Added   time.Time
	Traffic Traffic
}

// Traffic is what rules that refer to a table did to packets.
type Traffic struct{ InBlock, InPass, OutBlock, OutPass Count }

// A Count is a number of packets and their bytes.
type Count struct{ Packets, Bytes int }

func (t *Traffic) add(p Packet, pass bool) {
	to := &t.InBlock
	switch {
	case p.Out && pass:
		to = &t.OutPass
	case p.Out:
		to = &t.OutBlock
	case pass:
		to = &t.InPass
	}
	to.Packets++
	to.Bytes += p.Bytes
}

// Put makes item an entry as it is, whether pf would take it or not.
func (t *Table) Put(item string) {
	p, ok := Parse(strings.TrimPrefix(item, "!"))
	text := item
	if ok {
		text = spell(item, p)
	} else {
		p = netip.Prefix{}
	}
	if t.Entries[text] == nil { // the age of a duplicate is not refreshed
		t.Entries[text] = &Entry{Prefix: p, Added: time.Now()}
	}
}

// Spell is how pf shows an address or a network; ok is false for anything else.
func Spell(item string) (text string, ok bool) {
	p, ok := Parse(strings.TrimPrefix(item, "!"))
	if !ok {
		return "", false
	}
	return spell(item, p), true
}

// spell masks host bits, and writes a single host without mask.
func spell(item string, p netip.Prefix) string {
	text := p.String()
	if p.IsSingleIP() {
		text = p.Addr().String()
	}
	if strings.HasPrefix(item, "!") {
		return "!" + text
	}
	return text
}

// Show lists the entries in pf's order: IPv4 first, each family by number. The
// list of no table is empty.
func (t *Table) Show() []string {
	if t == nil {
		return []string{}
	}
	out := make([]string, 0, len(t.Entries))
	for text := range t.Entries {
		out = append(out, text)
	}
	slices.SortFunc(out, func(a, b string) int {
		p, q := t.Entries[a].Prefix, t.Entries[b].Prefix
		return cmp.Or(p.Addr().Compare(q.Addr()), cmp.Compare(p.Bits(), q.Bits()), strings.Compare(a, b))
	})
	return out
}

// Find returns the entry that decides about an address, the longest, or nil if
// there is none or it is negated.
func (t *Table) Find(a netip.Addr) *Entry {
	if t == nil {
		return nil
	}
	for bits := a.BitLen(); bits >= 0; bits-- {
		p, _ := a.Prefix(bits)
		if t.Entries[spell("!", p)] != nil {
			return nil
		}
		if e := t.Entries[spell("", p)]; e != nil {
			return e
		}
	}
	return nil
}

// Parse reads an address or a network as pfctl does, host bits masked.
func Parse(text string) (netip.Prefix, bool) {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), a.Zone() == ""
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err == nil
}
