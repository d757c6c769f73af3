package sqlite

import (
	"cmp"
	"context"
	"net/netip"
	"slices"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/store/sqlite/file"
	"github.com/edgeban/edgeban/internal/store/sqlite/page"
)

const evidence = 20 // how many matches are kept for each ban

// Claims are what bans say of which nobody has written down yet what they were
// decided by.
type claims struct {
	bans     map[edgeban.Key][]*claim
	subjects map[netip.Prefix]bool
	bits     []int // of the subjects
}

// A claim is of the last matches of a ban's key up to the one that decided it.
type claim struct {
	ban, until edgeban.Seq
	found      []edgeban.Seq
}

func newClaims(bans []*imposed) claims {
	c := claims{map[edgeban.Key][]*claim{}, map[netip.Prefix]bool{}, nil}
	for _, b := range bans {
		until := b.seq
		if b.Cause != 0 {
			until = min(until, b.Cause)
		}
		c.bans[b.Key] = append(c.bans[b.Key], &claim{ban: b.seq, until: until})
		c.subjects[b.Subject] = true
		if !slices.Contains(c.bits, b.Subject.Bits()) {
			c.bits = append(c.bits, b.Subject.Bits())
		}
	}
	return c
}

// of returns the claims of a match.
func (c claims) of(e edgeban.Event) (all []*claim) {
	m := e.Fact.(edgeban.Match)
	for _, bits := range c.bits {
		p, err := m.Addr.Prefix(bits)
		if err != nil {
			continue // the other family's
		}
		for _, cl := range c.bans[edgeban.Key{Jail: m.Jail, Subject: p}] {
			if e.Seq <= cl.until && len(cl.found) < evidence {
				all = append(all, cl)
			}
		}
	}
	return all
}

// in reports whether a page with these subjects may have what is claimed.
func (c claims) in(subjects []byte) bool {
	for s := range page.Subjects(subjects) {
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

// pin writes down what bans were decided by, so that it is kept for as long as
// they are. Until Prune comes nothing goes, so nothing is written while a ban is
// imposed.
func (p pruning) pin(ctx context.Context) error {
	s := p.s
	s.mu.Lock()
	bare, saved := s.bare, s.saved
	s.mu.Unlock()
	n, _ := slices.BinarySearchFunc(bare, saved+1, bySeq)
	if bare = bare[:n]; n == 0 {
		return nil
	}
	c := newClaims(bare)
	err := page.Lookup(ctx, s.file.Readers, c.in, func(events []edgeban.Event) bool {
		for _, e := range slices.Backward(events) {
			for _, cl := range c.of(e) {
				cl.found = append(cl.found, e.Seq)
			}
		}
		return true
	})
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(bare, pruneRows/evidence) {
		if err := s.alone(ctx, func(ctx context.Context) error { return s.pinSome(ctx, c, chunk) }); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) pinSome(ctx context.Context, c claims, bans []*imposed) error {
	through := bans[len(bans)-1].seq
	err := s.file.Transact(ctx, file.AfterKill, func() error {
		for _, b := range bans {
			for _, cl := range c.bans[b.Key] {
				if cl.ban != b.seq {
					continue
				}
				for _, seq := range cl.found {
					if _, err := s.file.Exec(ctx, `insert or ignore into evidence (ban, match) select seq, ? from ban where seq = ?`, seq, b.seq); err != nil {
						return err
					}
				}
			}
		}
		_, err := s.file.Exec(ctx, `update head set pinned = ?`, through)
		return err
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pinned, s.bare = through, slices.Clone(s.bare[len(bans):])
	return nil
}

func bySeq(b *imposed, seq edgeban.Seq) int { return cmp.Compare(b.seq, seq) }
