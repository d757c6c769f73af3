package filter

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// maxRecord is where Docker's json-file driver cuts a line into records.
const maxRecord = 16 << 10

const dockerOpen = `{"log":"`

// A record is one line of Docker's json-file driver.
type record struct {
	text   []byte // what the container wrote, without its newline
	time   []byte // when Docker read it
	stderr bool
	partly bool // the container's line goes on in the next record of the stream
}

// undocker takes Docker's dress off line. The shape must be exactly Docker's, so
// that no program that logs JSON is taken for it. The record's text lies in buf.
func undocker(line, buf []byte) (record, []byte, bool) {
	rest, ok := bytes.CutPrefix(line, []byte(dockerOpen))
	if !ok {
		return record{}, buf, false
	}
	buf, rest, ok = unquote(rest, buf[:0])
	if !ok {
		return record{}, buf, false
	}
	r := record{text: buf}
	if rest, r.stderr = bytes.CutPrefix(rest, []byte(`,"stream":"stderr"`)); !r.stderr {
		if rest, ok = bytes.CutPrefix(rest, []byte(`,"stream":"stdout"`)); !ok {
			return record{}, buf, false
		}
	}
	if rest, ok = bytes.CutSuffix(rest, []byte(`"}`)); !ok {
		return record{}, buf, false
	}
	at := bytes.LastIndex(rest, []byte(`,"time":"`))
	if at < 0 || at > 0 && !bytes.HasPrefix(rest, []byte(`,"attrs":{`)) {
		return record{}, buf, false
	}
	r.time = rest[at+len(`,"time":"`):]
	if r.text, ok = bytes.CutSuffix(r.text, []byte("\n")); !ok {
		r.partly = len(r.text) >= maxRecord
	}
	return r, buf, bytes.IndexByte(r.text, '\n') < 0
}

// unquote appends the JSON string that begins in s to buf, and returns what
// follows its closing quote.
func unquote(s, buf []byte) (text, rest []byte, ok bool) {
	for {
		n := bytes.IndexAny(s, `"\`)
		if n < 0 {
			return buf, nil, false
		}
		buf = append(buf, s[:n]...)
		if s[n] == '"' {
			return buf, s[n+1:], true
		}
		if n+1 >= len(s) {
			return buf, nil, false
		}
		c := s[n+1]
		s = s[n+2:]
		switch c {
		case 'u':
			r, more := hexRune(s)
			if r < 0 {
				return buf, nil, false
			}
			buf, s = utf8.AppendRune(buf, r), more
		case 'n':
			buf = append(buf, '\n')
		case 't':
			buf = append(buf, '\t')
		case 'r':
			buf = append(buf, '\r')
		case 'b':
			buf = append(buf, '\b')
		case 'f':
			buf = append(buf, '\f')
		default:
			buf = append(buf, c)
		}
	}
}

// hexRune reads what follows \u, both halves of a surrogate pair.
func hexRune(s []byte) (rune, []byte) {
	r, ok := hex4(s)
	if !ok {
		return -1, nil
	}
	s = s[4:]
	if utf16.IsSurrogate(r) && len(s) >= 6 && s[0] == '\\' && s[1] == 'u' {
		if low, ok := hex4(s[2:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, s[6:]
			}
		}
	}
	return r, s
}

func hex4(s []byte) (r rune, ok bool) {
	if len(s) < 4 {
		return 0, false
	}
	for _, b := range s[:4] {
		switch {
		case '0' <= b && b <= '9':
			b -= '0'
		case 'a' <= b|0x20 && b|0x20 <= 'f':
			b = b | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(b)
	}
	return r, true
}

// continues reports whether the record of line goes on with a line that an
// earlier record began: its text does not begin where the container's line did,
// and may hold whatever a client wrote.
func continues(text []byte, before int, stderr bool, open [2]bool) bool {
	const far = 64
	for n := 0; before > 0 && n < far; n++ {
		from := bytes.LastIndexByte(text[:before-1], '\n') + 1
		if r, known := glance(text[from : before-1]); known && r.stderr == stderr {
			return r.partly
		}
		before = from
	}
	return before == 0 && open[index(stderr)]
}

// glance reads the end of a record: enough to know whether its line goes on.
func glance(line []byte) (record, bool) {
	r := record{}
	at := bytes.LastIndex(line, []byte(`","stream":"std`))
	if at < len(dockerOpen) {
		return r, false
	}
	r.stderr = bytes.HasPrefix(line[at:], []byte(`","stream":"stderr"`))
	r.partly = at-len(dockerOpen) >= maxRecord && !bytes.HasSuffix(line[:at], []byte(`\n`))
	return r, true
}

func index(stderr bool) int {
	if stderr {
		return 1
	}
	return 0
}
