package syntax

import "slices"

// After returns what can follow the text of a group, where next follows t. It
// reports false if t has no such group.
func (t *Node) After(group int, next First) (First, bool) {
	switch t.Kind {
	case Cat:
		for i := len(t.Subs) - 1; i >= 0; i-- {
			if f, ok := t.Subs[i].After(group, next); ok {
				return f, true
			}
			next = t.Subs[i].First(next)
		}
		return First{}, false
	case Group:
		if t.Group == group {
			return next, true
		}
	case Repeat:
		next = t.Subs[0].First(next).Or(next)
	case Look:
		next = Anything
	}
	for _, s := range t.Subs {
		if f, ok := s.After(group, next); ok {
			return f, true
		}
	}
	return First{}, false
}

// Mirror returns what matches the texts of t backwards, as far as single bytes can
// tell: what it begins with is what t ends with. What only looks is left out.
func (t *Node) Mirror() *Node {
	m := *t
	m.Subs = nil
	for _, s := range t.Subs {
		m.Subs = append(m.Subs, s.Mirror())
	}
	switch t.Kind {
	case Cat:
		slices.Reverse(m.Subs)
	case Lit:
		b := []byte(t.Lit)
		slices.Reverse(b)
		m.Lit = string(b)
	case Assert, Look:
		return &Node{Kind: Empty}
	}
	return &m
}

// Find returns the group's node, nil if there is none.
func (t *Node) Find(group int) (found *Node) {
	t.Any(func(s *Node) bool {
		if s.Kind == Group && s.Group == group {
			found = s
		}
		return found != nil
	})
	return found
}
