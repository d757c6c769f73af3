package syntax

// An Edge is what may stand at one end of a group's text.
type Edge struct {
	Word  bool // a letter or digit of ASCII, or _
	Other bool // any other character
	None  bool // nothing: the match, or for an inner edge the text, may end here
}

// Edges are what may stand around a group's text in a match, and at its ends within.
type Edges struct {
	Before, First, Last, After Edge
	Anchored                   bool // every match begins at the start of the text
}

// Around returns the edges of a group of an expression, as Parse numbers them. It
// tells more than can be, never less. The error is an *Error.
func Around(expr string, f Flags, group int) (Edges, error) {
	t, _, err := Parse(expr, f)
	if err != nil {
		return Edges{}, err
	}
	anything := edge(Anything)
	e := Edges{anything, anything, anything, anything, t.Begins(TextBegin)}
	g := t.Find(group)
	if g == nil {
		return e, nil
	}
	end := First{End: true}
	m := t.Mirror()
	if f, ok := t.After(group, end); ok {
		e.After = edge(f)
	}
	if f, ok := m.After(group, end); ok {
		e.Before = edge(f)
	}
	e.First, e.Last = edge(g.First(end)), edge(g.Mirror().First(end))
	return e, nil
}

func edge(f First) Edge {
	e := Edge{None: f.End}
	for b := range 256 {
		c := byte(b)
		switch {
		case !f.Has(c):
		case 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '_':
			e.Word = true
		default:
			e.Other = true
		}
	}
	return e
}
