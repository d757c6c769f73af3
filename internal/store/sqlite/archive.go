package sqlite

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/store/sqlite/page"
	"github.com/edgeban/edgeban/internal/store/sqlite/row"
)

// About implements edgeban.Archive. Of what a target holds it returns the last
// that is known, and every stay before that has ended.
func (s *Store) About(ctx context.Context, p netip.Prefix, limit int) (edgeban.Record, error) {
	if p = p.Masked(); !p.IsValid() {
		return edgeban.Record{}, errors.New("about: it needs an address or a network")
	}
	s.mu.Lock()
	saved, last := s.saved, s.all.All()
	s.mu.Unlock()

	events, err := s.archived(ctx, p, saved, limit)
	if err != nil {
		return edgeban.Record{}, fmt.Errorf("about %s: %w", p, err)
	}
	for _, e := range last { // what the disk has not taken yet
		if e.Seq > saved && row.Concerns(e.Fact, p) {
			events = append(events, e)
		}
	}
	var r edgeban.Record
	for _, e := range events {
		switch f := e.Fact.(type) {
		case edgeban.Match:
			r.Matches = append(r.Matches, f)
		case edgeban.Ban:
			r.Bans = append(r.Bans, f)
		case edgeban.Lift:
			r.Lifts = append(r.Lifts, f)
		case edgeban.Held:
			r.Held = append(r.Held, f)
		}
	}
	r.Matches = r.Matches[max(0, len(r.Matches)-max(0, limit)):]
	r.Held = row.Stays(r.Held)
	return r, nil
}

// archived returns what the disk knows of p, each kind oldest first.
func (s *Store) archived(ctx context.Context, p netip.Prefix, saved edgeban.Seq, limit int) ([]edgeban.Event, error) {
	overlaps, args := row.Overlap(p)
	args = append(args, saved)
	where := ` where ` + overlaps + ` and seq <= ? order by seq`
	matches, err := s.packedAbout(ctx, p, saved, limit)
	if err != nil {
		return nil, err
	}
	if len(matches) < limit {
		older, err := row.List(ctx, s.file.Readers, row.Match, `select `+row.MatchColumns+` from match`+where+` desc limit ?`, append(slices.Clone(args), limit-len(matches))...)
		if err != nil {
			return nil, err
		}
		matches = append(matches, older...)
	}
	slices.Reverse(matches)
	bans, err := row.List(ctx, s.file.Readers, row.Ban, `select `+row.BanColumns+` from ban`+where, args...)
	if err != nil {
		return nil, err
	}
	lifts, err := row.List(ctx, s.file.Readers, row.Lift, `select `+row.LiftColumns+` from lift`+where, args...)
	if err != nil {
		return nil, err
	}
	held, err := row.List(ctx, s.file.Readers, row.Held, `select `+row.HeldColumns+` from held`+where, args...)
	if err != nil {
		return nil, err
	}
	return slices.Concat(matches, bans, lifts, held), nil
}

// packedAbout returns the last matches about p that are in pages, the last first.
func (s *Store) packedAbout(ctx context.Context, p netip.Prefix, saved edgeban.Seq, limit int) (found []edgeban.Event, err error) {
	if limit <= 0 {
		return nil, nil
	}
	err = page.About(ctx, s.file.Readers, p, func(events []edgeban.Event) bool {
		for _, e := range slices.Backward(events) {
			if e.Seq <= saved && len(found) < limit {
				found = append(found, e)
			}
		}
		return len(found) < limit
	})
	return found, err
}
