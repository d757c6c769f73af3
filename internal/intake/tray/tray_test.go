package tray

import "testing"

// A tray that was given back still has a part of the next chunk's first line: another log
// must not write there before all of this one is found.
func TestTraysAreOfOneLogUntilItIsCleared(t *testing.T) {
	var all Trays
	one, other := Set{All: &all}, Set{All: &all}
	one.Next()
	first := one.Last
	if one.Next(); one.Last == first {
		t.Fatal("a tray that is in use is taken again")
	}
	one.Put(first)
	if other.Next(); other.Last == first {
		t.Fatal("another log takes a tray that was given back")
	}
	if one.Next(); one.Last != first {
		t.Error("a tray that was given back is not used again")
	}
	one.Put(first)
	one.Clear()
	if other.Next(); other.Last != first {
		t.Error("the trays of a log that is cleared are not used again")
	}
}
