package jail

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// Snapshots and pages are in the order of the bytes.
func TestKeysAreComparedByTheirBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 10_000 {
		var a key
		for i := range a {
			a[i] = byte(r.IntN(256))
		}
		b := a
		for range r.IntN(3) {
			b[r.IntN(len(b))] = byte(r.IntN(256))
		}
		if got, want := a.compare(&b), bytes.Compare(a[:], b[:]); got != want {
			t.Fatalf("%v and %v: got %d, want %d", a, b, got, want)
		}
	}
}
