package syslog

import (
	"bytes"
	"time"

	"github.com/edgeban/edgeban/internal/source/gather"
)

// header is RFC 5424's, but for the structured data.
type header struct{ time, host, app, pid []byte }

// rewrite appends a message to t as rsyslog would write it to a file, which is what
// filters know: TIME HOST PROGRAM[PID]: TEXT. What follows the priority in RFC 3164
// is that already, and so is the same without a host, as Docker's driver sends it.
// It is false for a message that is too long.
func rewrite(t *gather.Text, msg []byte, bare bool) bool {
	rest, dressed := priority(msg)
	if dressed && bytes.HasPrefix(rest, []byte("1 ")) {
		if h, text, ok := rfc5424(rest[2:]); ok {
			if bare {
				return t.Add(time.Time{}, text)
			}
			return t.Add(time.Time{}, h.parts(text)...)
		}
	}
	if bare {
		rest = rfc3164(rest)
	}
	return t.Add(time.Time{}, rest)
}

// priority takes <PRI> off a message: one to three digits.
func priority(msg []byte) ([]byte, bool) {
	if len(msg) == 0 || msg[0] != '<' {
		return msg, false
	}
	n := 1
	for n < len(msg) && n <= 3 && isDigit(msg[n]) {
		n++
	}
	if n == 1 || n == len(msg) || msg[n] != '>' {
		return msg, false
	}
	return msg[n+1:], true
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

// rfc5424 reads what follows the version: TIME HOST APP PID ID DATA TEXT.
func rfc5424(s []byte) (h header, text []byte, ok bool) {
	for _, field := range []*[]byte{&h.time, &h.host, &h.app, &h.pid, new([]byte)} {
		if *field, s, ok = bytes.Cut(s, []byte(" ")); !ok || len(*field) == 0 {
			return h, nil, false
		}
		if string(*field) == "-" {
			*field = nil
		}
	}
	if h.time != nil {
		if _, err := time.Parse(time.RFC3339Nano, string(h.time)); err != nil {
			return h, nil, false
		}
	}
	text, ok = afterData(s)
	return h, text, ok
}

// afterData skips structured data: - or one element after the other in brackets.
func afterData(s []byte) (text []byte, ok bool) {
	if rest, none := bytes.CutPrefix(s, []byte("-")); none {
		s = rest
	} else if s, ok = elements(s); !ok {
		return nil, false
	}
	if len(s) > 0 && s[0] != ' ' {
		return nil, false
	}
	s = bytes.TrimLeft(s, " ") // rsyslog sends two
	return bytes.TrimPrefix(s, []byte("\uFEFF")), true
}

func elements(s []byte) (rest []byte, ok bool) {
	if len(s) == 0 || s[0] != '[' {
		return nil, false
	}
	quoted := false
	for i := 0; i < len(s); i++ {
		switch b := s[i]; {
		case quoted && b == '\\':
			i++
		case b == '"':
			quoted = !quoted
		case !quoted && b == ']' && (i+1 == len(s) || s[i+1] != '['):
			return s[i+1:], true
		}
	}
	return nil, false
}

// parts returns the header and the text as a line of a file has them.
func (h header) parts(text []byte) [][]byte {
	var parts [][]byte
	for _, word := range [][]byte{h.time, h.host} {
		if word != nil {
			parts = append(parts, word, space)
		}
	}
	if h.app != nil {
		parts = append(parts, h.app)
		if h.pid != nil {
			parts = append(parts, []byte("["), h.pid, []byte("]"))
		}
		parts = append(parts, []byte(": "))
	}
	return append(parts, text)
}

var space = []byte(" ")

// rfc3164 returns what follows "Mmm dd hh:mm:ss [HOST] TAG: ", or all of s if it
// does not begin so.
func rfc3164(s []byte) []byte {
	const stamp = len(time.Stamp)
	if len(s) <= stamp || s[stamp] != ' ' {
		return s
	}
	if _, err := time.Parse(time.Stamp, string(s[:stamp])); err != nil {
		return s
	}
	rest := s[stamp+1:]
	for range 2 { // a host and a tag, or a tag
		word, after, more := bytes.Cut(rest, space)
		if bytes.HasSuffix(word, []byte(":")) {
			return after
		}
		if !more {
			break
		}
		rest = after
	}
	return s
}
