package leak

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
)

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

func held(entry, target string, at time.Time) edgeban.Held {
	return edgeban.Held{Subject: netip.MustParsePrefix(entry), Target: target, Sent: at, Held: at}
}

func match(addr, jail string, at time.Time) edgeban.Match {
	return edgeban.Match{Jail: jail, Addr: netip.MustParseAddr(addr), Time: at, Text: "Password mismatch"}
}

// see shows lines of an address, held since noon, at some seconds after that.
func see(d *Detector, addr, jail string, seconds ...int) {
	for _, s := range seconds {
		m := match(addr, jail, noon.Add(time.Duration(s)*time.Second))
		d.Observe(m, []edgeban.Held{held(addr+"/32", "edge", noon)})
	}
}

func due(d *Detector, at time.Time) (entries string) {
	for _, l := range d.Due(at) {
		entries += l.Entry.String() + " "
	}
	return entries
}

func TestWhatIsEvidence(t *testing.T) {
	both := func(a, b time.Time) []edgeban.Held {
		return []edgeban.Held{held("192.0.2.9/32", "a", a), held("192.0.2.0/24", "b", b)}
	}
	released := held("192.0.2.9/32", "edge", noon)
	released.Released = noon.Add(time.Minute)
	sent := edgeban.Held{Subject: netip.MustParsePrefix("192.0.2.9/32"), Target: "edge", Sent: noon}
	edge := []edgeban.Held{held("192.0.2.9/32", "edge", noon)}
	for _, c := range []struct {
		name  string
		holds []edgeban.Held
		at    []int // seconds after noon
		jails []string
		want  bool
	}{
		{"two lines after the grace", edge, []int{61, 62}, []string{"a", "a"}, true},
		{"one of them is within it", edge, []int{60, 62}, []string{"a", "a"}, false},
		{"one line that two jails see", edge, []int{61, 61}, []string{"a", "b"}, false},
		{"two lines that two jails see", edge, []int{61, 61, 70, 70}, []string{"a", "b", "a", "b"}, true},
		{"it was sent, and is not held", []edgeban.Held{sent}, []int{61, 62}, []string{"a", "a"}, false},
		{"it was released", []edgeban.Held{released}, []int{61, 62}, []string{"a", "a"}, false},
		{"nobody holds it", nil, []int{61, 62}, []string{"a", "a"}, false},
		{"the second target holds it since later", both(noon, noon.Add(20*time.Second)), []int{61, 62, 80}, []string{"a", "a", "a"}, false},
		{"both hold it for long", both(noon, noon.Add(20*time.Second)), []int{81, 82}, []string{"a", "a"}, true},
	} {
		d := New()
		for i, s := range c.at {
			d.Observe(match("192.0.2.9", c.jails[i], noon.Add(time.Duration(s)*time.Second)), c.holds)
		}
		if got := len(d.Due(noon.Add(2*time.Minute))) > 0; got != c.want {
			t.Errorf("%s: a leak %v, want %v", c.name, got, c.want)
		}
	}
}

func TestACauseIsToldOnceWhoeverLeaks(t *testing.T) {
	d := New()
	now := noon.Add(2 * time.Minute)
	see(d, "192.0.2.1", "sshd", 70, 80)
	see(d, "192.0.2.2", "sshd", 70, 80)
	for i, want := range []bool{true, false} {
		if tell := d.Explain(d.Due(now)[0].Entry, Rule, "no rule", now); tell != want {
			t.Errorf("leak %d of a cause: told %v, want %v", i+1, tell, want)
		}
	}
	if left := due(d, now); left != "" {
		t.Errorf("due: %s, want none", left)
	}
	see(d, "192.0.2.3", "sshd", 70, 80)
	if !d.Explain(netip.MustParsePrefix("192.0.2.3/32"), Session, "a session", now) {
		t.Error("another cause is not told")
	}
}

// Lines that go on may have another cause by now: the rule is there, and a session
// goes on.
func TestACauseIsLookedForAgainWhileLinesGoOn(t *testing.T) {
	d := New()
	see(d, "192.0.2.1", "sshd", 70, 80)
	at := noon.Add(90 * time.Second)
	d.Explain(netip.MustParsePrefix("192.0.2.1/32"), Rule, "no rule", at)
	see(d, "192.0.2.1", "sshd", 300)
	if got := due(d, noon.Add(6*time.Minute)); got != "" {
		t.Errorf("due after minutes: %s, want none", got)
	}
	see(d, "192.0.2.1", "sshd", 700)
	if got := due(d, noon.Add(12*time.Minute)); got == "" {
		t.Error("not due after ten minutes of lines")
	}
}

func TestWhatCannotBeWorkedOutIsTriedAgainLater(t *testing.T) {
	d := New()
	see(d, "192.0.2.1", "sshd", 70, 80)
	entry, at := netip.MustParsePrefix("192.0.2.1/32"), noon.Add(90*time.Second)
	for want := 1; want <= 3; want++ {
		if due(d, at) == "" {
			t.Fatalf("try %d is not due", want)
		}
		if n := d.Puzzled(entry, at); n != want {
			t.Errorf("%d tries, want %d", n, want)
		}
		if due(d, at.Add(50*time.Second)) != "" {
			t.Error("due again within a minute")
		}
		at = at.Add(time.Minute)
	}
}

// A cause that people know of is not told again because the daemon was restarted,
// nor because whoever leaked first is gone.
func TestASnapshotKnowsWhatWasTold(t *testing.T) {
	d := New()
	now := noon.Add(2 * time.Minute)
	see(d, "192.0.2.1", "sshd", 70, 80)
	d.Explain(netip.MustParsePrefix("192.0.2.1/32"), Rule, "no rule", now)
	see(d, "192.0.2.2", "sshd", 70)
	d.Drop(netip.MustParsePrefix("192.0.2.1/32"))
	state, err := d.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if d, err = Restore(state); err != nil {
		t.Fatal(err)
	}
	see(d, "192.0.2.2", "sshd", 80)
	if got, want := due(d, now), "192.0.2.2/32 "; got != want {
		t.Fatalf("due: %q, want %q: its first line was before the restart", got, want)
	}
	if d.Explain(netip.MustParsePrefix("192.0.2.2/32"), Rule, "no rule", now) {
		t.Error("a cause is told again after a restart")
	}
	see(d, "192.0.2.3", "sshd", 70+25*60*60, 80+25*60*60)
	if !d.Explain(netip.MustParsePrefix("192.0.2.3/32"), Rule, "no rule", now.Add(25*time.Hour)) {
		t.Error("a cause that comes back after a day is not told")
	}
	if _, err := Restore([]byte("{")); err == nil {
		t.Error("a torn snapshot is taken")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	d := New()
	at := func(i int) string { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String() }
	const many = 2 * maxLeaks
	for _, from := range []int{100, 130} { // more than there are places for, in turn
		for i := range many {
			see(d, at(i), "sshd", from+i/100)
		}
	}
	if n := len(d.All()); n != maxLeaks {
		t.Errorf("%d are kept, want %d", n, maxLeaks)
	}
	if n := len(d.Due(noon.Add(200 * time.Second))); n != maxLeaks {
		t.Errorf("%d are due, want %d: who goes on keeps his place", n, maxLeaks)
	}
	for i := range maxLeaks / 2 {
		see(d, at(i), "sshd", 500)
	}
	see(d, at(many), "sshd", 800)
	if n := len(d.All()); n != maxLeaks/2+1 {
		t.Errorf("%d are kept, want %d: who was silent makes room", n, maxLeaks/2+1)
	}
	if d.Prune(noon.Add(48*time.Hour)) != true || len(d.All()) != 0 {
		t.Error("what was silent for a day is kept")
	}
}

// Services tell of some things when the connection ends.
func TestLateLinesAreKnown(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"imap-login: Info: Disconnected: Connection closed (auth failed, 2 attempts in 52 secs): user=<u>, rip=192.0.2.1":                    52 * time.Second,
		"imap-login: Info: Disconnected: Connection closed (client didn't finish SASL auth, waited 15 secs): user=<>":                        15 * time.Second,
		"imap-login: Info: Authenticate PLAIN failed: Request timed out waiting for client to continue authentication (150 secs): user=<>":   150 * time.Second,
		"imap-login: Aborted login (auth failed, 1 attempts): user=<admin>":                                                                  ending,
		"sshd[4242]: fatal: Timeout before authentication for 192.0.2.1 port 51000":                                                          ending,
		"sshd[4242]: Connection closed by invalid user admin 192.0.2.1 port 51000 [preauth]":                                                 ending,
		"postfix/smtpd[1]: lost connection after AUTH from unknown[192.0.2.1]":                                                               ending,
		"auth: Info: passwd-file(alice@example.com,192.0.2.1,<AHvG/dtgmsysHgAC>): Password mismatch":                                         0,
		"postfix/smtps/smtpd[464]: warning: unknown[192.0.2.1]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=alice": 0,
		"sshd[4242]: Failed password for root from 192.0.2.1 port 51000 ssh2":                                                                0,
		"postfix/smtpd[1]: warning: unknown[192.0.2.1]: SASL PLAIN authentication failed: x, sasl_username=in 999999 secs":                   ending, // what a client says delays an alarm by no more
	} {
		if got := Late(text); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestConnectionsAreTold(t *testing.T) {
	for text, want := range map[string]string{
		"auth: Info: passwd-file(alice@example.com,192.0.2.1,<AHvG/dtgmsysHgAC>): Password mismatch":                                                                 "AHvG/dtgmsysHgAC",
		"imap-login: Info: Disconnected (auth failed): user=<x>, rip=192.0.2.7, session=<zzzzzzzzzzzzzzzz>, method=PLAIN, rip=192.0.2.1, session=<AHvG/dtgmsysHgAC>": "AHvG/dtgmsysHgAC",
		"Aug 15 17:06:02 auth(tom@example.com,192.0.2.1,sasl:plain)<Cd5NZ2o8ZpysEQAB>: Info: passwd-file: Password mismatch":                                         "Cd5NZ2o8ZpysEQAB",
		"sshd[4242]: Failed password for root from 192.0.2.1 port 51000 ssh2":                                                                                        "51000",
		"postfix/postscreen[451]: PREGREET 81 after 0.01 from [192.0.2.1]:35137: EHLO spambot":                                                                       "35137",
		`{"ClientAddr":"192.0.2.1:56393","ClientHost":"192.0.2.1"}`:                                                                                                  "192.0.2.1:56393",
		"auth: Info: passwd-file(alice@example.com,192.0.2.1): Password mismatch":                                                                                    "",
		"postfix/smtps/smtpd[464]: warning: unknown[192.0.2.1]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=alice":                         "",
	} {
		if got := Connection(text); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestOnlyOldConnectionsContinue(t *testing.T) {
	l := Leak{Since: noon}
	in := func(seconds int, port string) edgeban.Match {
		m := match("192.0.2.1", "sshd", noon.Add(time.Duration(seconds)*time.Second))
		m.Text = "sshd[1]: Failed password for root from 192.0.2.1 port " + port + " ssh2"
		if port == "" {
			m.Text = "no connection is named"
		}
		return m
	}
	for _, c := range []struct {
		name string
		ms   []edgeban.Match
		want bool
	}{
		{"the same", []edgeban.Match{in(-9, "1"), in(70, "1"), in(80, "1")}, true},
		{"a new one", []edgeban.Match{in(-9, "1"), in(70, "1"), in(80, "2")}, false},
		{"nothing is named", []edgeban.Match{in(-9, ""), in(70, ""), in(80, "")}, false},
		{"nothing is known from before", []edgeban.Match{in(70, "1"), in(80, "1")}, false},
		{"nothing came since", []edgeban.Match{in(-9, "1")}, false},
	} {
		if got := l.Continues(c.ms, time.Minute); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestALeakWasHeldAllTheTime(t *testing.T) {
	d := New()
	see(d, "192.0.2.1", "sshd", 70, 80)
	l := d.All()[0]
	for what, c := range map[string]struct {
		holds []edgeban.Held
		want  bool
	}{
		"as it was":          {[]edgeban.Held{held("192.0.2.1/32", "edge", noon)}, true},
		"lost and held anew": {[]edgeban.Held{held("192.0.2.1/32", "edge", noon.Add(time.Hour))}, false},
		"gone":               {nil, false},
		"at one more target": {[]edgeban.Held{held("192.0.2.1/32", "edge", noon), held("192.0.2.1/32", "feed", noon)}, false},
	} {
		if got := l.Holds(c.holds); got != c.want {
			t.Errorf("%s: %v, want %v", what, got, c.want)
		}
	}
	see(d, "192.0.2.1", "sshd", 90)
	later := held("192.0.2.1/32", "edge", noon.Add(time.Hour))
	d.Observe(match("192.0.2.1", "sshd", noon.Add(2*time.Hour)), []edgeban.Held{later})
	if got := fmt.Sprint(d.All()[0].Count()); got != "1" {
		t.Errorf("after it was held anew: %s lines, want 1: it begins again", got)
	}
}
