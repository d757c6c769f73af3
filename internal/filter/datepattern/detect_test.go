package datepattern

import (
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
)

// follow returns what one detector cuts out of the lines of a log.
func follow(t *testing.T, d *Detector, lines ...string) []string {
	t.Helper()
	var cut []string
	for _, line := range lines {
		s, ok := value(d.Find([]byte(line), now))
		if !ok {
			cut = append(cut, "none")
			continue
		}
		cut = append(cut, line[s.Start:s.End])
	}
	return cut
}

func TestADateAtTheStartBeatsOneInTheBody(t *testing.T) {
	const iso, syslog = "2026-11-22 11:29:49", "Nov 22 11:29:49"
	got := follow(t, detector(t),
		syslog+" h x: "+iso, syslog+" h x: "+iso,
		iso+" h x: "+syslog, "["+syslog+"] "+iso, "h x: no date at the start "+iso, syslog+" h x: "+iso)
	if want := []string{syslog, syslog, iso, syslog, iso, syslog}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWhatAClientWritesDoesNotMoveTheStamp(t *testing.T) {
	const stamp = "22/Nov/2026:11:29:49 +0000"
	d := detector(t)
	for i, line := range []string{
		`192.0.2.1 - - [` + stamp + `] "GET /"`,
		`192.0.2.1 - - [` + stamp + `] "GET /" "2026-11-22 00:00:00"`,
		`192.0.2.1 - - [` + stamp + `] "2026-11-22 00:00:00" "21/Nov/2026:00:00:00 +0000"`,
		`192.0.2.1 - - [` + stamp + `] "1795346989 11:00:00"`,
	} {
		if got := follow(t, d, line); got[0] != stamp {
			t.Errorf("line %d: got %q, want %q", i+1, got[0], stamp)
		}
	}
}

func TestALogThatChangesItsFormIsFollowed(t *testing.T) {
	var lines, want []string
	for range 20 {
		lines, want = append(lines, "x: 2026-11-22 11:29:49 y"), append(want, "2026-11-22 11:29:49")
	}
	for range 20 {
		lines, want = append(lines, "x: 22/11/2026 11:29:49 y"), append(want, "22/11/2026 11:29:49")
	}
	if got := follow(t, detector(t), lines...); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestATemplateThatIsUsedMovesAhead(t *testing.T) {
	d := detector(t, "x=%H", "y=%H", "z=%H", "v=%H")
	follow(t, d, "z=1", "y=1", "z=1", "z=1")
	if got, want := d.list[0].name, "z=%H"; got != want {
		t.Errorf("got %s ahead, want %s", got, want)
	}
	if len(d.list) != 4 {
		t.Errorf("got %d templates, want 4", len(d.list))
	}
}

func TestALongLineWithoutAStampIsNotSearchedForEachTemplate(t *testing.T) {
	const stamp = "2026-11-22 11:29:49"
	for _, tt := range []struct {
		patterns []string
		before   int
		want     bool
	}{
		{nil, far - 100, true},
		{nil, far, false},
		{[]string{"%Y-%m-%d %H:%M:%S"}, 60_000, true}, // one alone is looked for everywhere
	} {
		all, err := Compile(tt.patterns)
		if err != nil {
			t.Fatal(err)
		}
		line := strings.Repeat("ab ", tt.before/3) + stamp + " x"
		if s, ok := value(all.Detector(time.UTC).Find([]byte(line), time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))); ok != tt.want || ok && line[s.Start:s.End] != stamp {
			t.Errorf("%q after %d bytes: got %v, want %v", tt.patterns, tt.before, ok, tt.want)
		}
	}
}

// When summer ends an hour comes twice; a log that is read as it is written tells
// of the one that is now.
func TestTheHourThatComesTwiceIsTheOneThatIsNow(t *testing.T) {
	zurich, err := time.LoadLocation("Europe/Zurich")
	if err != nil {
		t.Fatal(err)
	}
	all, err := Compile([]string{"%Y-%m-%d %H:%M:%S"})
	if err != nil {
		t.Fatal(err)
	}
	for _, now := range []time.Time{time.Date(2026, 10, 25, 0, 5, 18, 0, time.UTC), time.Date(2026, 10, 25, 1, 5, 18, 0, time.UTC)} {
		s, ok := value(all.Detector(zurich).Find([]byte("2026-10-25 02:05:18 x"), now))
		if !ok || !s.Time.Equal(now) {
			t.Errorf("read at %v: got %v", now, s.Time.UTC())
		}
	}
}

func TestDetectorsOfTwoLogsDoNotMeet(t *testing.T) {
	ts, err := Compile([]string{"x=%H", "y=%H"})
	if err != nil {
		t.Fatal(err)
	}
	a, b := ts.Detector(nil), ts.Detector(nil)
	follow(t, a, "y=1", "y=1", "y=1")
	if got := follow(t, b, "x=1 y=2"); got[0] != "x=1" {
		t.Errorf("got %q, want what a new log gives", got)
	}
}
