package way

import (
	"slices"
	"sync/atomic"
)

// Known are the ways that are known of an expression. They are safe for concurrent use.
type Known struct {
	ways   atomic.Pointer[[]*Way]
	missed atomic.Uint32 // texts that went none of them
}

const (
	Most  = 4    // ways that are known of an expression
	Often = 1024 // texts that go none of them, and then the way of the next takes the place of one
)

// All returns the ways.
func (k *Known) All() []*Way {
	if all := k.ways.Load(); all != nil {
		return *all
	}
	return nil
}

// Find returns the way that a text goes, nil if none is known, and finds its places.
func (k *Known) Find(text []byte, at *Places) *Way {
	for _, w := range k.All() {
		if w.Goes(text, at) {
			return w
		}
	}
	return nil
}

// Due takes in a text that goes no way that is known, and reports whether its own is to
// be added: that costs more than a search, and one of the others.
func (k *Known) Due() bool {
	n := k.missed.Add(1)
	return n <= Most || n%Often == 0
}

// Add adds a way.
func (k *Known) Add(w *Way) {
	all := slices.Clone(k.All())
	if len(all) < Most {
		all = append(all, w)
	} else {
		all[k.missed.Load()/Often%Most] = w
	}
	k.ways.Store(&all)
}
