package never

import (
	"testing"
)

func TestWordsOfAnOwner(t *testing.T) {
	for _, c := range []struct{ word, prefix, name, err string }{
		{word: "192.0.2.1", prefix: "192.0.2.1/32"},
		{word: "192.0.2.77/24", prefix: "192.0.2.0/24"},
		{word: "192.0.2.77/255.255.255.0", prefix: "192.0.2.0/24"},
		{word: "0.0.0.0/0.0.0.0", prefix: "0.0.0.0/0"},
		{word: "2001:DB8::1", prefix: "2001:db8::1/128"},
		{word: "[2001:db8::1]", prefix: "2001:db8::1/128"},
		{word: "2001:db8:1::7/48", prefix: "2001:db8:1::/48"},
		{word: "::ffff:192.0.2.0/120", prefix: "192.0.2.0/24"},
		{word: "fe80::1%eth0", prefix: "fe80::1/128"},
		{word: "Home.Example.ORG.", name: "home.example.org"},
		{word: "my-host", name: "my-host"},
		{word: "4you.example", name: "4you.example"},
		{word: "192.0.2.300", err: "is neither an address, a network nor a name"},
		{word: "192.0.2", err: "is neither an address, a network nor a name"},
		{word: "12345", err: "is neither an address, a network nor a name"},
		{word: "-x.example", err: "is neither an address, a network nor a name"},
		{word: "a..b", err: "is neither an address, a network nor a name"},
		{word: "host$(id)", err: "is neither an address, a network nor a name"},
		{word: "host.example/24", err: "is neither an address, a network nor a name"},
		{word: "192.0.2.0/33", err: "is no network: after the slash comes a number from 0 to 32"},
		{word: "192.0.2.0/", err: "is no network: after the slash comes a number from 0 to 32"},
		{word: "192.0.2.0/-1", err: "is no network: after the slash comes a number from 0 to 32"},
		{word: "2001:db8::/129", err: "is no network: after the slash comes a number from 0 to 128"},
		{word: "192.0.2.0/255.0.255.0", err: "has a netmask with holes"},
	} {
		m, err := parseWord(c.word)
		got := struct{ word, prefix, name, err string }{word: c.word, name: m.name}
		if err != nil {
			got.err = err.Error()
		} else if m.prefix.IsValid() {
			got.prefix = m.prefix.String()
		}
		if got != c {
			t.Errorf("got %+v, want %+v", got, c)
		}
	}
}

func TestHostOfWhatTheConfigurationTalksTo(t *testing.T) {
	for s, want := range map[string]string{
		"https://192.168.123.1":               "192.168.123.1",
		"https://user:x@ntfy.example.org:8/t": "ntfy.example.org",
		"https://[2001:db8::1]:8443/":         "2001:db8::1",
		"ntfy.example.org:443":                "ntfy.example.org",
		"[2001:db8::1]:443":                   "2001:db8::1",
		"2001:db8::1":                         "2001:db8::1",
		"192.168.123.1:8443":                  "192.168.123.1",
		"opnsense":                            "opnsense",
		":8080":                               "",
	} {
		if got := hostOf(s); got != want {
			t.Errorf("hostOf(%q) = %q, want %q", s, got, want)
		}
	}
}

func FuzzWord(f *testing.F) {
	for _, s := range []string{"192.0.2.1", "192.0.2.0/255.255.255.0", "::ffff:1.2.3.4/96", "home.example.org", "[::1]", "::/0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := parseWord(s)
		switch {
		case err != nil:
		case m.name == "" && (!m.prefix.IsValid() || m.prefix != m.prefix.Masked() || m.prefix.Addr().Is4In6() && m.prefix.Bits() >= 96):
			t.Errorf("%q gave %v", s, m.prefix)
		case m.name != "" && !isName(m.name):
			t.Errorf("%q gave the name %q", s, m.name)
		}
	})
}
