// Package term shows things on a terminal: in few characters, and nothing that
// comes from a log moves the cursor.
package term

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/edgeban/edgeban/internal/config"
)

// Clean makes text from a log fit for a terminal: on one line, nothing that moves
// the cursor or turns the reading direction, at most limit characters.
func Clean(s string, limit int) string {
	if head := s[:min(len(s), limit)]; plain(head) {
		if len(s) > limit {
			head += "…"
		}
		return head
	}
	var b strings.Builder
	n := 0
	for i, r := range s {
		if n++; n > limit {
			b.WriteString("…")
			break
		}
		switch {
		case r == utf8.RuneError:
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				fmt.Fprintf(&b, `\x%02x`, s[i])
				continue
			}
			b.WriteRune(r)
		case r == '\t':
			b.WriteByte(' ')
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// plain reports whether s is nothing but printable ASCII, as most text is. It looks at
// eight bytes at a time, whose high bits say which are none: such as have it set, or
// would with one more (DEL), or would not with 0x60 more (control characters).
func plain(s string) bool {
	for ; len(s) >= 8; s = s[8:] {
		const each = 0x0101010101010101
		if x := binary.LittleEndian.Uint64([]byte(s)); (x|(x+each)|^(x+0x60*each))&(0x80*each) != 0 {
			return false
		}
	}
	for i := range len(s) {
		if s[i]-' ' > '~'-' ' {
			return false
		}
	}
	return true
}

// Subject shows an address without its mask, and a network with it.
func Subject(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// Clock shows a moment in the zone of now, with the day where it is not today's.
func Clock(t, now time.Time) string {
	t = t.In(now.Location())
	switch {
	case t.IsZero():
		return "-"
	case t.YearDay() == now.YearDay() && t.Year() == now.Year():
		return t.Format("15:04:05")
	case t.Year() == now.Year():
		return t.Format("Jan _2 15:04")
	}
	return t.Format("2006-01-02")
}

// Span shows a duration in at most two units.
func Span(d time.Duration) string {
	switch d = d.Abs(); {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		d = d.Round(time.Second)
	case d < 24*time.Hour:
		d = d.Round(time.Minute)
	default:
		d = d.Round(time.Hour)
	}
	return config.FormatDuration(d)
}

// Left shows how much longer a ban stands.
func Left(until, now time.Time) string {
	if until.IsZero() {
		return "for ever"
	}
	if !until.After(now) {
		return "over"
	}
	return Span(until.Sub(now))
}

// Volume shows a size.
func Volume(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1_000_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

// Count shows a number with its noun.
func Count(n int, noun string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(noun, "ch"):
		noun += "es"
	default:
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// Thousands writes a number for people: 4,120.
func Thousands(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Packets says how many packets there are.
func Packets(n uint64) string {
	if n == 1 {
		return "1 packet"
	}
	return Thousands(n) + " packets"
}

// Wrap breaks text between words into lines of at most width characters.
func Wrap(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
