package opnsensetest

import (
	"net/netip"
	"slices"
	"strings"
)

// A State is a connection that pf lets through without asking its rules.
type State struct {
	ID           string // "number/creator"
	Src, Dst     string // addresses
	NAT, Gateway string // addresses; may be empty
}

// SetStates replaces pf's state table.
func (f *Firewall) SetStates(states ...State) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.states = slices.Clone(states)
}

// States returns pf's state table.
func (f *Firewall) States() []State {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.states)
}

// killStates has the product's danger: the filter loses ":" and "/", and what
// is then no address any more is searched for as a piece of text.
func (f *Firewall) killStates(c *call) reply {
	filter, _ := c.text("filter")
	if c.method != "POST" || filter == "" {
		return ok(map[string]any{"result": "failed"})
	}
	words := strings.Fields(strings.NewReplacer(":", "", "/", "").Replace(filter))
	c.ran(0, "-vvs state")
	dropped := 0
	f.states = slices.DeleteFunc(f.states, func(s State) bool {
		for _, w := range words {
			if !s.matches(w) {
				return false
			}
		}
		dropped++
		c.ran(0, "-k id -k "+s.ID)
		return true
	})
	return ok(map[string]any{"result": "ok", "dropped_states": dropped})
}

func (s State) matches(word string) bool {
	fields := []string{s.Src, s.Dst, s.NAT, s.Gateway}
	if a, err := netip.ParseAddr(word); err == nil {
		return slices.Contains(fields, a.String())
	}
	return slices.ContainsFunc(fields, func(field string) bool { return strings.Contains(field, word) })
}

func (f *Firewall) delState(c *call) reply {
	if len(c.params) < 2 {
		return notFound()
	}
	id := c.params[0] + "/" + c.params[1]
	c.ran(0, "-k id -k "+id)
	before := len(f.states)
	f.states = slices.DeleteFunc(f.states, func(s State) bool { return s.ID == id })
	if len(f.states) == before {
		return ok(map[string]any{"result": "killed 0 states\n\n\n"})
	}
	return ok(map[string]any{"result": "killed 1 states\n\n\n"})
}
