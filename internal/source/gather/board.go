package gather

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/edgeban/edgeban/internal/source"
)

// A Board shows how far a source is. Its zero value is empty and ready.
type Board struct {
	mu  sync.Mutex
	all map[string]source.Status // by stream, or by what is in trouble
}

// Change changes what is shown under a key.
func (b *Board) Change(key string, change func(*source.Status)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all == nil {
		b.all = map[string]source.Status{}
	}
	s := b.all[key]
	change(&s)
	b.all[key] = s
}

// Remove shows a key no more.
func (b *Board) Remove(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.all, key)
}

// Clear shows nothing.
func (b *Board) Clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.all)
}

// Status returns what is shown, by origin.
func (b *Board) Status() []source.Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.SortedFunc(maps.Values(b.all), func(x, y source.Status) int {
		return cmp.Or(cmp.Compare(x.Origin, y.Origin), cmp.Compare(x.Stream, y.Stream))
	})
}
