package pf

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
)

// A Listing is the rows of a table as alias_util lists them. There may be a hundred
// thousand, so that each is read where it stands.
type Listing struct {
	Entries []netip.Prefix // those that are addresses or networks
	Drops   []Drop         // what has blocked packets
	Rows    int            // of all
}

// A Drop is how many packets an entry has blocked, in and out.
type Drop struct {
	Entry   netip.Prefix
	Packets uint64
}

// UnmarshalJSON implements json.Unmarshaler.
func (l *Listing) UnmarshalJSON(text []byte) error {
	rows := json.NewDecoder(bytes.NewReader(text))
	switch start, err := rows.Token(); {
	case err != nil || start == nil: // a null
		return err
	case start != json.Delim('['):
		return errors.New("rows is no list")
	}
	*l = Listing{Entries: make([]netip.Prefix, 0, bytes.Count(text, []byte("{")))}
	for ; rows.More(); l.Rows++ {
		var row struct {
			IP  string
			In  Number `json:"in_block_p"`
			Out Number `json:"out_block_p"`
		}
		if err := rows.Decode(&row); err != nil {
			return err
		}
		p, ok := Parse(row.IP)
		if !ok {
			continue
		}
		l.Entries = append(l.Entries, p)
		if n := row.In + row.Out; n > 0 {
			l.Drops = append(l.Drops, Drop{p, uint64(n)})
		}
	}
	return nil
}

// Sort puts the entries in order, each once.
func (l *Listing) Sort() {
	slices.SortFunc(l.Entries, netip.Prefix.Compare)
	l.Entries = slices.Compact(l.Entries)
	slices.SortFunc(l.Drops, func(a, b Drop) int { return a.Entry.Compare(b.Entry) })
	l.Drops = slices.CompactFunc(l.Drops, func(a, b Drop) bool { return a.Entry == b.Entry })
}

// A Number is a count, which this API writes as a number or as text. What is
// neither is none: no ban may depend on it.
type Number uint64

// UnmarshalJSON implements json.Unmarshaler.
func (n *Number) UnmarshalJSON(text []byte) error {
	var v uint64
	if json.Unmarshal(bytes.Trim(text, `"`), &v) != nil {
		v = 0
	}
	*n = Number(v)
	return nil
}

// Parse reads an entry. IPv4-mapped ones never match any IPv4 packet, and count
// as none.
func Parse(text string) (netip.Prefix, bool) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(addr, addr.BitLen()), addr.Zone() == "" && !addr.Is4In6()
	}
	p, err := netip.ParsePrefix(text)
	return p.Masked(), err == nil && !p.Addr().Is4In6()
}
