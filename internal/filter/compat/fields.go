package compat

import (
	"cmp"
	"slices"
	"strings"

	"github.com/edgeban/edgeban/internal/filter/pyre"
)

// The slots of the groups that mean something. Those of others follow.
const (
	slotID = iota
	slotIP4
	slotIP6
	slotDNS
	slotSession
	slotUser
	slotNoFail
	slotGained
	slotForget
)

var known = []string{"fid", "ip4", "ip6", "dns", "mlfid", "user", "nofail", "mlfgained", "mlfforget"}

// Fields are what the groups of a line took, by slot; nil for what took no part.
type fields [][]byte

// reset empties f and gives it room for n slots.
func (f *fields) reset(n int) {
	*f = slices.Grow((*f)[:0], n)[:n]
	clear(*f)
}

// A take is how a slot is filled: by a group, and if that took nothing by the
// first of the others that did.
type take struct {
	slot   int
	group  int // -1 for none
	others []int
}

// A tuple makes one value of several groups.
type tuple struct {
	take  take
	parts []int
}

// bind finds out which slots the groups of the expression fill. New names get
// new slots.
func (r *rule) bind(names *[]string) {
	slot := func(name string) int {
		if at := slices.Index(*names, name); at >= 0 {
			return at
		}
		*names = append(*names, name)
		return len(*names) - 1
	}
	taking := func(name string) *take {
		s := slot(name)
		at := slices.IndexFunc(r.takes, func(t take) bool { return t.slot == s })
		if at < 0 {
			at = len(r.takes)
			r.takes = append(r.takes, take{slot: s, group: r.re.Group(name)})
		}
		return &r.takes[at]
	}
	r.content = r.re.Group("content")
	groups := slices.DeleteFunc(slices.Clone(r.re.Groups()), func(g string) bool { return g == "" })
	slices.SortFunc(groups, cmp.Compare)
	for _, g := range groups {
		if g != "content" {
			taking(g)
		}
		if alt, ok := strings.CutPrefix(g, "alt_"); ok && alt != "" {
			t := taking(groupOf(base(alt)))
			t.others = append(t.others, r.re.Group(g))
		}
		if strings.HasPrefix(g, "skiplines") {
			r.skips = append(r.skips, r.re.Group(g))
		}
	}
	r.bindTuples(groups, taking)
}

func (r *rule) bindTuples(groups []string, taking func(name string) *take) {
	for _, g := range groups {
		name, ok := strings.CutPrefix(g, "tuple_")
		if !ok || name == "" {
			continue
		}
		t := *taking(groupOf(base(name)))
		at := slices.IndexFunc(r.tuples, func(u tuple) bool { return u.take.slot == t.slot })
		if at < 0 {
			at = len(r.tuples)
			r.tuples = append(r.tuples, tuple{take: t})
		}
		r.tuples[at].parts = append(r.tuples[at].parts, r.re.Group(g))
	}
}

// base leaves out the number that tells alternatives apart: user of user_1, but
// user1 is another name.
func base(name string) string {
	if at := strings.LastIndexByte(name, '_'); at >= 0 && at < len(name)-1 && strings.Trim(name[at+1:], "0123456789") == "" {
		return name[:at]
	}
	return name
}

// read puts what the groups of the last match took over what f has.
func (r *rule) read(m *pyre.Matcher, text []byte, f fields) {
	for i := range r.takes {
		if v := r.takes[i].value(m, text); v != nil {
			f[r.takes[i].slot] = v
		}
	}
	for i := range r.tuples {
		t := &r.tuples[i]
		v := quoted([]byte("("), t.take.value(m, text))
		for _, g := range t.parts {
			v = quoted(append(v, ", "...), group(m, text, g))
		}
		f[t.take.slot] = append(v, ')')
	}
}

// quoted appends a value in the way that Python shows the parts of a tuple.
func quoted(b, v []byte) []byte {
	if v == nil {
		return append(b, "None"...)
	}
	return append(append(append(b, '\''), v...), '\'')
}

func (t *take) value(m *pyre.Matcher, text []byte) []byte {
	v := group(m, text, t.group)
	for _, g := range t.others {
		if len(v) > 0 {
			break
		}
		if other := group(m, text, g); len(other) > 0 {
			v = other
		}
	}
	return v
}

// group returns what a group took, nil if it took no part.
func group(m *pyre.Matcher, text []byte, g int) []byte {
	if g < 0 {
		return nil
	}
	start, end := m.Span(g)
	if start < 0 {
		return nil
	}
	return text[start:end:end]
}
