package filter

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/edgeban/edgeban/internal/filter/date"
)

// A header is what stood before a message.
type header struct {
	program []byte // the program that a name was taken off of
	pid     []byte
	stamp   time.Time // zero if there was none
	zoned   bool
}

// An origin says whose lines a filter takes.
type origin struct {
	programs   []string // with * for any text
	containers []string // parts of names
	bare       bool
}

// maxHeaders is how many headers one line may have: Docker's and the program's,
// forwarded by a relay.
const maxHeaders = 3

// undress takes the headers off line. It reports false for a line that is not
// the filter's to read.
func (o *origin) undress(line []byte, ref time.Time, loc *time.Location) (msg []byte, h header, ok bool) {
	named := len(o.programs) == 0
	for range maxHeaders {
		rest, more := o.header(line, &h, ref, loc)
		if more == foreign {
			return nil, h, false
		}
		named = named || more == own
		line = rest
		if more == last || !stampNext(line, ref, loc) {
			break
		}
	}
	return line, h, named || o.bare
}

// What the header stage has learned.
type step uint8

const (
	last    step = iota // no program's name to take off: what is left is the message
	own                 // the name of one of the filter's programs was taken off
	carrier             // the name of a container was taken off
	foreign             // the line is another program's
)

// header takes one header off line, and notes its stamp. The innermost stamp
// that names its zone is the best: the inner is nearer to the event, but a
// container's zone is often not the host's.
func (o *origin) header(line []byte, h *header, ref time.Time, loc *time.Location) ([]byte, step) {
	rest, pri := priority(line)
	if rfc, ok := bytes.CutPrefix(rest, []byte("1 ")); ok && pri {
		if msg, app, pid, stamp, ok := rfc5424(rfc, ref, loc); ok {
			h.note(stamp.Time, stamp.Zoned)
			return msg, o.take(app, pid, h, foreign)
		}
	}
	if s, ok := date.All.At(rest, ref, loc); ok {
		h.note(s.Time, s.Zoned)
		rest = bytes.TrimPrefix(bytes.TrimPrefix(rest[s.End:], []byte("]")), []byte(":"))
		rest = bytes.TrimLeft(rest, " \t")
	}
	if len(o.programs) == 0 {
		return rest, last
	}
	msg, program, pid, ok := name(rest)
	if !ok {
		return rest, last
	}
	if !o.ours(program) && pid == nil && !stampNext(msg, ref, loc) {
		return rest, last // a process's name, such as imap-login, and no container's
	}
	if step := o.take(program, pid, h, last); step != last {
		return msg, step
	}
	return rest, last
}

func (h *header) note(t time.Time, zoned bool) {
	if !t.IsZero() && (zoned || !h.zoned) {
		h.stamp, h.zoned = t, zoned
	}
}

// take notes whose name was read, and returns otherwise for one that is not the
// filter's.
func (o *origin) take(program, pid []byte, h *header, otherwise step) step {
	switch {
	case len(o.programs) == 0:
		return carrier
	case o.ours(program):
		h.program, h.pid = program, pid
		return own
	case o.carries(program):
		h.program, h.pid = nil, nil
		return carrier
	}
	return otherwise
}

func (o *origin) ours(program []byte) bool {
	for _, p := range o.programs {
		if glob(p, program) {
			return true
		}
	}
	return false
}

// carries reports whether name is that of a container which the filter's
// service may run in, or a container's short ID.
func (o *origin) carries(name []byte) bool {
	id := len(name) == 12
	for _, b := range name {
		id = id && ('0' <= b && b <= '9' || 'a' <= b && b <= 'f')
	}
	if id {
		return true
	}
	for part := range bytes.FieldsFuncSeq(name, func(r rune) bool { return strings.ContainsRune("-_./", r) }) {
		if slices.ContainsFunc(o.containers, func(c string) bool { return strings.EqualFold(c, string(part)) }) {
			return true
		}
	}
	return false
}

// priority takes a count of bytes and a priority off line.
func priority(line []byte) ([]byte, bool) {
	rest := line
	if n := digits(rest); n > 0 && n <= 6 && n+1 < len(rest) && rest[n] == ' ' && rest[n+1] == '<' {
		rest = rest[n+1:]
	}
	if len(rest) == 0 || rest[0] != '<' {
		return line, false
	}
	n := digits(rest[1:])
	if n < 1 || n > 3 || n+1 >= len(rest) || rest[n+1] != '>' {
		return line, false
	}
	return rest[n+2:], true
}

func digits(b []byte) int {
	n := 0
	for n < len(b) && '0' <= b[n] && b[n] <= '9' {
		n++
	}
	return n
}

// rfc5424 reads TIME HOST APP PID ID DATA MESSAGE.
func rfc5424(line []byte, ref time.Time, loc *time.Location) (msg, app, pid []byte, t date.Stamp, ok bool) {
	var field [5][]byte
	for i := range field {
		if field[i], line, ok = bytes.Cut(line, []byte(" ")); !ok || len(field[i]) == 0 {
			return nil, nil, nil, t, false
		}
	}
	if t, ok = date.ISO.At(field[0], ref, loc); !ok && string(field[0]) != "-" {
		return nil, nil, nil, t, false
	}
	msg, ok = structured(line)
	msg = bytes.TrimPrefix(bytes.TrimLeft(msg, " "), []byte("\uFEFF"))
	return bytes.TrimLeft(msg, " "), field[2], field[3], t, ok
}

// structured skips RFC 5424's structured data.
func structured(line []byte) ([]byte, bool) {
	if rest, ok := bytes.CutPrefix(line, []byte("-")); ok {
		return rest, len(rest) == 0 || rest[0] == ' '
	}
	quoted := false
	for i := 0; i < len(line); i++ {
		switch b := line[i]; {
		case i == 0 && b != '[':
			return nil, false
		case quoted && b == '\\':
			i++
		case b == '"':
			quoted = !quoted
		case !quoted && b == ']' && (i+1 == len(line) || line[i+1] == ' '):
			return line[i+1:], true
		}
	}
	return nil, false
}

// name reads "host program[pid]: " or "program[pid]: ".
func name(line []byte) (msg, program, pid []byte, ok bool) {
	for range 2 {
		word, rest, more := bytes.Cut(line, []byte(" "))
		if program, ok = bytes.CutSuffix(word, []byte(":")); ok && len(program) > 0 {
			if p, found := bytes.CutSuffix(program, []byte("]")); found {
				if at := bytes.LastIndexByte(p, '['); at > 0 {
					program, pid = p[:at], p[at+1:]
				}
			}
			return bytes.TrimLeft(rest, " "), program, pid, true
		}
		if !more {
			break
		}
		line = rest
	}
	return nil, nil, nil, false
}

// stampNext reports whether another header may follow.
func stampNext(line []byte, ref time.Time, loc *time.Location) bool {
	if len(line) > 0 && line[0] == '<' {
		return true
	}
	_, ok := date.All.At(line, ref, loc)
	return ok
}

// glob reports whether s is the pattern, in which * stands for any text.
func glob(pattern string, s []byte) bool {
	head, tail, star := strings.Cut(pattern, "*")
	if !star {
		return string(s) == pattern
	}
	if len(s) < len(head) || string(s[:len(head)]) != head {
		return false
	}
	for s = s[len(head):]; ; s = s[1:] {
		if glob(tail, s) {
			return true
		}
		if len(s) == 0 {
			return false
		}
	}
}
