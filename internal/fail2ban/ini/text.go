package ini

import (
	"fmt"
	"slices"
	"strings"
)

// A Place is a line of a file. Line 0 is the file as a whole.
type Place struct {
	File string
	Line int
}

// String returns file:line.
func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Compare orders places by file, then line.
func (p Place) Compare(q Place) int {
	if c := strings.Compare(p.File, q.File); c != 0 {
		return c
	}
	return p.Line - q.Line
}

// A Text is a value that knows where each of its lines stands, also after it was
// put together from others.
type Text struct {
	s  string
	at []Place // one for each line of s; nil where nobody knows
}

// NewText returns a text all of whose lines stand at p.
func NewText(s string, p Place) Text {
	return Text{s, slices.Repeat([]Place{p}, strings.Count(s, "\n")+1)}
}

// String returns the text itself.
func (t Text) String() string { return t.s }

// At returns where the i-th byte stands.
func (t Text) At(i int) Place {
	if t.at == nil {
		return Place{}
	}
	return t.at[strings.Count(t.s[:min(i, len(t.s))], "\n")]
}

// Place returns where the first line that is not blank stands, or the first.
func (t Text) Place() Place {
	return t.At(len(t.s) - len(strings.TrimLeftFunc(t.s, IsSpace)))
}

// Slice returns bytes i to j.
func (t Text) Slice(i, j int) Text {
	u := Text{s: t.s[i:j]}
	if t.at != nil {
		from := strings.Count(t.s[:i], "\n")
		u.at = t.at[from : from+strings.Count(u.s, "\n")+1]
	}
	return u
}

// Lines returns each line.
func (t Text) Lines() []Text {
	var lines []Text
	for part := range strings.SplitSeq(t.s, "\n") {
		u := Text{s: part}
		if t.at != nil {
			u.at = t.at[len(lines) : len(lines)+1]
		}
		lines = append(lines, u)
	}
	return lines
}

// Trim returns t without the spaces around it.
func (t Text) Trim() Text {
	s := t.String()
	from := len(s) - len(strings.TrimLeftFunc(s, IsSpace))
	return t.Slice(from, from+len(strings.TrimFunc(s, IsSpace)))
}

// Replace returns t with every old, which is not empty, replaced by new.
func (t Text) Replace(old string, new Text) Text {
	var b Builder
	c := cursor{rest: t}
	for {
		i := strings.Index(c.rest.s, old)
		if i < 0 {
			break
		}
		b.Add(c.take(i))
		b.Add(new)
		c.take(len(old))
	}
	b.Add(c.rest)
	return b.Text()
}

// A cursor goes through a text once, in time that grows with its length only.
type cursor struct{ rest Text }

// take returns the next n bytes.
func (c *cursor) take(n int) Text {
	head := Text{s: c.rest.s[:n]}
	c.rest.s = c.rest.s[n:]
	if c.rest.at != nil {
		lines := strings.Count(head.s, "\n")
		head.at, c.rest.at = c.rest.at[:lines+1], c.rest.at[lines:]
	}
	return head
}

// A Builder joins texts. A line made of several stands where the first of them
// that is not blank stands.
type Builder struct {
	s    strings.Builder
	at   []Place
	full bool // the last line is not blank
}

// Add appends t.
func (b *Builder) Add(t Text) {
	n := 0
	for line := range strings.SplitSeq(t.s, "\n") {
		if n > 0 {
			b.s.WriteByte('\n')
		}
		var at Place
		if t.at != nil {
			at = t.at[n]
		}
		if n > 0 || b.at == nil {
			b.at, b.full = append(b.at, at), false
		}
		if last := len(b.at) - 1; at.File != "" && (!b.full || b.at[last].File == "") {
			if full := strings.TrimLeftFunc(line, IsSpace) != ""; full || b.at[last].File == "" {
				b.at[last], b.full = at, full
			}
		}
		b.s.WriteString(line)
		n++
	}
}

// Len returns the bytes so far.
func (b *Builder) Len() int { return b.s.Len() }

// Text returns what was joined.
func (b *Builder) Text() Text { return Text{b.s.String(), b.at} }
