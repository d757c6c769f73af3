package sqlite

import (
	"cmp"
	"context"
	"slices"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/sorted"
	"github.com/edgeban/edgeban/internal/store/sqlite/known"
	"github.com/edgeban/edgeban/internal/store/sqlite/page"
	"github.com/edgeban/edgeban/internal/store/sqlite/row"
)

const (
	evidence = 20   // how many matches are kept for each ban
	together = 4000 // for how many bans they are looked up at once
)

// claims returns what bans were decided by that nobody has written down yet.
// The bans are those at some places; of one that was pruned there is a claim to nothing.
func claims(from *sorted.View[row.CompactBan], bans []known.Place) (*page.Claims, []*page.Claim) {
	all := page.NewClaims(evidence)
	each := make([]*page.Claim, len(bans))
	for i, p := range bans {
		b := from.Find(p.Order)
		if b == nil { // pruned
			each[i] = new(page.Claim)
			continue
		}
		until := b.Seq
		if b.Cause != 0 {
			until = min(until, b.Cause)
		}
		each[i] = all.Add(edgeban.Key{Jail: b.Jail(), Subject: b.Subject.Prefix()}, until)
	}
	return all, each
}

// pin writes down what bans were decided by, so that it is kept for as long as
// they are. Until Prune comes nothing goes, so nothing is written while a ban is
// imposed. The claims of some bans are looked up together: for those of a flood
// all at once would take much memory.
func (p pruning) pin(ctx context.Context) error {
	s := p.s
	s.mu.Lock()
	bare, saved, from := s.bare, s.saved, s.bans.Freeze()
	s.mu.Unlock()
	n, _ := slices.BinarySearchFunc(bare, saved+1, func(p known.Place, seq edgeban.Seq) int { return cmp.Compare(p.Seq, seq) })
	for these := range slices.Chunk(bare[:n], together) {
		all, each := claims(from, these)
		if err := page.Lookup(ctx, s.file.Readers, all.In, all.Take); err != nil {
			return err
		}
		const some = pruneRows / evidence
		for i := 0; i < len(these); i += some {
			to := min(len(these), i+some)
			if err := s.alone(ctx, func(ctx context.Context) error { return s.pinSome(ctx, these[i:to], each[i:to]) }); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) pinSome(ctx context.Context, bans []known.Place, each []*page.Claim) error {
	through := bans[len(bans)-1].Seq
	err := s.file.Transact(ctx, func() error {
		for i, b := range bans {
			for _, seq := range each[i].Found {
				if _, err := s.file.Exec(ctx, `insert or ignore into evidence (ban, match) select seq, ? from ban where seq = ?`, seq, b.Seq); err != nil {
					return err
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
	s.pinned = through
	if s.bare = s.bare[len(bans):]; len(s.bare) == 0 {
		s.bare = nil // the collector may have the rest
	}
	return nil
}
