package filter

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	edgeban "github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/filter/scan"
)

// FuzzScan runs hostile lines through every built-in filter. An address that is
// reported must stand in the line by itself, and nothing may depend on how the
// chunk is cut.
func FuzzScan(f *testing.F) {
	for _, name := range Builtin() {
		for _, s := range filterOf(f, name).samples {
			f.Add([]byte(s.text))
		}
	}
	f.Add([]byte("\x00\r\n{\"log\":\"\\u12\n<1>1 - - sshd - - [\n5 <"))
	var filters []*Filter
	for _, name := range Builtin() {
		filters = append(filters, filterOf(f, name))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		text = append(text, '\n')
		for _, flt := range filters {
			s := flt.Scanner(Options{Jail: "fuzz", Zone: time.UTC})
			at, base := map[string]edgeban.Match{}, int64(0)
			for line := range bytes.Lines(text) {
				c := edgeban.Chunk{Stream: "fuzz", Text: line, Base: base, Read: captured, Live: true}
				for m := range s.Scan(c) {
					check(t, flt.Name, line, m)
					at[m.ID] = m
				}
				base += int64(len(line))
			}
			c := edgeban.Chunk{Stream: "fuzz", Text: text, Read: captured, Live: true}
			whole := slices.Collect(flt.Scanner(Options{Jail: "fuzz", Zone: time.UTC}).Scan(c))
			if near := throughGate(flt, c); !slices.Equal(near, whole) {
				t.Fatalf("filter %s: %+v through a gate, %+v by every line", flt.Name, near, whole)
			}
			for _, m := range whole {
				if at[m.ID] != m {
					t.Fatalf("filter %s: %+v in one chunk, %+v line by line", flt.Name, m, at[m.ID])
				}
				delete(at, m.ID)
			}
			if len(at) > 0 {
				t.Fatalf("filter %s: %d matches more line by line", flt.Name, len(at))
			}
		}
	})
}

// throughGate returns what a filter finds where a gate shows it the lines.
func throughGate(f *Filter, c edgeban.Chunk) []edgeban.Match {
	var search scan.Search
	search.Find(scan.New([][]scan.Need{f.Needs()}, nil), c.Text)
	return slices.Collect(f.Scanner(Options{Jail: "fuzz", Zone: time.UTC}).ScanHits(c, search.Hits(0)))
}

func TestTheBuiltInFiltersCanBeGated(t *testing.T) {
	for _, name := range Builtin() {
		if filterOf(t, name).Needs() == nil {
			t.Errorf("%s has to see every line: give each of its patterns a literal", name)
		}
	}
}

func check(t *testing.T, name string, line []byte, m edgeban.Match) {
	if r, _, ok := undocker(bytes.TrimRight(line, "\r\n"), nil); ok {
		line = r.text
	}
	if !names(string(line), m.Addr) {
		t.Fatalf("filter %s: %v is not in %q", name, m.Addr, line)
	}
	if m.Addr.Zone() != "" || m.Addr.Is4In6() || m.Count < 1 || m.Time.After(captured) ||
		len(m.Text) > edgeban.MaxText || !utf8.ValidString(m.Text) || !utf8.ValidString(m.User) {
		t.Fatalf("filter %s: %+v", name, m)
	}
}

// names reports whether the address stands in line as a word of its own.
func names(line string, want netip.Addr) bool {
	for _, word := range strings.FieldsFunc(line, func(r rune) bool {
		return !(r < 0x80 && (alnum(byte(r)) || strings.ContainsRune(".:%-_", r)) || r >= 0x80)
	}) {
		for {
			if a, err := netip.ParseAddr(word); err == nil && a.Unmap() == want {
				return true
			}
			// A name before it (IP:203.0.113.9), a port or a stop after it.
			i := strings.LastIndexAny(word, ":.")
			if i < 0 {
				break
			}
			word = word[:i]
		}
	}
	return false
}

func alnum(b byte) bool { return '0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'z' }
