package intake

import (
	"fmt"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/filter/scan"
	"github.com/edgeban/edgeban/internal/never"
)

// A panel is the jails that read one log. What their filters need is searched for
// once, for all of them.
type panel struct {
	watchers []*Watcher
	gate     *scan.Gate
	sampled  int // bytes that the gate was made with

	// What was gone through with this gate, to know whether it suits the log.
	lines, vain int
	changes     int
}

// Gates are those of the panels that read logs with the same jails: the first of them
// makes it. They are for one goroutine, as are its panels.
type gates struct {
	search scan.Search
	known  map[string]*scan.Gate
}

func (p *panel) needs() [][]scan.Need {
	var all [][]scan.Need
	for _, w := range p.watchers {
		all = append(all, w.filter.needs)
	}
	return all
}

// A gate is made anew where the one in use looks in vain at half of the lines, but
// not before so many, and not again and again.
const (
	fairLook   = 2000 // lines
	fairSample = 16 << 10
	fairTries  = 2
)

// prepare chooses the gate for a text.
func (g *gates) prepare(p *panel, text []byte) {
	key := ""
	for _, w := range p.watchers {
		key += fmt.Sprintf("%p ", w)
	}
	switch {
	case p.gate == nil && g.known[key] != nil:
		p.gate, p.sampled = g.known[key], fairSample
	case p.gate == nil, p.sampled < fairSample && len(text) >= fairSample:
		p.gate, p.sampled = scan.New(p.needs(), text), len(text)
		if g.known == nil {
			g.known = map[string]*scan.Gate{}
		}
		g.known[key] = p.gate
	case p.lines < fairLook || p.vain <= p.lines/2:
		return
	case p.changes < fairTries:
		p.gate = scan.New(p.needs(), text)
		p.changes++
	default:
		p.gate = p.gate.Dense()
	}
	p.lines, p.vain = 0, 0
}

// scan returns what all jails of the panel find in a chunk, one after the other.
func (g *gates) scan(p *panel, c edgeban.Chunk, list *never.List) []edgeban.Match {
	g.prepare(p, c.Text)
	g.search.Find(p.gate, c.Text)
	var all []edgeban.Match
	for i, w := range p.watchers {
		h := g.search.Hits(i)
		if i == 0 {
			p.lines, p.vain = p.lines+h.Lines, p.vain+g.search.Vain()
		}
		all = append(all, w.scan(c, &h, list)...)
	}
	return all
}
