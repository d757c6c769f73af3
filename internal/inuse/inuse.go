// Package inuse lets what is made of the same be the same, as long as somebody uses it.
package inuse

import (
	"runtime"
	"sync"
	"weak"
)

// A Pool has what is in use, by what it was made of. Its zero value is ready; it is safe
// for concurrent use.
type Pool[K comparable, V any] struct{ known sync.Map }

// Get returns what was made of a key and is still in use, or else makes it. Errors are
// those of making it.
func (p *Pool[K, V]) Get(key K, make func() (*V, error)) (*V, error) {
	if known, ok := p.known.Load(key); ok {
		if v := known.(weak.Pointer[V]).Value(); v != nil {
			return v, nil
		}
	}
	v, err := make()
	if err != nil {
		return nil, err
	}
	w := weak.Make(v)
	p.known.Store(key, w)
	runtime.AddCleanup(v, func(key K) { p.known.CompareAndDelete(key, w) }, key)
	return v, nil
}
