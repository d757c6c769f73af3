package zone

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/edgeban/edgeban/internal/config"
)

func prefix(s string) netip.Prefix {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen())
	}
	return netip.MustParsePrefix(s)
}

var zones = []config.Zone{
	{Name: "iot", Networks: []netip.Prefix{prefix("192.168.2.0/24")}, Policy: config.PolicyNotify},
	{Name: "camera", Networks: []netip.Prefix{prefix("192.168.2.64/28")}, Targets: []string{"proxy"}, Policy: config.PolicyBan},
	{Name: "lan", Targets: []string{"proxy", "logins"}, Policy: config.PolicyBan},
	{Name: config.Internet, Escalate: []string{"proxy", "logins"}, Policy: config.PolicyBan},
}

var own = []netip.Prefix{prefix("192.168.1.10/24"), prefix("2001:db8:1::10/64"), prefix("203.0.113.77"), prefix("127.0.0.1/8")}

func TestWhoIsInWhichZone(t *testing.T) {
	m := New(zones, own)
	for subject, want := range map[string]string{
		"192.168.2.5": "iot", "192.168.2.70": "camera", "192.168.2.0/24": "iot", "192.168.0.0/22": "lan", "192.168.1.50": "lan", "10.1.2.3": "lan", "fd00::1": "lan",
		"2001:db8:1::50": "lan", "2001:db8:1::/64": "lan", "2001:db8::/32": config.Internet, "2001:db8:2::1": config.Internet, "198.51.100.1": config.Internet,
		"203.0.113.77": config.Internet, // its own network is that address alone: who is behind it is not known
	} {
		z := m.Of(prefix(subject))
		if z == nil || z.Name != want {
			t.Errorf("%s is in %+v, want %s", subject, z, want)
		}
		if got := m.Inside(prefix(subject)); got != (want != config.Internet) {
			t.Errorf("%s is inside: %v", subject, got)
		}
	}
	if z := m.Of(netip.Prefix{}); z != nil {
		t.Errorf("nothing is in %+v", z)
	}
}

// Without zones everything is as it was before there were any.
func TestWithoutZonesNothingChanges(t *testing.T) {
	for _, m := range []*Map{nil, New(nil, own)} {
		if why := m.Refuse(prefix("192.168.1.50")); why == "" {
			t.Error("a private address is sent")
		}
		for _, subject := range []string{"198.51.100.1", "2001:db8:1::50"} {
			sends, decided := m.Sends(prefix(subject), "edge")
			if why := m.Refuse(prefix(subject)); why != "" || !sends || decided || m.Inside(prefix(subject)) {
				t.Errorf("%s: refused %q, sent %v, decided %v", subject, why, sends, decided)
			}
		}
	}
}

func TestWhatGoesWhere(t *testing.T) {
	m := New(zones, own)
	for _, c := range []struct {
		subject, target string
		sends           bool
		refused         bool
	}{
		{"192.168.1.50", "proxy", true, false},
		{"192.168.1.50", "edge", false, false},
		{"192.168.2.5", "proxy", false, true},
		{"192.168.2.70", "proxy", true, false},
		{"192.168.2.70", "logins", false, false},
		{"198.51.100.1", "edge", true, false},
		{"198.51.100.1", "proxy", false, false},
	} {
		sends, _ := m.Sends(prefix(c.subject), c.target)
		if why := m.Refuse(prefix(c.subject)); sends != c.sends || (why != "") != c.refused {
			t.Errorf("%s at %s: sent %v, refused %q; want %v, %v", c.subject, c.target, sends, why, c.sends, c.refused)
		}
	}
	only := New([]config.Zone{{Name: config.Internet, Targets: []string{"edge"}, Policy: config.PolicyBan}}, own)
	if sends, decided := only.Sends(prefix("198.51.100.1"), "proxy"); sends || !decided {
		t.Error("what the zone of the internet does not name holds its bans")
	}
	if only.Refuse(prefix("192.168.1.50")) == "" {
		t.Error("a private address that is in no zone is sent")
	}
}

func TestTheLadderIsClimbedStepByStep(t *testing.T) {
	l, z, now := NewLadder(), &zones[3], time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	entry := prefix("198.51.100.1")
	climb := func(want string) {
		t.Helper()
		got := l.Next(z, entry, now)
		if got != want {
			t.Fatalf("next is %q, want %q", got, want)
		}
		if got != "" {
			l.Raise(Step{Entry: entry, At: now, From: "edge", To: got}, now.Add(48*time.Hour))
		}
		now = now.Add(time.Hour)
	}
	climb("proxy")
	climb("logins")
	climb("")
	if got := l.Next(nil, entry, now); got != "" {
		t.Errorf("without a zone: %q", got)
	}
	if l.Raised(prefix("198.51.100.2"), "proxy", now) || !l.Raised(entry, "proxy", now) {
		t.Error("it stands for another, or not for whom it was taken")
	}
	state, err := l.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Restore(state)
	if err != nil || !slices.Equal(again.About(entry), l.About(entry)) || len(again.About(entry)) != 2 {
		t.Errorf("after a restart: %+v, %v, want %+v", again.About(entry), err, l.About(entry))
	}
	if now = now.Add(72 * time.Hour); again.Raised(entry, "proxy", now) {
		t.Error("the step outlives its ban")
	}
	l.Raise(Step{Entry: entry, At: now, To: "proxy"}, time.Time{})
	if !l.Raised(entry, "proxy", now.Add(10_000*time.Hour)) {
		t.Error("the step of a ban for ever has ended")
	}
	if _, err := Restore([]byte("{")); err == nil {
		t.Error("a damaged snapshot is read")
	}
}

func TestTheLadderForgets(t *testing.T) {
	l, now := NewLadder(), time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	a := netip.MustParseAddr("10.0.0.0")
	for range maxSteps + 100 {
		a = a.Next()
		l.Raise(Step{Entry: netip.PrefixFrom(a, 32), At: now, To: "proxy"}, now.Add(time.Hour))
		now = now.Add(time.Millisecond)
		if len(l.steps) > maxSteps {
			t.Fatalf("%d entries, want %d at most", len(l.steps), maxSteps)
		}
	}
	l.Raise(Step{Entry: prefix("192.0.2.1"), At: now.Add(30 * 24 * time.Hour), To: "proxy"}, now)
	if got := len(l.About(prefix("0.0.0.0/0"))); got != 1 {
		t.Errorf("a month later %d steps are known, want the new one", got)
	}
}
