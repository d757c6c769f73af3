// Package date reads the stamps of log lines: hand-written scanners for the
// forms that logs use, with no regular expression and no allocation.
//
// It never asks the clock and never guesses: a word that is no zone is left
// alone, and a day that the calendar does not have is no date.
package date

import (
	"bytes"
	"time"
)

// A Stamp is a time that a line carries, and where its text lies in the line.
type Stamp struct {
	Time       time.Time
	Start, End int
	Zoned      bool // the text names its zone
}

// Forms is a set of ways to write a stamp.
type Forms uint8

// The forms.
const (
	Syslog Forms = 1 << iota // Nov 22 11:29:49, also with weekday, year and fraction
	ISO                      // 2026-11-22T11:29:49.968820+00:00, 2026/11/22 11:29:49
	CLF                      // 22/Nov/2026:11:29:49 +0000
	Epoch                    // 1795346989.123, at the start, in brackets, or in audit()
	JSON                     // the value of "time", "StartUTC", "timestamp" or "@timestamp" of an object

	All = Syslog | ISO | CLF | Epoch | JSON
)

// At reads a stamp at the start of line, after a bracket at most. A stamp
// without a year is taken to be of ref's year, or of the one before if it would
// lie more than 24 h after ref. A stamp without a zone is one of loc.
func (f Forms) At(line []byte, ref time.Time, loc *time.Location) (Stamp, bool) {
	from := 0
	if len(line) > 0 && line[0] == '[' {
		from = 1
	}
	s, ok := f.at(line, from, ref, loc)
	if !ok || s.Start > 0 && (s.End == len(line) || line[s.End] != ']') {
		return Stamp{}, false
	}
	return s, true
}

// Find reads the stamp at the start of line, else that of a JSON object, else
// the first in the line. Epochs are found only where they cannot be another
// number.
func (f Forms) Find(line []byte, ref time.Time, loc *time.Location) (Stamp, bool) {
	if s, ok := f.At(line, ref, loc); ok {
		return s, true
	}
	if len(line) > 0 && line[0] == '{' {
		return f.object(line, ref, loc)
	}
	for i := 1; i < len(line); i++ {
		if word(line[i-1]) || !word(line[i]) {
			continue
		}
		if s, ok := (f &^ Epoch).at(line, i, ref, loc); ok {
			return s, true
		}
		if s, ok := f.audit(line, i); ok {
			return s, true
		}
	}
	return Stamp{}, false
}

// at reads a stamp that begins at i.
func (f Forms) at(line []byte, i int, ref time.Time, loc *time.Location) (Stamp, bool) {
	if i >= len(line) {
		return Stamp{}, false
	}
	c := cursor{b: line, i: i, loc: loc}
	switch {
	case !digit(line[i]):
		if f&Syslog == 0 || !c.syslog(ref) {
			return Stamp{}, false
		}
	case f&CLF != 0 && i+2 < len(line) && line[i+2] == '/':
		if !c.clf() {
			return Stamp{}, false
		}
	case i+4 < len(line) && (line[i+4] == '-' || line[i+4] == '/'):
		if f&ISO == 0 || !c.iso() {
			return Stamp{}, false
		}
	default:
		if f&Epoch == 0 || !c.epoch() {
			return Stamp{}, false
		}
	}
	return Stamp{Time: c.t, Start: i, End: c.i, Zoned: c.zoned}, true
}

// audit reads the epoch of audit(1795346989.123:45) that begins at i.
func (f Forms) audit(line []byte, i int) (Stamp, bool) {
	const open = "audit("
	if f&Epoch == 0 || !bytes.HasPrefix(line[i:], []byte(open)) {
		return Stamp{}, false
	}
	c := cursor{b: line, i: i + len(open), loc: time.UTC}
	if !c.epoch() || c.i == len(line) || line[c.i] != ':' {
		return Stamp{}, false
	}
	return Stamp{Time: c.t, Start: i + len(open), End: c.i, Zoned: true}, true
}

// object reads the stamp of a JSON object. A quote inside a JSON string has a
// backslash before it, so a name that stands right before a bare quote is a
// name: what a client wrote cannot pass for one.
func (f Forms) object(line []byte, ref time.Time, loc *time.Location) (Stamp, bool) {
	if f&JSON == 0 {
		return Stamp{}, false
	}
	for _, name := range [...]string{`"time":"`, `"StartUTC":"`, `"timestamp":"`, `"@timestamp":"`} {
		at := bytes.Index(line, []byte(name))
		if at < 0 {
			continue
		}
		s, ok := (Syslog | ISO | CLF).at(line, at+len(name), ref, loc)
		if ok && s.End < len(line) && line[s.End] == '"' {
			return s, true
		}
	}
	return Stamp{}, false
}

func digit(b byte) bool { return '0' <= b && b <= '9' }

func letter(b byte) bool { return 'a' <= b|0x20 && b|0x20 <= 'z' }

func word(b byte) bool { return digit(b) || letter(b) || b == '_' || b >= 0x80 }
