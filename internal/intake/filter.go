package intake

import (
	"fmt"
	"iter"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/filter"
	"github.com/edgeban/edgeban/internal/filter/compat"
	"github.com/edgeban/edgeban/internal/filter/scan"
)

// A Scanner turns the chunks of one log into matches, in the order of its lines.
// It remembers what later lines refer to, and is not safe for concurrent use.
type Scanner interface {
	Scan(c edgeban.Chunk) iter.Seq[edgeban.Match]
	ScanHits(c edgeban.Chunk, h scan.Hits) iter.Seq[edgeban.Match] // the same, quicker
	Pass(c *edgeban.Chunk, lines int) bool                         // the same where nothing was hit; false where that is not enough
	Stats() filter.Stats
}

// A Filter is what a jail looks for, however that is written. It is safe for
// concurrent use.
type Filter struct {
	scanner func(filter.Options) Scanner
	needs   []scan.Need // nil if it has to see every line
}

// Open returns the filter of a jail: its rules in the way of fail2ban, or else
// the filter that it names. Every mistake of it is in the error.
func Open(j config.Jail) (*Filter, error) {
	if j.Rules != nil {
		f, err := compat.Compile(*j.Rules)
		if err != nil {
			return nil, fmt.Errorf("patterns: %w", err)
		}
		return &Filter{func(o filter.Options) Scanner { return f.Scanner(o) }, f.Needs()}, nil
	}
	f, err := filter.Load(j.Filter)
	if err != nil {
		return nil, err
	}
	return &Filter{func(o filter.Options) Scanner { return f.Scanner(o) }, f.Needs()}, nil
}

// Scanner returns a Scanner for one log.
func (f *Filter) Scanner(o filter.Options) Scanner { return f.scanner(o) }
