package intake

import (
	"fmt"
	"sync"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/filter/scan"
	"github.com/edgeban/edgeban/internal/never"
)

// A panel is the jails that read one log. What their filters need is searched for
// once, for all of them.
type panel struct {
	watchers []*Watcher
	gate     sampled

	// What was gone through with this gate, to know whether it suits the log.
	lines, vain int
	changes     int
	lent        bool // the gate was made for another log
	dense       bool // it is one that does as badly in any
}

// A sampled gate is one that was made with so many bytes of a log.
type sampled struct {
	*scan.Gate
	bytes int
}

// Gates are those of the panels of one goroutine. Panels of the same jails share one.
type gates struct {
	search scan.Search
	known  map[string]sampled
	lender *lender // of the same jails, in other goroutines; may be nil
}

// A gate is made anew where the one in use looks in vain too often at each line, but
// not before so many lines, and not again and again. A dense one costs as much as
// about ten such looks.
const (
	fairLook   = 2000 // lines
	fairVain   = 8
	fairSample = 16 << 10
	fairTries  = 2
)

// prepare chooses the gate for a text.
func (g *gates) prepare(p *panel, text []byte) {
	switch {
	case p.gate.Gate == nil, p.gate.bytes < fairSample && len(text) >= fairSample:
		if g.lender != nil {
			g.lender.lend(p, text)
			break
		}
		g.open(p, text)
	case p.lines < fairLook:
		return
	case !g.lender.suits(p): // a log of another kind
		p.gate, p.lent = sampled{p.build(text), len(text)}, false
	case p.vain <= fairVain*p.lines:
		return
	case p.changes < fairTries:
		p.gate, p.lent = sampled{p.build(text), len(text)}, false
		p.changes++
	default:
		p.gate.Gate, p.dense = p.gate.Dense(), true
	}
	p.lines, p.vain = 0, 0
}

// A lender has the gate of a log that is or was read for the same jails: to make one takes
// as long as to read some megabytes. It is safe for concurrent use; nil lends nothing.
type lender struct {
	mu    sync.Mutex
	gate  sampled
	usual float64 // looks in vain at a line of the log that it was made for; 0 if that is not known
}

// lend gives a panel that gate. If there is none that was made with a fair sample it makes
// one with the text, and whoever comes meanwhile waits: that takes no longer than to make
// another.
func (l *lender) lend(p *panel, text []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p.lent = l.gate.Gate != nil && (l.gate.bytes >= fairSample || len(text) < fairSample)
	if !p.lent {
		l.gate, l.usual = sampled{p.build(text), len(text)}, 0
	}
	p.gate = l.gate
}

// suits reports whether a panel's gate does as well as in the log that it was made for, or
// takes in how it does in that.
func (l *lender) suits(p *panel) bool {
	if l == nil {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case p.gate.Gate != l.gate.Gate:
		return true
	case !p.lent:
		l.usual = p.rate()
	}
	const slack = 0.01 // looks at a line that nobody notices
	return l.usual == 0 || float64(p.vain) <= (2*l.usual+slack)*float64(p.lines)
}

// take notes the gate that was made for a log, when that was read.
func (l *lender) take(p *panel) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.gate.Gate == nil || p.lent || p.dense {
		return
	}
	if min(p.gate.bytes, fairSample) >= min(l.gate.bytes, fairSample) {
		l.gate, l.usual = p.gate, p.rate()
	}
}

// rate returns how often the gate looks in vain at a line; never 0.
func (p *panel) rate() float64 { return float64(p.vain+1) / float64(p.lines+1) }

// look notes how the gate did. What was long ago counts less.
func (p *panel) look(lines, vain int) {
	if p.lines += lines; p.lines > 100*fairLook {
		p.lines, p.vain = p.lines/2, p.vain/2
	}
	p.vain += vain
}

// open gives a panel the gate of others with the same jails, unless this text is the
// first fair sample.
func (g *gates) open(p *panel, text []byte) {
	jails := ""
	for _, w := range p.watchers {
		jails += fmt.Sprintf("%p ", w)
	}
	if known, ok := g.known[jails]; ok && (known.bytes >= fairSample || len(text) < fairSample) {
		p.gate = known
		return
	}
	if g.known == nil {
		g.known = map[string]sampled{}
	}
	p.gate = sampled{p.build(text), len(text)}
	g.known[jails] = p.gate
}

// build makes a gate for the jails.
func (p *panel) build(sample []byte) *scan.Gate {
	var needs [][]scan.Need
	for _, w := range p.watchers {
		needs = append(needs, w.filter.needs)
	}
	return scan.New(needs, sample)
}

// scan returns what each jail of the panel finds in a chunk, in memory of its own.
func (g *gates) scan(p *panel, c edgeban.Chunk, list *never.List) findings {
	g.sift(p, c.Text, &g.search)
	return p.scan(c, &g.search, list, nil)
}

// sift searches a text for what the jails' filters need.
func (g *gates) sift(p *panel, text []byte, s *scan.Search) {
	g.prepare(p, text)
	s.Find(p.gate.Gate, text)
	p.look(s.Lines(), s.Vain())
}

// scan returns what each jail finds in a chunk that was sifted. It is in room as far as
// that goes, one after the other, or if room is nil in memory of its own.
func (p *panel) scan(c edgeban.Chunk, s *scan.Search, list *never.List, room []edgeban.Match) findings {
	var all findings
	for i, w := range p.watchers {
		h := s.Hits(i)
		if len(h.List) == 0 && w.idle(&c, h.Lines) {
			continue
		}
		ms := w.scan(c, &h, list, room)
		if n := len(ms); n <= cap(room) {
			ms, room = ms[:n:n], room[n:cap(room)]
		}
		if len(ms) > 0 && all == nil {
			all = make(findings, len(p.watchers))
		}
		if all != nil {
			all[i] = ms
		}
	}
	return all
}

// idle takes in a chunk of so many lines of which the jail's patterns match none, and
// reports whether that is enough: that a jail finds nothing is to cost next to nothing.
func (w *Watcher) idle(c *edgeban.Chunk, lines int) bool {
	if w.filter.needs == nil || w.mail || c.Stamped || c.End {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.scanner(*c)
	before := s.Stats()
	if !s.Pass(c, lines) {
		return false
	}
	w.scanned(before, s.Stats(), c.Read)
	return true
}

// Findings are what the jails of a panel have found in a chunk, in their order; nil if
// none has found anything.
type findings [][]edgeban.Match

func (f findings) len() (n int) {
	for _, ms := range f {
		n += len(ms)
	}
	return n
}

// one returns them as one list.
func (f findings) one() []edgeban.Match {
	switch n := f.len(); n {
	case 0:
		return nil
	default:
		all := make([]edgeban.Match, 0, n)
		for _, ms := range f {
			if len(ms) == n {
				return ms
			}
			all = append(all, ms...)
		}
		return all
	}
}
