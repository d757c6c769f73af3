package intake

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/never"
)

// door is a jail in the way of fail2ban over lines such as "2026-11-22 12:00:01 refused 203.0.113.9".
func door() config.Jail {
	return config.Jail{
		Name: "door", Rules: &config.Rules{FailRegex: []string{"^ refused <HOST>$"}}, LogPath: []string{"/log"}, Count: config.Rate,
		MaxRetry: 2, FindTime: 10 * time.Minute, BanTime: time.Minute, LogTimezone: time.UTC, IPv6Prefix: 128,
	}
}

// replay runs a log through one jail.
func replay(t *testing.T, c config.Jail, log string) (*Trial, []Verdict) {
	t.Helper()
	r := opened(t, c)
	return r.Trials[0], verdicts(t, r, log)
}

// opened is a replay in the afternoon of the day of the logs.
func opened(t *testing.T, cs ...config.Jail) *Replay {
	t.Helper()
	r := &Replay{
		Forget: time.Hour, Now: time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC),
		Never: (&never.Finder{Never: []string{"192.0.2.1"}}).Find(t.Context()),
	}
	for _, c := range cs {
		r.Trials = append(r.Trials, &Trial{Jail: c})
	}
	if err := r.Open(); err != nil {
		t.Fatal(err)
	}
	return r
}

func verdicts(t *testing.T, r *Replay, texts ...string) (vs []Verdict) {
	t.Helper()
	var logs []Log
	for _, text := range texts {
		logs = append(logs, Log{"log", func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }})
	}
	for some, err := range r.Files(t.Context(), logs) {
		if err != nil {
			t.Fatal(err)
		}
		vs = append(vs, some...)
	}
	return vs
}

func refused(addr string, seconds ...int) (log string) {
	for _, s := range seconds {
		log += fmt.Sprintf("2026-11-22 12:00:%02d refused %s\n", s, addr)
	}
	return log
}

func TestWhatProlongsABanIsNoSecondBan(t *testing.T) {
	_, vs := replay(t, door(), refused("203.0.113.9", 1, 2, 30, 31)+refused("203.0.113.8", 40, 41))
	var got []string
	for _, v := range vs {
		got = append(got, fmt.Sprint(v.Ban.Subject.Addr(), v.Prolongs))
	}
	if want := []string{"203.0.113.9 false", "203.0.113.9 true", "203.0.113.8 false"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q: who, and whether it prolongs", got, want)
	}
}

func TestWhoIsIgnoredIsNamedWithTheReason(t *testing.T) {
	r, vs := replay(t, door(), refused("127.0.0.1", 1)+refused("192.0.2.1", 2, 3, 4))
	if len(vs) != 0 {
		t.Errorf("%d bans, want none", len(vs))
	}
	who, n := r.Ignored()
	if len(who) != 2 || who[0].Addr != netip.MustParseAddr("192.0.2.1") || !strings.Contains(who[0].Why, "never") || n[0] != 3 || n[1] != 1 {
		t.Errorf("got %v %v, want 192.0.2.1 first, three times, and why", who, n)
	}
}

// A log that nobody can read must not look like a log without attacks.
func TestLogInAnotherFormIsSaidToBe(t *testing.T) {
	json := `{"time":"2026-11-22T12:00:01Z","log":"refused 203.0.113.9"}` + "\n"
	syslog := "<38>1 2026-11-22T12:00:01Z host door - - - refused 203.0.113.9\n"
	native := config.NewJail("sshd")
	native.LogPath = []string{"/log"}
	for _, tt := range []struct {
		name, log string
		jail      config.Jail
		want      string
	}{
		{"JSON", json + json + "plain\n", door(), "JSON"},
		{"RFC 5424", syslog + syslog, door(), "RFC 5424"},
		{"a few lines of it", json + "plain\nplain\n", door(), ""},
		{"lines of another kind", "plain\n", door(), ""},
		{"no line at all", "", door(), ""},
		{"some line matches", json + json + refused("203.0.113.9", 1), door(), ""},
		{"a built-in filter", json, native, ""},
	} {
		r, _ := replay(t, tt.jail, tt.log)
		if got := r.Misfit(); (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %q, want %q in it", tt.name, got, tt.want)
		}
	}
}

func TestMemoryOfWhoIsIgnoredIsBounded(t *testing.T) {
	r := &Trial{ignored: map[Ignored]int64{}}
	for i := range 2 * maxIgnored {
		r.ignore(edgeban.Match{Addr: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), Count: 1, Ignored: "never"})
	}
	if len(r.ignored) != maxIgnored {
		t.Errorf("%d are remembered, want %d", len(r.ignored), maxIgnored)
	}
}

func TestReloadWithMendedZoneForgetsTheSkewAndKeepsTheCounts(t *testing.T) {
	old, err := NewWatcher(door(), Settings{})
	if err != nil {
		t.Fatal(err)
	}
	skew := "an hour off"
	old.counters.lines.Store(7)
	old.skew.Store(&skew)
	w, err := NewWatcher(door(), Settings{})
	if err != nil {
		t.Fatal(err)
	}
	w.Remember(old)
	old.counters.lines.Add(1) // the earlier one reads on until it is ended
	if got := w.Stats(); got.Lines != 8 || w.Skewed() != "" {
		t.Errorf("got %+v, want 8 lines and no skew", got)
	}
}
