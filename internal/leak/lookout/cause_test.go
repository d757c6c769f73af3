package lookout

import (
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/enforce"
	"github.com/edgeban/edgeban/internal/enforce/gate"
	"github.com/edgeban/edgeban/internal/leak"
)

// nothing is a ledger that knows no lines.
type nothing struct{ Ledger }

func (nothing) About(context.Context, netip.Prefix, int) (edgeban.Record, error) {
	return edgeban.Record{}, nil
}

// Whom a door refuses comes on, and what comes of that may be lines: no ban leaks there.
func TestWhomADoorRefusesLeaksNothing(t *testing.T) {
	addr := netip.MustParseAddr("192.168.1.50")
	g := gate.New("Dovecot")
	door := enforce.NewKeeper(enforce.Settings{Name: "logins", Target: g, Log: slog.New(slog.DiscardHandler)})
	l := New(Settings{
		Ledger: nothing{}, Grace: func() time.Duration { return time.Minute }, Log: slog.New(slog.DiscardHandler),
		Networks: func() ([]netip.Prefix, error) { return nil, nil },
	})
	c := cause{Lookout: l, keepers: []*enforce.Keeper{door}, leak: leak.Leak{Entry: netip.PrefixFrom(addr, 32), Addr: addr, Since: time.Now().Add(-time.Hour)}}
	find := func() finding {
		t.Helper()
		f, err := c.find(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	if f := find(); f.cause != leak.Unfetched || !strings.Contains(f.why, "Dovecot has not asked") {
		t.Errorf("nobody asks: %+v", f)
	}
	g.Refuses(netip.MustParseAddr("203.0.113.1"))
	if f := find(); f.cause != leak.Elsewhere {
		t.Errorf("it asks, for others alone: %+v, want another way", f)
	}
	if err := g.Apply(t.Context(), enforce.Diff{Want: []netip.Prefix{c.leak.Entry}}); err != nil {
		t.Fatal(err)
	}
	g.Refuses(addr)
	if f := find(); f.cause != leak.Refused {
		t.Errorf("refused a moment ago: %+v", f)
	}
}
