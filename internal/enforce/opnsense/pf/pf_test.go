package pf

import (
	"encoding/json"
	"net/netip"
	"slices"
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

// A list is what bans are proven by: nothing that it says of packets may break it.
func TestRowsAreReadWhateverTheySayOfPackets(t *testing.T) {
	var l Listing
	text := `[{"ip":"203.0.113.9","in_block_p":3,"out_block_p":"4","in_pass_p":100},{"ip":"!192.0.2.1","in_block_p":9},{"ip":"2001:db8::/64","in_block_p":null},
		{"ip":"198.51.100.1","in_block_p":{"a":1}},{"ip":"10.0.0.1","in_block_p":-5,"out_block_p":1.5},{"ip":"203.0.113.9"},{"ip":"::ffff:192.0.2.7","in_block_p":8}]`
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		t.Fatal(err)
	}
	l.Sort()
	var entries []string
	for _, p := range l.Entries {
		entries = append(entries, p.String())
	}
	if want := []string{"10.0.0.1/32", "198.51.100.1/32", "203.0.113.9/32", "2001:db8::/64"}; !slices.Equal(entries, want) || l.Rows != 7 {
		t.Errorf("%d rows, entries %v, want 7 and %v", l.Rows, entries, want)
	}
	if want := []Drop{{netip.MustParsePrefix("203.0.113.9/32"), 7}}; !slices.Equal(l.Drops, want) {
		t.Errorf("drops %v, want %v", l.Drops, want)
	}
	for _, bad := range []string{`{"ip":"203.0.113.9"}`, `[{"ip":7}]`, `"x"`} {
		if err := json.Unmarshal([]byte(bad), &l); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}

// Whatever a firewall calls a state goes into a URL.
func TestStatesWithoutAnIDAreLeftOut(t *testing.T) {
	p := netip.MustParsePrefix("2001:db8::/64")
	all := []State{
		{ID: "0a/ff", Src: "2001:db8::5", Dst: "192.0.2.1"},
		{ID: "1/2", Src: "192.0.2.1", Dst: "2001:db8::9"},
		{ID: "3/4", Src: "2001:db8:1::5", Dst: "192.0.2.1"},
		{ID: "../../x", Src: "2001:db8::5"},
		{ID: "", Src: "2001:db8::5"},
		{ID: "5/6", Src: "2001:db8::", Dst: ""},
		{ID: "7/8", Src: "::", Dst: "x"},
	}
	var ids []string
	for _, s := range Of(all, p) {
		ids = append(ids, s.ID)
	}
	if want := []string{"0a/ff", "1/2", "5/6"}; !slices.Equal(ids, want) {
		t.Errorf("states %v, want %v", ids, want)
	}
}
