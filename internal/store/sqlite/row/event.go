package row

import (
	"net/netip"
	"slices"
	"time"

	"github.com/edgeban/edgeban"
)

// Latest returns the latest time that a fact says something happened at.
func Latest(f edgeban.Fact) time.Time {
	switch f := f.(type) {
	case edgeban.Match:
		return f.Time
	case edgeban.Ban:
		return f.Since
	case edgeban.Lift:
		return f.At
	case edgeban.Held:
		t := f.Sent
		for _, u := range []time.Time{f.Held, f.Released} {
			if u.After(t) {
				t = u
			}
		}
		return t
	}
	return time.Time{}
}

// Stays leaves out the notes that a later one of the same stay replaces.
func Stays(notes []edgeban.Held) []edgeban.Held {
	type entry struct {
		target  string
		subject netip.Prefix
	}
	newer := map[entry]bool{}
	var out []edgeban.Held
	for _, h := range slices.Backward(notes) {
		k := entry{h.Target, h.Subject}
		if !newer[k] || !h.Released.IsZero() {
			out = append(out, h)
		}
		newer[k] = true
	}
	slices.Reverse(out)
	return out
}
