package known

import (
	"iter"
	"net/netip"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/sorted"
	"github.com/edgeban/edgeban/internal/store/sqlite/row"
)

// An Entry is what was said last of one subject at one target. Released ones are
// remembered too, to know a repetition.
type Entry struct {
	row.CompactHeld
	seq edgeban.Seq
}

// Entries are those of one target.
type Entries struct {
	*sorted.Table[Entry]
}

// NewEntries returns none.
func NewEntries() Entries {
	return Entries{sorted.NewTable(func(a, b *Entry) int { return a.Subject.Compare(b.Subject) })}
}

func find(all *sorted.View[Entry], subject netip.Prefix) *Entry {
	e := row.EntryOf(subject)
	return all.Find(func(h *Entry) int { return h.Subject.Compare(e) })
}

// Last returns what was said last of a subject, or nil.
func (es Entries) Last(subject netip.Prefix) *Entry { return find(&es.View, subject) }

// Note remembers what was said of an entry last.
func (es Entries) Note(seq edgeban.Seq, h edgeban.Held) {
	this := Entry{row.CompactHeldOf(h), seq}
	*es.Edit(this) = this
}

// Forget drops a released entry that was pruned, unless it was noted since.
func (es Entries) Forget(subject netip.Prefix, seq edgeban.Seq) {
	if e := es.Last(subject); e != nil && e.seq == seq {
		at := e.Subject
		es.Drop(func(h *Entry) int { return h.Subject.Compare(at) })
	}
}

// Holdings returns what is known now.
func (es Entries) Holdings(target string) edgeban.Holdings { return holdings{target, es.Freeze()} }

type holdings struct {
	target string
	all    *sorted.View[Entry]
}

// Len implements edgeban.Holdings.
func (hs holdings) Len() (n int) {
	for h := range hs.all.All() {
		if !h.Released() {
			n++
		}
	}
	return n
}

// All implements edgeban.Holdings.
func (hs holdings) All() iter.Seq[edgeban.Held] {
	return func(yield func(edgeban.Held) bool) {
		for h := range hs.all.All() {
			if !h.Released() && !yield(h.Held(hs.target)) {
				return
			}
		}
	}
}

// Of implements edgeban.Holdings.
func (hs holdings) Of(subject netip.Prefix) (edgeban.Held, bool) {
	h := find(hs.all, subject)
	if h == nil || h.Released() {
		return edgeban.Held{}, false
	}
	return h.Held(hs.target), true
}
