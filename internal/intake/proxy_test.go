package intake

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
)

// replayed runs a captured log through a jail of its filter.
func replayed(t *testing.T, filter, name string) (*Trial, []Verdict) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "filter", "testdata", "captured", name))
	if err != nil {
		t.Fatal(err)
	}
	c := config.NewJail(filter)
	c.LogPath, c.LogTimezone = []string{"/log"}, time.UTC
	return replay(t, c, string(text))
}

func TestProxyInPlaceOfTheClientsIsADiagnosisNotABan(t *testing.T) {
	for filter, log := range map[string]string{"dovecot": "dovecot.nopp.log", "postfix": "postfix.nopp.log"} {
		r, vs := replayed(t, filter, log)
		if len(vs) != 0 {
			t.Errorf("%s: %d bans, want none: all lines show the proxy", log, len(vs))
		}
		if d := r.Proxy(); !strings.Contains(d, "172.30.0.2") || !strings.Contains(d, "haproxy") {
			t.Errorf("%s: diagnosis %q, want it to name the proxy and the setting", log, d)
		}
	}
}

func TestRealClientsAreNoProxy(t *testing.T) {
	for filter, log := range map[string]string{"dovecot": "dovecot.pp.log", "postfix": "postfix.pp.log"} {
		r, vs := replayed(t, filter, log)
		if len(vs) == 0 {
			t.Errorf("%s: no bans", log)
		}
		if d := r.Proxy(); d != "" {
			t.Errorf("%s: diagnosis %q, want none", log, d)
		}
	}
}

func TestAttackerInTheLANIsNoProxy(t *testing.T) {
	var v vantage
	m := edgeban.Match{Addr: netip.MustParseAddr("192.168.77.50"), Count: 1}
	for range 10 {
		if why := v.look(&m); why != "" {
			t.Fatalf("not counted: %s", why)
		}
	}
}
