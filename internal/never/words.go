package never

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
)

const (
	maxFile  = 8 << 20 // bytes of a file of words
	maxNames = 256     // names that are looked up
	maxBad   = 5       // bad words of one file that are reported one by one
)

// A mention is an address, a network or a name that someone protects.
type mention struct {
	prefix netip.Prefix // invalid for a name
	name   string
	why    string
	owner  bool // it is in the owner's own words
	role   Role
}

var errWord = errors.New("is neither an address, a network nor a name")

// parseWord reads 192.0.2.1, 192.0.2.0/24, 192.0.2.0/255.255.255.0, 2001:db8::1,
// 2001:db8::/32 or home.example.org.
func parseWord(word string) (mention, error) {
	if a, err := netip.ParseAddr(strings.Trim(word, "[]")); err == nil {
		return mention{prefix: single(a)}, nil
	}
	if addr, bits, ok := strings.Cut(word, "/"); ok {
		p, err := parseNetwork(addr, bits)
		return mention{prefix: p}, err
	}
	if !isName(word) {
		return mention{}, errWord
	}
	return mention{name: strings.ToLower(strings.TrimSuffix(word, "."))}, nil
}

func parseNetwork(addr, bits string) (netip.Prefix, error) {
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return netip.Prefix{}, errWord
	}
	a = a.WithZone("")
	if mask, err := netip.ParseAddr(bits); err == nil && a.Is4() && mask.Is4() {
		n := maskBits(mask.As4())
		if n < 0 {
			return netip.Prefix{}, errors.New("has a netmask with holes")
		}
		return netip.PrefixFrom(a, n).Masked(), nil
	}
	n, err := strconv.Atoi(bits)
	if err != nil || n < 0 || n > a.BitLen() {
		return netip.Prefix{}, fmt.Errorf("is no network: after the slash comes a number from 0 to %d", a.BitLen())
	}
	return canonical(netip.PrefixFrom(a, n)), nil
}

// maskBits returns the length of a netmask, or -1 if its ones are not together.
func maskBits(mask [4]byte) int {
	n := 0
	for n < 32 && mask[n/8]>>(7-n%8)&1 == 1 {
		n++
	}
	if v4 := netip.AddrFrom4([4]byte{255, 255, 255, 255}); netip.PrefixFrom(v4, n).Masked().Addr() != netip.AddrFrom4(mask) {
		return -1
	}
	return n
}

// isName reports whether s can be the name of a host. One whose last label is a
// number is a mistyped address.
func isName(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if s == "" || len(s) > 253 {
		return false
	}
	labels := strings.Split(s, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.Trim(label, "-") != label || strings.ContainsFunc(label, notInName) {
			return false
		}
	}
	return strings.Trim(labels[len(labels)-1], "0123456789") != ""
}

func notInName(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
}

// hostOf returns the host of a URL, of host:port, or of what is a host already.
func hostOf(s string) string {
	if strings.Contains(s, "://") {
		if u, err := url.Parse(s); err == nil {
			return u.Hostname()
		}
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().String()
	}
	if host, port, ok := strings.Cut(s, ":"); ok && strings.Trim(port, "0123456789") == "" {
		return host
	}
	return s
}

// words splits what a person has listed.
func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\r' || r == '\n' })
}

// each splits the items of a list, but not the path of a file.
func each(items []string) []string {
	var all []string
	for _, item := range items {
		if item = strings.TrimSpace(item); strings.HasPrefix(item, "file:") {
			all = append(all, item)
			continue
		}
		all = append(all, words(item)...)
	}
	return all
}

// A file is what was last read of a file of words.
type file struct {
	info os.FileInfo
	text string
}

// read returns the file's text. If it cannot be read now, what was read last
// comes with the error: a lost file must not open the gate to a ban.
func (f *file) read(path string) (string, error) {
	info, err := os.Stat(path)
	f.info = info
	switch {
	case err != nil:
		return f.text, fmt.Errorf("cannot be read: %w", unwrapPath(err))
	case !info.Mode().IsRegular():
		return f.text, errors.New("is not a file")
	}
	r, err := os.Open(path)
	if err != nil {
		return f.text, fmt.Errorf("cannot be read: %w", unwrapPath(err))
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return f.text, fmt.Errorf("cannot be read: %w", unwrapPath(err))
	}
	if len(text) > maxFile {
		return f.text, fmt.Errorf("is larger than %d MiB", maxFile>>20)
	}
	f.text = string(text)
	return f.text, nil
}

// changed reports whether the file at path looks different from what was read.
func (f *file) changed(path string) bool {
	info, err := os.Stat(path)
	if err != nil || f.info == nil {
		return (err == nil) != (f.info != nil)
	}
	return !os.SameFile(info, f.info) || info.Size() != f.info.Size() || !info.ModTime().Equal(f.info.ModTime())
}

// unwrapPath drops the path from err: whoever says it names the file already.
func unwrapPath(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}
