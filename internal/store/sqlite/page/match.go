package page

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/store/sqlite/row"
)

// What is said of a match in the one byte before it.
const (
	short   = 1 << iota // the ID is 16 bytes in hexadecimal digits, and kept as the bytes
	alone               // the subject is the address
	dated               // there is a time
	plain               // it is a failure that counts once, and is not ignored
	unknown             // the first bit that is not used
)

// appendMatch appends a match: numbers are as in encoding/binary, texts and
// addresses have their length before them.
func appendMatch(b []byte, seq edgeban.Seq, m edgeban.Match) []byte {
	marks := byte(0)
	id, isShort := shorten(m.ID)
	if isShort {
		marks |= short
	}
	if m.Subject.IsValid() && m.Subject == netip.PrefixFrom(m.Addr, m.Addr.BitLen()) {
		marks |= alone
	}
	if !m.Time.IsZero() {
		marks |= dated
	}
	if m.Kind == edgeban.Failure && m.Count == 1 && m.Ignored == "" {
		marks |= plain
	}
	b = binary.AppendUvarint(append(b, marks), uint64(seq))
	if isShort {
		b = append(b, id[:]...)
	} else {
		b = appendText(b, m.ID)
	}
	b = appendText(b, m.Jail)
	b = appendAddr(b, m.Addr)
	if marks&alone == 0 {
		b = append(appendAddr(b, m.Subject.Addr()), byte(m.Subject.Bits()))
	}
	if marks&dated != 0 {
		b = binary.AppendVarint(b, m.Time.UnixNano())
	}
	if marks&plain == 0 {
		b = appendText(binary.AppendVarint(append(b, byte(m.Kind)), int64(m.Count)), m.Ignored)
	}
	return appendText(appendText(b, m.User), m.Text)
}

// shorten returns the bytes of an ID that is 32 digits.
func shorten(id string) (b [16]byte, ok bool) {
	if len(id) != 2*len(b) || strings.Trim(id, "0123456789abcdef") != "" {
		return b, false
	}
	_, err := hex.Decode(b[:], []byte(id))
	return b, err == nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendAddr(b []byte, a netip.Addr) []byte {
	switch {
	case a.Is4():
		four := a.As4()
		return append(append(b, 4), four[:]...)
	case a.Is6():
		sixteen := a.As16()
		return append(append(b, 16), sixteen[:]...)
	}
	return append(b, 0)
}

// unpack returns the matches in a blob of them that are under the subjects which
// are wanted; nil is for all.
func unpack(b []byte, wanted func(netip.Prefix) bool) (events []edgeban.Event, err error) {
	r := reader{rest: string(b)} // one string, of which all texts are parts
	for n := 0; len(r.rest) > 0; n++ {
		e, ok := r.match(wanted)
		if r.broken {
			return nil, fmt.Errorf("%w: a page ends in its middle after %d matches", row.ErrUnreadable, n)
		}
		if ok {
			events = append(events, e)
		}
	}
	return events, nil
}

// A reader takes the parts of matches off a string. Once something is missing it
// is broken, and gives nothing.
type reader struct {
	rest   string
	broken bool
}

// match takes a match off, and reports whether it is wanted: of one that is not it
// returns nothing.
func (r *reader) match(wanted func(netip.Prefix) bool) (edgeban.Event, bool) {
	m := edgeban.Match{Kind: edgeban.Failure, Count: 1}
	marks := r.byte()
	r.broken = r.broken || marks >= unknown
	seq := edgeban.Seq(r.number())
	if marks&short != 0 {
		m.ID = r.take(16)
	} else {
		m.ID = r.text()
	}
	m.Jail, m.Addr = r.text(), r.addr()
	if marks&alone != 0 {
		m.Subject = netip.PrefixFrom(m.Addr, m.Addr.BitLen())
	} else {
		m.Subject = r.subject()
	}
	if marks&dated != 0 {
		m.Time = time.Unix(0, r.signed()).UTC()
	}
	if marks&plain == 0 {
		m.Kind, m.Count, m.Ignored = edgeban.Kind(r.byte()), int(r.signed()), r.text()
	}
	m.User, m.Text = r.text(), r.text()
	if wanted != nil && !wanted(subject(m)) {
		return edgeban.Event{}, false
	}
	if marks&short != 0 {
		m.ID = hex.EncodeToString([]byte(m.ID))
	}
	return edgeban.Event{Seq: seq, Fact: m}, true
}

func (r *reader) take(n uint64) string {
	if r.broken || n > uint64(len(r.rest)) {
		r.broken, r.rest = true, ""
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func (r *reader) byte() byte {
	if s := r.take(1); s != "" {
		return s[0]
	}
	return 0
}

func (r *reader) number() (n uint64) {
	for shift := 0; shift < 64; shift += 7 {
		b := r.byte()
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return n
		}
	}
	r.broken = true
	return 0
}

func (r *reader) signed() int64 {
	n := r.number()
	return int64(n>>1) ^ -int64(n&1)
}

func (r *reader) text() string { return r.take(r.number()) }

func (r *reader) addr() netip.Addr {
	switch b := r.text(); len(b) {
	case 4:
		return netip.AddrFrom4([4]byte([]byte(b)))
	case 16:
		return netip.AddrFrom16([16]byte([]byte(b)))
	}
	return netip.Addr{}
}

func (r *reader) subject() netip.Prefix {
	a, bits := r.addr(), r.byte()
	if !a.IsValid() {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(a, int(bits))
}
