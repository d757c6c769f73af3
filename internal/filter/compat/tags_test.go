package compat

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/filter/pyre"
)

// took searches a text and returns what the named groups took.
func took(t *testing.T, expr, text string, dns config.UseDNS) (map[string]string, bool) {
	t.Helper()
	e, err := expand(expr, dns)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	re, err := pyre.Compile(e.String(), 0)
	if err != nil {
		t.Fatalf("%s: %v", e.String(), err)
	}
	var m pyre.Matcher
	if !m.Search(re, []byte(text)) {
		return nil, false
	}
	got := map[string]string{}
	for _, name := range re.Groups() {
		if v := group(&m, []byte(text), re.Group(name)); name != "" && v != nil {
			got[name] = string(v)
		}
	}
	return got, true
}

func TestWhatTagsTake(t *testing.T) {
	for _, tt := range []struct {
		expr, text string
		want       string // group=value and a space, in any order; - for no match
	}{
		{"from <HOST>$", "from 192.0.2.1", "ip4=192.0.2.1"},
		{"from <HOST>$", "from [192.0.2.1]", "ip4=192.0.2.1"},
		{"from <HOST>$", "from ::ffff:192.0.2.1", "ip4=192.0.2.1"},
		{"from <HOST>$", "from ::FFFF:192.0.2.1", "ip4=192.0.2.1"},
		{"from <HOST>$", "from 0:0:0:0:0:ffff:192.0.2.1", "ip4=192.0.2.1"},
		{"from <HOST>$", "from 0000:0000:0000:0000:0000:FFFF:192.0.2.1", "ip4=192.0.2.1"},
		{"from <HOST>$", "from 0::ffff:192.0.2.1", "ip4=192.0.2.1"},
		{"from <HOST>$", "from 2001:db8::7", "ip6=2001:db8::7"},
		{"from <HOST>$", "from [2001:DB8::7]", "ip6=2001:DB8::7"},
		{"from <HOST>$", "from ::1", "ip6=::1"},
		{"from <HOST>$", "from 2001:db8::", "ip6=2001:db8::"},
		{"from <HOST>$", "from ::2:3:4:5:6:7:8", "ip6=::2:3:4:5:6:7:8"},
		{"from <HOST>$", "from 1:2:3:4:5:6:7:8", "ip6=1:2:3:4:5:6:7:8"},
		{"from <HOST>:\\d+$", "from 1:2:3:4:5:6:7:8:22", "ip6=1:2:3:4:5:6:7:8"},
		{"from <HOST>$", "from mail.example.com", "dns=mail.example.com"},
		{"from <HOST>$", "from mail.example.com.", "-"},
		{"from <ADDR>$", "from mail.example.com", "-"},
		{"from <ADDR>$", "from \u0661.2.3.4", "-"},
		{"from <IP4> x", "from 192.0.2.1 x", "ip4=192.0.2.1"},
		{"from <F-IP4/>$", "from 2001:db8::7", "-"},
		{"from <IP6>$", "from 2001:db8::7", "ip6=2001:db8::7"},
		{"from <F-IP6/>$", "from 192.0.2.1", "-"},
		{"from <DNS>$", "from a-b_c^d.e", "dns=a-b_c^d.e"},
		{"<F-DNS/>$", "x", "dns=x"},
		{"net <SUBNET>$", "net [192.0.2.1/24]", "ip4=192.0.2.1 cidr=24"},
		{"net <F-SUBNET/>$", "net 2001:db8::", "ip6=2001:db8::"},
		{"<F-ADDR/>/<CIDR>$", "192.0.2.1/24", "ip4=192.0.2.1 cidr=24"},
		{"<F-CIDR/>", "x/24", "cidr=24"},
		{"id=<F-ID/>,", "id=a-b, c", "fid=a-b"},
		{"port <F-PORT/>", "port ssh2 x", "fport=ssh2"},
		{"<F-ID>a+</F-ID> <F-PORT>b</F-PORT> <F-USER>c?</F-USER>", "aa b c", "fid=aa fport=b user=c"},
		{"<F-ALT_USER_1>x</F-ALT_USER_1>", "x", "alt_user_1=x"},
		{"a<SKIPLINES>z", "a\nb\nc\nz", "skiplines0=b\nc\n"},
		{"a<SKIPLINES>m<SKIPLINES>z", "a\nm\nc\nz", "skiplines0= skiplines1=c\n"},
		{"x<F-user>", "x<F-user>", ""},
		{"x<foo></F-USER><F-USER/>", "x<foo></F-USER><F-USER/>", ""},
		{"<host>", "<host>", ""},
		{"((?i)Bad) (?:(?i)NEWS)x", "bAD newsx", ""},
		{`\((?:i)`, "(i", ""},
	} {
		got, ok := took(t, tt.expr, tt.text, config.Warn)
		if !ok {
			if tt.want != "-" {
				t.Errorf("%q on %q: no match, want %q", tt.expr, tt.text, tt.want)
			}
			continue
		}
		want := map[string]string{}
		for _, one := range strings.Split(tt.want, " ") {
			if k, v, ok := strings.Cut(one, "="); ok {
				want[k] = v
			}
		}
		if len(got) != len(want) {
			t.Errorf("%q on %q: got %q, want %q", tt.expr, tt.text, got, tt.want)
		}
		for k, v := range want {
			if got[k] != v {
				t.Errorf("%q on %q: %s is %q, want %q", tt.expr, tt.text, k, got[k], v)
			}
		}
	}
}

func TestHostIsNoNameWithoutDNS(t *testing.T) {
	if got, ok := took(t, "from <HOST>$", "from mail.example.com", config.No); ok {
		t.Errorf("got %q, want no match", got)
	}
	if got, _ := took(t, "from <HOST>$", "from 2001:db8::7", config.No); got["ip6"] != "2001:db8::7" {
		t.Errorf("got %q, want the address", got)
	}
}

func TestEveryAddressIsTaken(t *testing.T) {
	for _, text := range []string{
		"0.0.0.1", "255.255.255.255", "192.0.2.10",
		"::1", "1::", "1::8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", "1::3:4:5:6:7:8", "1:2:3:4:5:6::8",
		"fe80::1", "2001:0DB8:0000:0000:0000:0000:0000:0001", "::ffff:102:304", "::FFFF:102:304",
	} {
		got, _ := took(t, "^a <ADDR> z$", "a "+text+" z", config.Warn)
		addr := got["ip4"] + got["ip6"]
		if a, err := netip.ParseAddr(addr); err != nil || a != netip.MustParseAddr(text) {
			t.Errorf("%s: took %q, want all of it", text, addr)
		}
	}
}

func TestOriginOfAMistake(t *testing.T) {
	const text = "a <HOST> b((?i)c) <F-USER>d</F-USER> e"
	e, err := expand(text, config.Warn)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"a ", " b", "c) ", "d", " e"} {
		if got, want := e.origin(strings.LastIndex(e.String(), part)), strings.LastIndex(text, part); got != want {
			t.Errorf("%q: got byte %d, want %d", part, got, want)
		}
	}
	if got, want := e.origin(strings.Index(e.String(), "ip6")), strings.Index(text, "<HOST>"); got != want {
		t.Errorf("inside of the tag: got byte %d, want %d", got, want)
	}
}
