package opnsense

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
)

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
	apply(t, a, prefixes("2001:db8::1", "2001:db8:1::/64", "198.51.100.0/24", "203.0.113.5"), prefixes("192.168.1.10"))
	if got := f.States(); len(got) != len(others) {
		t.Errorf("states left: %v, want %v", got, others)
	}
	if n := f.Count("kill_states"); n != 1 {
		t.Errorf("%d kills, want 1", n)
	}
	apply(t, reach(t, f), prefixes("192.168.1.20"), nil)
	if n := f.Count("kill_states"); n != 1 {
		t.Error("states were killed although nobody asked for it")
	}
}

func TestKillsAreSlowAndNoneAfterAReboot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := firewall(External, opnsensetest.ShowStates, opnsensetest.AliasView)
		a := reach(t, f, killing)
		start := time.Now()
		for _, p := range sequence(11) {
			apply(t, a, prefixes(p.Addr().String()), nil)
		}
		if took := time.Since(start); f.Count("kill_states") != 11 || took != 2*time.Second {
			t.Errorf("%d kills in %v, want 11 in 2s", f.Count("kill_states"), took)
		}
		apply(t, a, sequence(51), nil)
		if n := f.Count("kill_states"); n != 11 {
			t.Errorf("%d kills after a resync, want none", n-11)
		}
	})
}

func TestForbiddenKillsAreSaidOnceAndAreNoError(t *testing.T) {
	f := firewall(External)
	a := reach(t, f, killing)
	var log bytes.Buffer
	a.Log = slog.New(slog.NewTextHandler(&log, nil))
	for _, p := range sequence(3) {
		apply(t, a, prefixes(p.Addr().String()), nil)
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
	apply(t, a, sequence(1), nil)
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
