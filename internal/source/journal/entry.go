package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/edgeban/edgeban/internal/source/gather"
)

// An entry is what is read of one entry of the journal. Fields that begin with _ are
// journald's own: no program chooses them.
type entry struct {
	Cursor     string `json:"__CURSOR"`
	Realtime   value  `json:"__REALTIME_TIMESTAMP"`
	Source     value  `json:"_SOURCE_REALTIME_TIMESTAMP"`
	Host       value  `json:"_HOSTNAME"`
	Unit       value  `json:"_SYSTEMD_UNIT"`
	Transport  value  `json:"_TRANSPORT"`
	Identifier value  `json:"SYSLOG_IDENTIFIER"`
	Comm       value  `json:"_COMM"`
	SyslogPID  value  `json:"SYSLOG_PID"`
	PID        value  `json:"_PID"`
	Message    value  `json:"MESSAGE"`
}

// fields are those that journalctl is asked for.
const fields = "_SOURCE_REALTIME_TIMESTAMP,_HOSTNAME,_SYSTEMD_UNIT,_TRANSPORT,SYSLOG_IDENTIFIER,_COMM,SYSLOG_PID,_PID,MESSAGE"

// A value is a field: a text, or a list of bytes for what is no plain text, or null
// for what is too long, or a list of those for a field that is there several times.
type value []byte

// UnmarshalJSON implements json.Unmarshaler.
func (v *value) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' && !isBytes(b) {
		var all []json.RawMessage
		if err := json.Unmarshal(b, &all); err != nil {
			return err
		}
		*v = nil
		for i, one := range all {
			if i > 0 {
				*v = append(*v, ' ')
			}
			text, err := plain(one)
			if err != nil {
				return err
			}
			*v = append(*v, text...)
		}
		return nil
	}
	text, err := plain(b)
	*v = text
	return err
}

// isBytes reports whether a list holds numbers.
func isBytes(b []byte) bool {
	b = bytes.TrimLeft(b[1:], " ")
	return len(b) > 0 && b[0] != '"' && b[0] != '[' && b[0] != 'n'
}

// plain reads a text, a list of bytes, or null.
func plain(b []byte) ([]byte, error) {
	switch {
	case len(b) > 0 && b[0] == '"':
		var s string
		err := json.Unmarshal(b, &s)
		return []byte(s), err
	case len(b) > 0 && b[0] == '[':
		return numbers(b)
	case string(b) == "null":
		return nil, nil
	}
	return nil, errors.New("a field is neither text nor a list of bytes")
}

func numbers(b []byte) ([]byte, error) {
	b = bytes.TrimSpace(bytes.TrimSuffix(b[1:], []byte("]")))
	if len(b) == 0 {
		return nil, nil
	}
	text := make([]byte, 0, len(b)/4+1)
	for word := range bytes.SplitSeq(b, []byte(",")) {
		n, err := strconv.ParseUint(string(bytes.TrimSpace(word)), 10, 8)
		if err != nil {
			return nil, errors.New("a list of bytes holds something else")
		}
		text = append(text, byte(n))
	}
	return text, nil
}

// micro reads a time.
func (v value) micro() (time.Time, bool) {
	n, err := strconv.ParseInt(string(v), 10, 64)
	return time.UnixMicro(n), err == nil && n > 0
}

// at returns when it was written, which is the earliest that journald vouches for, and
// when journald took it.
func (e *entry) at() (written, taken time.Time) {
	taken, _ = e.Realtime.micro()
	if t, ok := e.Source.micro(); ok {
		return t, taken
	}
	return taken, taken
}

// unit returns which unit wrote it. Instances of a template are one, and so are all
// of what is no service: their names hold numbers that never come again, and those
// of ssh's sockets the addresses of clients.
func (e *entry) unit() string {
	unit := string(e.Unit)
	if unit == "" {
		unit = string(e.Transport)
		if unit != "kernel" && unit != "audit" {
			return "none"
		}
		return unit
	}
	dot := strings.LastIndexByte(unit, '.')
	if dot < 0 || strings.ContainsAny(unit, "/\x00") {
		return "none"
	}
	if unit[dot:] != ".service" {
		return unit[dot+1:]
	}
	if at := strings.IndexByte(unit, '@'); at >= 0 {
		return unit[:at+1] + unit[dot:]
	}
	return unit
}

// add appends the line to t as fail2ban has it: HOST PROGRAM[PID]: MESSAGE. It is
// false for one that is too long.
func (e *entry) add(t *gather.Text, at time.Time) bool {
	if e.Message == nil {
		return false
	}
	var parts [][]byte
	if len(e.Host) > 0 {
		parts = append(parts, e.Host, []byte(" "))
	}
	if program := first(e.Identifier, e.Comm); len(program) > 0 {
		parts = append(parts, program)
		if pid := first(e.SyslogPID, e.PID); len(pid) > 0 {
			parts = append(parts, []byte("["), pid, []byte("]"))
		}
		parts = append(parts, []byte(": "))
	}
	return t.Add(at, append(parts, e.Message)...)
}

func first(vs ...value) value {
	for _, v := range vs {
		if len(v) > 0 {
			return v
		}
	}
	return nil
}

// has reports whether an entry is one of some alternatives, each of which holds for
// every field one of its values.
func has(fields map[string]value, alternatives []map[string][]string) bool {
	for _, want := range alternatives {
		ok := true
		for field, values := range want {
			got := string(fields[field])
			one := false
			for _, v := range values {
				one = one || v == got
			}
			ok = ok && one
		}
		if ok {
			return true
		}
	}
	return len(alternatives) == 0
}

// alternatives reads what journalctl takes.
func alternatives(match []string) (all []map[string][]string) {
	for _, m := range match {
		for group := range strings.SplitSeq(" "+m+" ", " + ") {
			want := map[string][]string{}
			for _, term := range strings.Fields(group) {
				field, v, _ := strings.Cut(term, "=")
				want[field] = append(want[field], v)
			}
			if len(want) > 0 {
				all = append(all, want)
			}
		}
	}
	return all
}
