package filter

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	edgeban "github.com/edgeban/edgeban"
)

// MaxLine is the longest line that is read. A longer one is left out, not cut: a
// pattern that is anchored at the end must see the true end.
const MaxLine = 64 << 10

// Address reads what a pattern took for one. Zones are refused: a scope says
// nothing about who sits there.
func Address(text []byte) (netip.Addr, bool) {
	if a, ok := dotted(text); ok {
		return a, !a.IsUnspecified()
	}
	if len(text) == 0 {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(string(text))
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, false
	}
	a = a.Unmap()
	return a, !a.IsUnspecified()
}

// dotted reads what is written most, without making a string of it: an IPv4 address as
// netip takes it.
func dotted(text []byte) (netip.Addr, bool) {
	var four [4]byte
	n, field, digits := 0, 0, 0
	for _, b := range text {
		switch {
		case '0' <= b && b <= '9' && (field > 0 || digits == 0) && digits < 3:
			field, digits = 10*field+int(b-'0'), digits+1
		case b == '.' && digits > 0 && n < 3 && field < 256:
			four[n] = byte(field)
			n, field, digits = n+1, 0, 0
		default:
			return netip.Addr{}, false
		}
	}
	if n != 3 || digits == 0 || field > 255 {
		return netip.Addr{}, false
	}
	four[3] = byte(field)
	return netip.AddrFrom4(four), true
}

// An Evidence writes into matches what proves them. It remembers the last stream, and
// must not be used by two goroutines at once.
//
// What it writes for matches that follow each other lies together: whoever keeps one of
// many for long clones it, or keeps up to 8 KB.
type Evidence struct {
	jail, stream string
	prefix       []byte // of the IDs of the stream's lines
	buf          []byte
	room         strings.Builder
}

// shared is how many bytes of evidence are one piece of memory.
const shared = 8 << 10

// Write gives m the ID of the line at an offset of a stream, which names it by where it
// lies, so that it is the same on every reading, and none where the stream has no name;
// and the user and the text. All three are parts of one string.
func (e *Evidence) Write(m *edgeban.Match, stream string, offset int64, user, text []byte) {
	b := e.buf[:0]
	if stream != "" {
		b = strconv.AppendInt(append(b, e.prefixOf(m.Jail, stream)...), offset, 36)
	}
	id := len(b)
	b = clean(b, user)
	name := len(b)
	e.buf = clean(b, text)
	all := e.own(e.buf)
	m.ID, m.User, m.Text = all[:id], all[id:name], all[name:]
}

// own returns b as a string.
func (e *Evidence) own(b []byte) string {
	if len(b) > shared/4 {
		return string(b)
	}
	if len(b) > e.room.Cap()-e.room.Len() {
		e.room.Reset()
		e.room.Grow(shared)
	}
	from := e.room.Len()
	e.room.Write(b)
	return e.room.String()[from:]
}

// prefixOf returns what the IDs of a stream's lines begin with.
func (e *Evidence) prefixOf(jail, stream string) []byte {
	if len(e.prefix) == 0 || e.jail != jail || e.stream != stream {
		h := sha256.Sum256([]byte(jail + "\x00" + stream))
		e.jail, e.stream = jail, stream
		e.prefix = append(hex.AppendEncode(e.prefix[:0], h[:12]), '-')
	}
	return e.prefix
}

// clean appends text as Clean makes it.
func clean(b, text []byte) []byte {
	if len(text) <= edgeban.MaxText && utf8.Valid(text) {
		return append(b, text...)
	}
	return append(b, Clean(text)...)
}

// Clean makes text that is kept: valid UTF-8, cut at a rune's border.
func Clean(text []byte) string {
	text = text[:min(len(text), 2*edgeban.MaxText)]
	if len(text) <= edgeban.MaxText && utf8.Valid(text) {
		return string(text)
	}
	valid := strings.ToValidUTF8(string(text), "\uFFFD")
	if len(valid) <= edgeban.MaxText {
		return valid
	}
	n := edgeban.MaxText
	for !utf8.RuneStart(valid[n]) {
		n--
	}
	return valid[:n]
}
