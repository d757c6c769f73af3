package endpoint

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/edgeban/edgeban/internal/config"
)

func TestAllConnectionsAreBounded(t *testing.T) {
	l := Limit(nil, Bounds{All: 100, Client: 1}).(*limited)
	got := 0
	for i := range 200 {
		if l.enter(netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)}), 32)) {
			got++
		}
	}
	if got != 100 {
		t.Errorf("%d connections of as many clients, want %d", got, 100)
	}
	for _, a := range []string{"2001:db8::1", "2001:db8::2"} {
		if got, want := clientOf(&net.TCPAddr{IP: net.ParseIP(a)}).String(), "2001:db8::/64"; got != want {
			t.Errorf("%s counts as %s, want %s", a, got, want)
		}
	}
}

func TestOnlyWhoMayIsAdmitted(t *testing.T) {
	lan := []netip.Prefix{netip.MustParsePrefix("192.168.77.0/24")}
	token := config.NewSecret("a long word")
	for _, c := range []struct {
		name   string
		access Access
		client string
		bearer string
		want   int
	}{
		{"loopback, nothing configured", Access{}, "127.0.0.1:4", "", 200},
		{"elsewhere, nothing configured", Access{}, "192.168.77.5:4", "", 403},
		{"elsewhere, nothing configured, an empty token", Access{}, "192.168.77.5:4", "Bearer ", 403},
		{"on the list", Access{Allow: lan}, "192.168.77.5:4", "", 200},
		{"on the list as IPv4 in IPv6", Access{Allow: lan}, "[::ffff:192.168.77.5]:4", "", 200},
		{"not on the list", Access{Allow: lan}, "192.168.78.5:4", "", 403},
		{"loopback, a list without it", Access{Allow: lan}, "127.0.0.1:4", "", 403},
		{"loopback without the token", Access{Token: token}, "127.0.0.1:4", "", 401},
		{"with the token", Access{Token: token}, "203.0.113.9:4", "Bearer a long word", 200},
		{"a part of the token", Access{Token: token}, "203.0.113.9:4", "Bearer a long", 401},
		{"the token in another scheme", Access{Token: token}, "203.0.113.9:4", "Digest a long word", 401},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.client
		if c.bearer != "" {
			r.Header.Set("Authorization", c.bearer)
		}
		if got := c.access.Admit(r, Bearer); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
