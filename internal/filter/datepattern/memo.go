package datepattern

import (
	"strings"
	"time"
	"unicode/utf8"
)

// A memo is the minute that the last stamp was in. The next line nearly always has
// the same, and is then not searched again.
//
// It knows two of the usual templates, where a look at the bytes after the stamp
// tells that the match ends with it.
type memo struct {
	*minute // nil for none

	// The beginning of the last line: one with the same has the same stamp.
	same  []byte // the stamp, and what had to follow it
	stamp Stamp
}

// A minute is what stamps of one are to a template. It tells detectors of other jails as much: it
// depends on nothing else.
type minute struct {
	text  string // the stamp up to its seconds
	tail  string // what follows the seconds, and the fraction, of a stamp of ISO
	from  time.Time
	zoned bool

	ref  time.Time
	zone *time.Location // of stamps that name none
}

// A shape is how a template's stamps are told by their bytes.
type shape uint8

const (
	anyShape    shape = iota
	syslogShape       // Nov 22 11:29:49
	isoShape          // 2026-11-22T11:29:49.123456+01:00
)

func shapeOf(pattern string) shape {
	switch pattern {
	case lineStart + syslog:
		return syslogShape
	case lineStart + forms[0].pattern:
		return isoShape
	}
	return anyShape
}

// minute is how many bytes of a stamp come before its seconds.
func (s shape) minute() int {
	if s == syslogShape {
		return len("Nov 22 11:29:")
	}
	return len("2026-11-22T11:29:")
}

// end returns where a stamp at the start of the line ends, whose seconds begin at
// sec, if a match must end there, too. The zone begins at the second result.
func (s shape) end(line []byte, sec int) (end, zone int, ok bool) {
	if sec+3 >= len(line) || line[sec] < '0' || line[sec] > '5' || !digit(line[sec+1]) {
		return 0, 0, false
	}
	i := sec + 2
	if s == syslogShape { // a year may follow
		return i, i, line[i] == ' ' && !digit(line[i+1])
	}
	if line[i] == '.' || line[i] == ',' {
		n := i + 1
		for n < len(line) && digit(line[n]) {
			n++
		}
		if n == i+1 || n > i+7 {
			return 0, 0, false
		}
		i = n
	}
	zone = i
	switch {
	case i < len(line) && line[i] == 'Z':
		i++
	case i+6 <= len(line) && (line[i] == '+' || line[i] == '-') && line[i+3] == ':':
		i += 6
	}
	if i+1 >= len(line) || line[i] != ' ' {
		return 0, 0, false
	}
	next := line[i+1] // else a zone may follow, behind any white space
	return i, zone, i > zone || ' ' < next && next < utf8.RuneSelf && !strings.ContainsRune("ZUGzug+-", rune(next))
}

func digit(b byte) bool { return '0' <= b && b <= '9' }

// find writes the stamp of a line if that is of the minute, and returns how a line begins
// that has the same, or else nil.
func (m *minute) find(found *Stamp, s shape, line []byte, ref time.Time) []byte {
	sec := len(m.text)
	if len(line) < sec || string(line[:sec]) != m.text || m.ref != ref {
		return nil
	}
	end, tail, ok := s.end(line, sec)
	if !ok || string(line[tail:end]) != m.tail {
		return nil
	}
	n := time.Duration(line[sec]-'0')*10 + time.Duration(line[sec+1]-'0')
	found.Time, found.Start, found.End, found.Zoned = m.from.Add(n*time.Second), 0, end, m.zoned
	return line[:end+2] // end has looked no further
}

// again reports whether the line has the stamp of the last one, found by find.
func (m *memo) again(line []byte, ref time.Time) bool {
	n := len(m.same)
	if n == 0 || m.ref != ref {
		return false
	}
	return len(line) >= n && string(line[:n]) == string(m.same)
}

// minuteOf returns the minute of a stamp that a search has found, and what it says; nil if
// others cannot be told by it.
func minuteOf(s shape, line []byte, found Stamp, w wall, ref time.Time, zone *time.Location) *minute {
	sec := s.minute()
	if s == anyShape || found.Start > 0 || sec+2 > len(line) {
		return nil
	}
	end, tail, ok := s.end(line, sec)
	if !ok || end != found.End || int(line[sec]-'0')*10+int(line[sec+1]-'0') != w.sec {
		return nil
	}
	// The year is guessed, and an hour may come twice: all seconds of the minute
	// must agree on it.
	first, last := w, w
	first.sec, last.sec = 0, 59
	from, ok := first.time(ref, zone)
	to, good := last.time(ref, zone)
	if !ok || !good || to.Sub(from) != 59*time.Second || found.Time.Sub(from) != time.Duration(w.sec)*time.Second {
		return nil
	}
	return &minute{string(line[:sec]), string(line[tail:end]), from, found.Zoned, ref, zone}
}
