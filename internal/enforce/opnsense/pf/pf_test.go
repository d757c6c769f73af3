package pf

import (
	"net/netip"
	"testing"
	"time"
)

func TestAgesAreRead(t *testing.T) {
	for text, want := range map[string]time.Duration{"00:01:20": 80 * time.Second, "123:00:00": 123 * time.Hour, "": -1, "1:2": -1, "a:b:c": -1, "00:-1:00": -1} {
		d, ok := State{Age: text}.For()
		if !ok {
			d = -1
		}
		if d != want {
			t.Errorf("%q: %v, want %v", text, d, want)
		}
	}
}

func TestWhoBeganIt(t *testing.T) {
	a := netip.MustParseAddr("203.0.113.9")
	for src, want := range map[string]bool{"203.0.113.9": true, "::ffff:203.0.113.9": true, "203.0.113.90": false, "": false, "host": false} {
		if got := (State{Src: src}).From(a); got != want {
			t.Errorf("%q: %v, want %v", src, got, want)
		}
	}
}

func TestNetworksBehindTheFirewall(t *testing.T) {
	for _, c := range []struct {
		tables []string
		want   string
	}{
		{[]string{"bans", "__wan_network", "__opt1_network"}, "opt1"},
		{[]string{"__wan_network", "__lo0_network", "bogons", "lan_network", "__lan"}, ""},
		{nil, ""},
	} {
		if got := Behind(c.tables, "wan"); got != c.want {
			t.Errorf("%v: %q, want %q", c.tables, got, c.want)
		}
	}
}
