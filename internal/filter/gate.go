package filter

import "bytes"

// A gate goes through a text from one line to the next that holds a literal.
// Each literal is searched for in the whole text at once: a line without any is
// never cut out.
type gate struct {
	text []byte
	lits [][]byte
	next []int // where each literal is found next; len(text) for nowhere
	all  bool  // every line passes
}

func (g *gate) reset(text []byte, lits [][]byte, all bool) {
	g.text, g.lits, g.all = text, lits, all
	g.next = g.next[:0]
	for _, lit := range lits {
		g.next = append(g.next, find(text, lit, 0))
	}
}

func find(text []byte, lit []byte, from int) int {
	if n := bytes.Index(text[from:], lit); n >= 0 {
		return from + n
	}
	return len(text)
}

// line returns the next line at or after from that passes, without its newline,
// and which literals it holds.
func (g *gate) line(from int) (start, end int, mask uint64, ok bool) {
	hit := len(g.text)
	for i, at := range g.next {
		if at < from {
			at = find(g.text, g.lits[i], from)
			g.next[i] = at
		}
		hit = min(hit, at)
	}
	if g.all {
		hit = from
	}
	if hit >= len(g.text) {
		return 0, 0, 0, false
	}
	start = from + bytes.LastIndexByte(g.text[from:hit], '\n') + 1
	end = len(g.text)
	if n := bytes.IndexByte(g.text[hit:], '\n'); n >= 0 {
		end = hit + n
	}
	for i, at := range g.next {
		if at < end {
			mask |= 1 << i
		}
	}
	return start, end, mask, true
}
