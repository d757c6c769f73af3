package page

import (
	"net/netip"
	"slices"

	"github.com/edgeban/edgeban"
)

// Claims ask for the last matches of some keys.
type Claims struct {
	most     int
	of       map[edgeban.Key][]*Claim
	subjects map[netip.Prefix]bool
	bits     []int // of the subjects
}

// A Claim is one of them: it is of the matches up to a place.
type Claim struct {
	Until edgeban.Seq
	Found []edgeban.Seq
}

// NewClaims returns claims of nothing. Each gets at most so many matches.
func NewClaims(most int) *Claims {
	return &Claims{most: most, of: map[edgeban.Key][]*Claim{}, subjects: map[netip.Prefix]bool{}}
}

// Add adds a claim of the key's last matches up to a place.
func (c *Claims) Add(k edgeban.Key, until edgeban.Seq) *Claim {
	cl := &Claim{Until: until}
	c.of[k] = append(c.of[k], cl)
	c.subjects[k.Subject] = true
	if !slices.Contains(c.bits, k.Subject.Bits()) {
		c.bits = append(c.bits, k.Subject.Bits())
	}
	return cl
}

// Of returns the claims of a match that have not enough.
func (c *Claims) Of(e edgeban.Event) (all []*Claim) {
	m := e.Fact.(edgeban.Match)
	for _, bits := range c.bits {
		p, err := m.Addr.Prefix(bits)
		if err != nil {
			continue // the other family's
		}
		for _, cl := range c.of[edgeban.Key{Jail: m.Jail, Subject: p}] {
			if e.Seq <= cl.Until && len(cl.Found) < c.most {
				all = append(all, cl)
			}
		}
	}
	return all
}

// In reports whether a page with these subjects may have what is claimed.
func (c *Claims) In(subjects []byte) bool {
	for s := range Subjects(subjects) {
		for _, bits := range c.bits {
			if bits > s.Bits() && !s.IsSingleIP() { // who failed may be in it
				return true
			}
			if p, err := s.Addr().Prefix(bits); err == nil && c.subjects[p] {
				return true
			}
		}
	}
	return false
}

// Take gives the matches of a page to those who claim them, the last first.
func (c *Claims) Take(events []edgeban.Event) (more bool) {
	for _, e := range slices.Backward(events) {
		for _, cl := range c.Of(e) {
			cl.Found = append(cl.Found, e.Seq)
		}
	}
	return true
}
