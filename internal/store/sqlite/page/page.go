// Package page packs many matches into few blobs, and reads them back. A page is
// a row of SQLite's: to write one costs little more than to write a match.
//
// It knows neither the file nor the ledger, and decides nothing. Blobs of two
// pages, one after the other, are those of one page: so small ones become a big
// one without being read.
package page

import (
	"encoding/binary"
	"hash/fnv"
	"iter"
	"net/netip"
	"time"

	"github.com/edgeban/edgeban"
)

// A page is matches in the order of their places.
type page struct {
	First, Last edgeban.Seq
	N           int       // how many they are
	Oldest      time.Time // the earliest time that one carries; zero if none carries any

	Subjects []byte // under what they are found; what no subject leads to is not there
	IDs      []byte // the hashes of their IDs
	Matches  []byte
}

const most = 1024 // matches of a page when it is packed

// pack returns the pages of matches, which are in the order of their places.
func pack(events []edgeban.Event) (pages []page) {
	for len(events) > 0 {
		n := min(len(events), most)
		pages = append(pages, packOne(events[:n]))
		events = events[n:]
	}
	return pages
}

func packOne(events []edgeban.Event) page {
	p := page{First: events[0].Seq, Last: events[len(events)-1].Seq, N: len(events), IDs: make([]byte, 0, 4*len(events)), Matches: make([]byte, 0, 200*len(events))}
	known := make(map[netip.Prefix]struct{}, len(events))
	for _, e := range events {
		m := e.Fact.(edgeban.Match)
		if !m.Time.IsZero() && (p.Oldest.IsZero() || m.Time.Before(p.Oldest)) {
			p.Oldest = m.Time
		}
		p.IDs = binary.BigEndian.AppendUint32(p.IDs, hash(m.ID))
		p.Matches = appendMatch(p.Matches, e.Seq, m)
		s := subject(m)
		if _, twice := known[s]; s.IsValid() && !twice {
			known[s] = struct{}{}
			p.Subjects = appendSubject(p.Subjects, s)
		}
	}
	return p
}

// add adds the matches of q, which come after those of p.
func (p *page) add(q page) {
	if p.N == 0 {
		p.First = q.First
	}
	if p.Oldest.IsZero() || !q.Oldest.IsZero() && q.Oldest.Before(p.Oldest) {
		p.Oldest = q.Oldest
	}
	p.Last, p.N = q.Last, p.N+q.N
	p.Subjects, p.IDs, p.Matches = append(p.Subjects, q.Subjects...), append(p.IDs, q.IDs...), append(p.Matches, q.Matches...)
}

// subject returns what a match is found under: its address if it has no subject.
func subject(m edgeban.Match) netip.Prefix {
	if m.Subject.IsValid() || !m.Addr.IsValid() {
		return m.Subject
	}
	return netip.PrefixFrom(m.Addr, m.Addr.BitLen())
}

// appendSubject appends the family, the bits and the address of a subject.
func appendSubject(b []byte, p netip.Prefix) []byte {
	if a := p.Addr(); a.Is4() {
		four := a.As4()
		return append(append(b, 4, byte(p.Bits())), four[:]...)
	}
	sixteen := p.Addr().As16()
	return append(append(b, 6, byte(p.Bits())), sixteen[:]...)
}

// Subjects yields what is in the blob of subjects.
func Subjects(b []byte) iter.Seq[netip.Prefix] {
	return func(yield func(netip.Prefix) bool) {
		for len(b) > 0 {
			var p netip.Prefix
			switch {
			case b[0] == 4 && len(b) >= 6:
				p, b = netip.PrefixFrom(netip.AddrFrom4([4]byte(b[2:6])), int(b[1])), b[6:]
			case len(b) >= 18:
				p, b = netip.PrefixFrom(netip.AddrFrom16([16]byte(b[2:18])), int(b[1])), b[18:]
			default:
				return // damaged: the matches will say so
			}
			if !yield(p) {
				return
			}
		}
	}
}

// Overlaps reports whether a subject in the blob lies in p or contains it. It is
// asked of every page there is.
func Overlaps(b []byte, p netip.Prefix) bool {
	if p.Addr().Is4() {
		four := p.Addr().As4()
		return overlaps4(b, binary.BigEndian.Uint32(four[:]), p.Bits())
	}
	for s := range Subjects(b) {
		if s.Overlaps(p) {
			return true
		}
	}
	return false
}

func overlaps4(b []byte, addr uint32, bits int) bool {
	for len(b) >= 6 {
		if b[0] != 4 {
			b = b[min(len(b), 18):]
			continue
		}
		if differ := binary.BigEndian.Uint32(b[2:6]) ^ addr; differ>>(32-min(bits, int(b[1]))) == 0 {
			return true
		}
		b = b[6:]
	}
	return false
}

// hash returns what stands for an ID in the blob of hashes.
func hash(id string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(id))
	return h.Sum32()
}

// has reports whether one of the hashes is in the blob.
func has(b []byte, hashes map[uint32]bool) bool {
	for ; len(b) >= 4; b = b[4:] {
		if hashes[binary.BigEndian.Uint32(b)] {
			return true
		}
	}
	return false
}
