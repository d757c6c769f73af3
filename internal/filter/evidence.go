package filter

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
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

// ID names a line by where it lies, so that it has the same name on every
// reading.
func ID(jail, stream string, offset int64) string {
	h := sha256.New()
	h.Write([]byte(jail + "\x00" + stream + "\x00"))
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(offset)))
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Clean makes text that is kept: valid UTF-8, cut at a rune's border.
func Clean(text []byte) string {
	valid := strings.ToValidUTF8(string(text[:min(len(text), 2*edgeban.MaxText)]), "\uFFFD")
	if len(valid) <= edgeban.MaxText {
		return valid
	}
	n := edgeban.MaxText
	for !utf8.RuneStart(valid[n]) {
		n--
	}
	return valid[:n]
}
