package oracle

import (
	"reflect"
	"slices"
	"testing"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/filter"
	"github.com/edgeban/edgeban/internal/filter/compat"
	"github.com/edgeban/edgeban/internal/filter/scan"
)

// A gated scanner reads each chunk twice: all lines, and through a gate. What it finds
// is held to fail2ban, and must be the same in both ways.
type gated struct {
	plain, near *compat.Scanner
	gate        *scan.Gate
	search      scan.Search
}

func newGated(f *compat.Filter, o filter.Options) *gated {
	g := &gated{plain: f.Scanner(o), near: f.Scanner(o)}
	if needs := f.Needs(); needs != nil {
		g.gate = scan.New([][]scan.Need{needs}, nil)
	}
	return g
}

func (g *gated) scan(t testing.TB, c edgeban.Chunk) []edgeban.Match {
	t.Helper()
	all := slices.Collect(g.plain.Scan(c))
	if g.gate == nil {
		return all
	}
	g.search.Find(g.gate, c.Text)
	if some := slices.Collect(g.near.ScanHits(c, g.search.Hits(0))); !reflect.DeepEqual(some, all) {
		t.Errorf("%q: through a gate %+v, by every line %+v", c.Text, some, all)
	}
	return all
}
