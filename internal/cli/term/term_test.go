package term

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// A byte that is none must be seen wherever it stands among those that are looked at
// together, and whatever stands beside it.
func TestPlainIsPrintableASCIIOnly(t *testing.T) {
	for _, beside := range []byte{' ', 'a', '~'} {
		for at := range 19 {
			for c := range 256 {
				s := bytes.Repeat([]byte{beside}, 19)
				s[at] = byte(c)
				if got, want := plain(string(s)), ' ' <= c && c <= '~'; got != want {
					t.Errorf("plain(%q) is %v, want %v", s, got, want)
				}
			}
		}
	}
}

// FuzzClean holds text from logs to what a terminal shows and does not obey.
func FuzzClean(f *testing.F) {
	for _, s := range []string{"plain", "\x1b[2J", "a\r\nb\tc", "\u202eevil\u2066", "\xff\xfe", "\u009b31m", "日本 café", "\ufffd", "\x00", "\u200b\ufeff"} {
		f.Add(s, 20)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = max(1, limit%300)
		got := Clean(s, limit)
		for _, r := range got {
			if !unicode.IsPrint(r) {
				t.Fatalf("Clean(%q) = %q, which has %U", s, got, r)
			}
		}
		if !utf8.ValidString(got) {
			t.Fatalf("Clean(%q) = %q, which is not UTF-8", s, got)
		}
		if again := Clean(got, 8*limit+1); again != got {
			t.Fatalf("Clean(%q) = %q, and cleaned again %q", s, got, again)
		}
	})
}

func TestHostileTextIsShownAndNotObeyed(t *testing.T) {
	for in, want := range map[string]string{
		"alice@example.com": "alice@example.com",
		"\x1b[31mred":       `\x1b[31mred`,
		"two\r\nlines":      `two\x0d\x0alines`,
		"a\tb":              "a b",
		"\u202eevil":        `\u202eevil`,
		"\u009b2J":          `\u009b2J`,
		"\xffbyte":          `\xffbyte`,
		"café 日本":           "café 日本",
	} {
		if got := Clean(in, 100); got != want {
			t.Errorf("Clean(%q): got %q, want %q", in, got, want)
		}
	}
	if got, want := Clean("0123456789abc", 12), "0123456789ab…"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestDurationsAreShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                               "0s",
		412 * time.Microsecond:          "0s",
		1500 * time.Microsecond:         "2ms",
		999 * time.Millisecond:          "999ms",
		1499 * time.Millisecond:         "1s",
		59*time.Minute + 40*time.Second: "1h",
		23*time.Hour + 59*time.Minute:   "23h59m",
		7 * 24 * time.Hour:              "1w",
		50*time.Hour + 29*time.Minute:   "2d2h",
		400 * 24 * time.Hour:            "400d",
	} {
		if got := Span(d); got != want {
			t.Errorf("%v: got %s, want %s", d, got, want)
		}
	}
	for until, want := range map[time.Time]string{{}: "for ever", now: "over", now.Add(-1): "over", now.Add(90 * time.Second): "2m"} {
		if got := Left(until, now); got != want {
			t.Errorf("until %v: got %s, want %s", until, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 1_234_567: "1.2 MB", 5_300_000_000: "5.3 GB"} {
		if got := Volume(n); got != want {
			t.Errorf("%d bytes: got %s, want %s", n, got, want)
		}
	}
	for p, want := range map[string]string{"203.0.113.9/32": "203.0.113.9", "2001:db8::/64": "2001:db8::/64", "2001:db8::1/128": "2001:db8::1"} {
		if got := Subject(netip.MustParsePrefix(p)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestColumnsLineUp(t *testing.T) {
	var b bytes.Buffer
	Columns(&b, "lrl", [][]string{
		{"NAME", "N", "LAST"},
		{"café", "1000", strings.Repeat("x", 100)},
		{"a note that is longer than any column, and moves none"},
		{"b", "2", ""},
	})
	want := "NAME     N  LAST\n" +
		"café  1000  " + strings.Repeat("x", 67) + "…\n" +
		"  a note that is longer than any column, and moves none\n" +
		"b        2\n"
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestOnePacketIsOne(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 packets", 1: "1 packet", 999: "999 packets", 1000: "1,000 packets", 4_120_000: "4,120,000 packets"} {
		if got := Packets(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}
