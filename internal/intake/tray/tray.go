// Package tray keeps what chunks are sifted on, to be used again.
package tray

import (
	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/filter/scan"
	"github.com/edgeban/edgeban/internal/intake/spare"
	"github.com/edgeban/edgeban/internal/source/whole"
)

// A Tray is what a chunk is sifted on, and has room for what is found in it.
type Tray struct {
	Search scan.Search
	text   *whole.Buffer
	room   []edgeban.Match
}

// Room returns the room, which is for n matches at least.
func (t *Tray) Room(n int) []edgeban.Match {
	if cap(t.room) < n {
		t.room = make([]edgeban.Match, 0, n)
	}
	return t.room
}

// Trays are those of logs that were read. They are safe for concurrent use.
type Trays struct{ free spare.Stack[*Tray] }

// A Set is the trays of one log. When all was found on one, it is free for the next chunk
// of the log, and for no other log: the next chunk begins with a line of which it has a part.
type Set struct {
	All  *Trays
	Last *Tray // with the chunk that was read last
	free spare.Stack[*Tray]
}

func whatever(*Tray) bool { return true }

// Next takes a tray for the next chunk, and returns where its text goes.
func (s *Set) Next() *whole.Buffer {
	t, ok := s.free.Take(whatever)
	if !ok {
		t, ok = s.All.free.Take(whatever)
	}
	if !ok {
		t = &Tray{text: new(whole.Buffer)}
	}
	s.Last = t
	return t.text
}

// Put gives a tray back. It may be called while another chunk is read.
func (s *Set) Put(t *Tray) { s.free.Put(t) }

// Clear leaves the trays to other logs, when all was found in this one.
func (s *Set) Clear() {
	for t, ok := s.free.Take(whatever); ok; t, ok = s.free.Take(whatever) {
		s.All.free.Put(t)
	}
}
