package filter

import (
	"net/netip"
	"testing"
)

func TestSamplesOfEveryBuiltin(t *testing.T) {
	for _, name := range Builtin() {
		f, err := Load(name)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		results := f.Test()
		if len(results) == 0 {
			t.Errorf("%s has no samples", name)
		}
		for _, r := range results {
			if r.Err != nil {
				t.Errorf("%s: %v\n%s", r.Where, r.Err, r.Line)
			}
		}
	}
}

// What is read without a string must be what netip makes of the string.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"192.0.2.1", "0.0.0.0", "01.2.3.4", "1.2.3.256", "1.2.3", "1.2.3.4.", "::ffff:1.2.3.4", "2001:db8::1", "fe80::1%eth0", "1..2.3", "255.255.255.255", "00.0.0.1"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		want, err := netip.ParseAddr(string(text))
		ok := err == nil && want.Zone() == "" && !want.Unmap().IsUnspecified()
		if got, found := Address(text); found != ok || ok && got != want.Unmap() {
			t.Errorf("%q: got %v, %v, want %v, %v", text, got, found, want, ok)
		}
	})
}
