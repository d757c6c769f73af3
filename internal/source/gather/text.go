// Package gather is what sources that are no files have in common: lines that are
// made one by one, sequences that are made by several goroutines, and what is told
// of both.
package gather

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"time"

	"github.com/edgeban/edgeban/internal/source"
)

// Enough is how many bytes of text are worth a chunk: what gathers them goes on
// until then as long as it need not wait.
const Enough = 64 << 10

// A Text is lines that are gathered for a chunk.
type Text struct {
	Bytes []byte
	Times []time.Time // one per line
}

// Add appends a line that is made of parts and was written at a time, zero if
// nobody knows. A line that is longer than source.MaxLine is left out whole, and
// false returned.
//
// What a client made a program write must never become a line of its own: a
// newline within is shown as \n, and those at the end are cut off.
func (t *Text) Add(at time.Time, parts ...[]byte) bool {
	from := len(t.Bytes)
	for _, p := range parts {
		if len(t.Bytes)-from+len(p) > source.MaxLine {
			t.Bytes = t.Bytes[:from]
			return false
		}
		t.Bytes = append(t.Bytes, p...)
	}
	t.Bytes = t.Bytes[:from+len(bytes.TrimRight(t.Bytes[from:], "\r\n\x00"))]
	if bytes.IndexByte(t.Bytes[from:], '\n') >= 0 {
		line := bytes.ReplaceAll(t.Bytes[from:], []byte("\n"), []byte(`\n`))
		if t.Bytes = t.Bytes[:from]; len(line) > source.MaxLine {
			return false
		}
		t.Bytes = append(t.Bytes, line...)
	}
	if len(t.Bytes) == from {
		return true // nothing was said
	}
	t.Bytes = append(t.Bytes, '\n')
	t.Times = append(t.Times, at)
	return true
}

// Lines returns how many there are.
func (t *Text) Lines() int { return len(t.Times) }

// Last drops the first lines of what is longer than so many bytes.
func (t *Text) Last(most int) {
	over := len(t.Bytes) - most
	if over <= 0 {
		return
	}
	cut := over + bytes.IndexByte(t.Bytes[over:], '\n') + 1
	lines := bytes.Count(t.Bytes[:cut], []byte("\n"))
	t.Bytes = t.Bytes[:copy(t.Bytes, t.Bytes[cut:])]
	t.Times = t.Times[:copy(t.Times, t.Times[lines:])]
}

// Reset makes t empty, and keeps its room.
func (t *Text) Reset() { t.Bytes, t.Times = t.Bytes[:0], t.Times[:0] }

// Generation draws a name that no stream had before.
func Generation() string {
	var b [8]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b[:])
}
