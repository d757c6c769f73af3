package filter

import (
	"testing"
	"time"
)

func TestHeadersAreTakenOff(t *testing.T) {
	o := origin{programs: []string{"app", "app/*"}, containers: []string{"shop"}, bare: true}
	at := func(h, m, s int) time.Time { return time.Date(2026, 11, 22, h, m, s, 0, time.UTC) }
	for _, tt := range []struct {
		line, msg, program string
		time               time.Time
	}{
		{"Nov 22 11:00:00 host app[7]: failed x", "failed x", "app", at(11, 0, 0)},
		{"Nov 22 11:00:00 app: failed x", "failed x", "app", at(11, 0, 0)},
		{"Nov 22 11:00:00 failed x", "failed x", "", at(11, 0, 0)},
		{"host app/in[7]: failed x", "failed x", "app/in", time.Time{}},
		{"failed x", "failed x", "", time.Time{}},
		{"<22>Nov 22 11:00:00 host app[7]: failed x", "failed x", "app", at(11, 0, 0)},
		{"54 <22>Nov 22 11:00:00 host app[7]: failed x", "failed x", "app", at(11, 0, 0)},
		{"<22>1 2026-11-22T11:00:00Z host app 7 - - failed x", "failed x", "app", at(11, 0, 0)},
		{"<22>1 - host app 7 - - failed x", "failed x", "app", time.Time{}},
		{`<22>1 2026-11-22T11:00:00Z host app 7 id [a@1 b="\"] "][c d="e"] ` + "\uFEFFfailed x", "failed x", "app", at(11, 0, 0)},
		{"<22>1 2026-11-22T12:00:00Z host shop-app-1 7 x - Nov 22 11:00:00 failed x", "failed x", "", at(12, 0, 0)},
		{"<22>Nov 22 12:00:00 a1b2c3d4e5f6[9]: Nov 22 11:00:00 host app[7]: failed x", "failed x", "app", at(11, 0, 0)},
		{"<22>Nov 22 12:00:00 relay shop-app-1[9]: Nov 22 11:00:00 host app[7]: failed x", "failed x", "app", at(11, 0, 0)},
		{"Nov 22 12:00:00 relay my_SHOP[9]: failed x", "failed x", "", at(12, 0, 0)},
		{"2026-11-22T12:00:00+01:00 app: Nov 22 11:30:00 failed x", "failed x", "app", at(11, 0, 0)},
		{"[2026-11-22 11:00:00] app: failed x", "failed x", "app", at(11, 0, 0)},
		// Another program's line keeps its name.
		{"Nov 22 11:00:00 host other[7]: failed x", "host other[7]: failed x", "", at(11, 0, 0)},
		{"Nov 22 11:00:00 host other[7]: Nov 22 11:00:00 host app[7]: failed x", "host other[7]: Nov 22 11:00:00 host app[7]: failed x", "", at(11, 0, 0)},
		{"Nov 22 11:00:00 host workshop[7]: Nov 22 11:00:00 failed x", "host workshop[7]: Nov 22 11:00:00 failed x", "", at(11, 0, 0)},
		{"Nov 22 11:00:00 host shop: failed x", "host shop: failed x", "", at(11, 0, 0)},
	} {
		msg, h, ok := o.undress([]byte(tt.line), captured, time.UTC)
		if !ok || string(msg) != tt.msg || string(h.program) != tt.program || !h.stamp.Equal(tt.time) {
			t.Errorf("%q: got %q of %q at %v %v, want %q of %q at %v", tt.line, msg, h.program, h.stamp, ok, tt.msg, tt.program, tt.time)
		}
	}
}

func TestOthersLinesAreRefusedWhereTheNameIsNeeded(t *testing.T) {
	o := origin{programs: []string{"app"}}
	for _, line := range []string{
		"Nov 22 11:00:00 host other[7]: failed x", "failed x", "Nov 22 11:00:00 failed x",
		"<22>1 2026-11-22T11:00:00Z host other 7 - - failed x", "<22>1 2026-11-22T11:00:00Z host app 7 - [x failed x",
	} {
		if msg, _, ok := o.undress([]byte(line), captured, time.UTC); ok {
			t.Errorf("%q: got %q, want it refused", line, msg)
		}
	}
}

func TestStarStandsForAnyText(t *testing.T) {
	for _, tt := range []struct {
		pattern, s string
		want       bool
	}{
		{"a", "a", true},
		{"a", "ab", false},
		{"a*", "abc", true},
		{"*c", "abc", true},
		{"a*c", "ac", true},
		{"postfix*/smtpd", "postfix/submission/smtpd", true},
		{"postfix*/smtpd", "postfix/smtp", false},
		{"a*b*c", "axbxc", true},
		{"a*b*c", "axc", false},
		{"", "", true},
		{"", "x", false},
		{"*", "", true},
	} {
		if got := glob(tt.pattern, []byte(tt.s)); got != tt.want {
			t.Errorf("%q on %q: got %v, want %v", tt.pattern, tt.s, got, tt.want)
		}
	}
}
