package opnsense

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
)

// ban adds addresses and ends their connections, as a keeper does.
func ban(t *testing.T, a *Alias, ps ...netip.Prefix) {
	t.Helper()
	apply(t, a, ps, nil)
	for _, p := range ps {
		a.Break(t.Context(), p)
	}
}

func killing(c *config.OPNsense) { c.States = true }

// The firewall takes "::1" for a search for "1" and ends nearly every connection.
func TestOnlyPlainIPv4StatesAreKilled(t *testing.T) {
	f := firewall(External, opnsensetest.ShowStates)
	mine := opnsensetest.State{ID: "1/a", Src: "203.0.113.5", Dst: "192.168.1.10"}
	others := []opnsensetest.State{
		{ID: "2/a", Src: "192.168.1.20", Dst: "198.51.100.7"},
		{ID: "3/a", Src: "2001:db8::5", Dst: "2001:db8:1::1"},
		{ID: "4/a", Src: "203.0.113.50", Dst: "192.168.1.10"},
	}
	f.SetStates(append(others, mine)...)
	a := reach(t, f, killing)
	ban(t, a, prefixes("2001:db8::1", "2001:db8:9::/64", "198.18.0.0/24", "203.0.113.5")...)
	if got := f.States(); len(got) != len(others) {
		t.Errorf("states left: %v, want %v", got, others)
	}
	if n := f.Count("kill_states"); n != 1 {
		t.Errorf("%d kills, want 1", n)
	}
	ban(t, reach(t, f), prefixes("192.168.1.20")...)
	if n := f.Count("kill_states"); n != 1 {
		t.Error("states were killed although nobody asked for it")
	}
}

func TestKillsAreSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := firewall(External, opnsensetest.ShowStates, opnsensetest.AliasView)
		a := reach(t, f, killing)
		start := time.Now()
		for _, p := range sequence(11) {
			ban(t, a, p)
		}
		if took := time.Since(start); f.Count("kill_states") != 11 || took != 2*time.Second {
			t.Errorf("%d kills in %v, want 11 in 2s", f.Count("kill_states"), took)
		}
	})
}

func TestForbiddenKillsAreSaidOnceAndAreNoError(t *testing.T) {
	f := firewall(External)
	a := reach(t, f, killing)
	var log bytes.Buffer
	a.Log = slog.New(slog.NewTextHandler(&log, nil))
	for _, p := range sequence(3) {
		ban(t, a, p)
	}
	if n := f.Count("kill_states"); n != 1 || strings.Count(log.String(), "\n") != 1 {
		t.Errorf("%d attempts, log %q; want one of each", n, log.String())
	}
	if !strings.Contains(strings.Join(a.Notes(), "\n"), "Diagnostics: Show States") {
		t.Errorf("notes %q do not say it", a.Notes())
	}
	held(t, a, sequence(3)...)
}

func TestAFailedKillIsNoErrorOfTheBan(t *testing.T) {
	f := firewall(External, opnsensetest.ShowStates, opnsensetest.AliasView)
	fails := &failing{Firewall: f}
	c := f.Config()
	killing(&c)
	a, err := NewWithTransport(c, fails)
	if err != nil {
		t.Fatal(err)
	}
	held(t, a)
	ban(t, a, sequence(1)...)
	held(t, a, sequence(1)...)
	if fails.n != 1 {
		t.Errorf("%d kills failed, want 1", fails.n)
	}
}

// failing is a firewall on which every kill fails.
type failing struct {
	*opnsensetest.Firewall
	n int
}

func (f *failing) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.Contains(r.URL.Path, "kill_states") {
		f.n++
		return canned{status: 500, body: `{"errorMessage":"Unexpected error"}`}.RoundTrip(r)
	}
	return f.Client().RoundTrip(r)
}

// Every version ends the connections of an IPv6 address and of networks, and no
// others: those before 26.1.3 find none by their text.
func TestStatesOfIPv6AndOfNetworksAreEnded(t *testing.T) {
	for _, version := range []string{"25.1", "25.7.11", "26.1.2", "26.1.3", "26.7.2"} {
		t.Run(version, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := opnsensetest.New(opnsensetest.Options{Version: version, Latency: true})
				others := []opnsensetest.State{
					{ID: "10/a", Src: "2001:db8:0:1::5", Dst: "2001:db8:1::1"},
					{ID: "11/a", Src: "192.168.1.1", Dst: "198.51.100.7"},
					{ID: "12/a", Src: "2001:db8::55", Dst: "2001:db8:1::1"},
					{ID: "13/a", Src: "203.0.113.9", Dst: "192.168.1.10"},
					{ID: "../../14/a", Src: "2001:db8::5", Dst: "2001:db8:1::1"}, // no ID
				}
				a := reach(t, f, killing)
				for i, subject := range []string{"2001:db8::5", "2001:db8:7::/64", "198.18.0.0/24", "2001:db8::5"} {
					in := prefixes(subject)[0].Addr().String()
					if strings.Contains(subject, "/") {
						in = prefixes(subject)[0].Addr().Next().String()
					}
					f.SetStates(append(slices.Clone(others), opnsensetest.State{ID: "1/a", Src: in, Dst: "2001:db8:1::1"}, opnsensetest.State{ID: "2/b", Src: "192.168.1.9", Dst: in})...)
					ban(t, a, prefixes(subject)...)
					if got := f.States(); !slices.EqualFunc(got, others, func(a, b opnsensetest.State) bool { return a.ID == b.ID }) {
						t.Errorf("%d: %s is banned: states left %+v, want %+v", i, subject, got, others)
					}
				}
				if n, recent := f.Count("query_states"), version > "26.1.2"; recent && n != 4 || !recent && n != 5 {
					t.Errorf("%d lists of states for 4 bans", n)
				}
				if n := f.Count("kill_states"); n > 0 {
					t.Errorf("%d states were killed by their text, want none", n)
				}
			})
		})
	}
}
