// Package parcel packs matches that wait until they are used: so they take a third of the
// memory, all of which goes from one core to another.
package parcel

import (
	"math"
	"net/netip"
	"time"

	"github.com/edgeban/edgeban"
)

// A Parcel is what the jails have found in a chunk, packed. Its zero value is empty; it may
// be packed again once nobody needs what is in it.
type Parcel struct {
	items []item
	jails []jail
	whys  []why
	size  int
}

// A jail is how many of the items are one jail's.
type jail struct {
	name string
	n    int
}

// A why says why an item does not count.
type why struct {
	item int
	text string
}

// size is that of an item: as many bytes as a processor moves at once.
const size = 64

// An item is a match.
type item struct {
	addr       [16]byte // as netip.Addr.As16
	at         int64    // Unix nanoseconds
	user, text string
	count      int32
	kind       edgeban.Kind
	bits       uint8 // of the subject
}

// Pack packs matches by jail. It leaves out their IDs, which only a ledger needs. Of counts
// and times it keeps what a fold does: an int32, and Unix nanoseconds.
func (p *Parcel) Pack(all [][]edgeban.Match) {
	p.items, p.jails, p.whys, p.size = p.items[:0], p.jails[:0], p.whys[:0], 0
	for _, ms := range all {
		j := jail{n: len(ms)}
		for i := range ms {
			m := &ms[i]
			if j.name = m.Jail; m.Ignored != "" {
				p.whys = append(p.whys, why{len(p.items), m.Ignored})
			}
			p.size += size + len(m.User) + len(m.Text)
			p.items = append(p.items, item{
				addr: m.Addr.As16(), at: m.Time.UnixNano(), user: m.User, text: m.Text,
				count: int32(min(m.Count, math.MaxInt32)), kind: m.Kind, bits: uint8(m.Subject.Bits()),
			})
		}
		p.jails = append(p.jails, j)
	}
}

// Size returns how many bytes of memory the matches take, with their texts.
func (p *Parcel) Size() int { return p.size }

// Fits reports whether n matches have room.
func (p *Parcel) Fits(n int) bool { return n <= cap(p.items) }

// New returns a parcel with room for n matches, and a few more that may come next time.
func New(n int) *Parcel {
	const step = 64
	return &Parcel{items: make([]item, 0, (n+step-1)/step*step)}
}

// An Opener unpacks parcels, one at a time. Its zero value is ready.
type Opener struct {
	room []edgeban.Match
	all  [][]edgeban.Match
}

// Open returns the matches of a parcel, by jail. They are valid until the next call.
func (o *Opener) Open(p *Parcel) [][]edgeban.Match {
	if len(o.room) < len(p.items) {
		o.room = make([]edgeban.Match, cap(p.items))
	}
	o.all = o.all[:0]
	n, whys := 0, p.whys
	for _, j := range p.jails {
		first := n
		for ; n < first+j.n; n++ {
			m := &o.room[n]
			p.items[n].open(m)
			m.Jail, m.Ignored = j.name, ""
			if len(whys) > 0 && whys[0].item == n {
				m.Ignored, whys = whys[0].text, whys[1:]
			}
		}
		o.all = append(o.all, o.room[first:n:n])
	}
	return o.all
}

func (i *item) open(m *edgeban.Match) {
	m.Addr = netip.AddrFrom16(i.addr).Unmap()
	if m.Subject = netip.PrefixFrom(m.Addr, int(i.bits)); !m.Subject.IsSingleIP() {
		m.Subject = m.Subject.Masked()
	}
	m.Kind, m.Count, m.Time, m.User, m.Text = i.kind, int(i.count), time.Unix(0, i.at).UTC(), i.user, i.text
}
