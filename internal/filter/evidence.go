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

// IDs names lines by where they lie, so that each has the same name on every
// reading. It remembers the last stream, and must not be used by two goroutines at
// once.
type IDs struct {
	jail, stream string
	prefix       []byte
}

// At returns the name of the line at an offset of a stream, for a jail.
func (n *IDs) At(jail, stream string, offset int64) string {
	if len(n.prefix) == 0 || n.jail != jail || n.stream != stream {
		h := sha256.Sum256([]byte(jail + "\x00" + stream))
		n.jail, n.stream = jail, stream
		n.prefix = append(hex.AppendEncode(n.prefix[:0], h[:12]), '-')
	}
	var b [64]byte
	return string(strconv.AppendInt(append(b[:0], n.prefix...), offset, 36))
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
