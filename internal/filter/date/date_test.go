package date

import (
	"testing"
	"time"
)

var ref = time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC)

func TestEveryFormIsRead(t *testing.T) {
	berlin := time.FixedZone("", 3600)
	at := func(h, m, s, ns int) time.Time { return time.Date(2026, 11, 22, h, m, s, ns, time.UTC) }
	for _, tt := range []struct {
		line  string
		want  time.Time
		text  string
		zoned bool
	}{
		{"Nov 22 11:29:49 auth: Info: x", at(11, 29, 49, 0), "Nov 22 11:29:49", false},
		{"nov  2 01:02:03 x", time.Date(2026, 11, 2, 1, 2, 3, 0, time.UTC), "nov  2 01:02:03", false},
		{"Nov 22 11:29:49.123 x", at(11, 29, 49, 123e6), "Nov 22 11:29:49.123", false},
		{"Sun Nov 22 11:29:49 2026 x", at(11, 29, 49, 0), "Sun Nov 22 11:29:49 2026", false},
		{"[Sun Nov 22 11:29:49.5 2026] x", at(11, 29, 49, 5e8), "Sun Nov 22 11:29:49.5 2026", false},
		{"Nov 22 2025 11:29:49 x", time.Date(2025, 11, 22, 11, 29, 49, 0, time.UTC), "Nov 22 2025 11:29:49", false},
		{"Nov 22 11:29:49 2000 messages", at(11, 29, 49, 0), "Nov 22 11:29:49", false},
		{"Dec 11 03:23:44 mx", time.Date(2025, 12, 11, 3, 23, 44, 0, time.UTC), "Dec 11 03:23:44", false},
		{"Nov 23 11:29:49 mx", time.Date(2026, 11, 23, 11, 29, 49, 0, time.UTC), "Nov 23 11:29:49", false},
		{"2026-11-22T11:50:51.968820+00:00 imap", at(11, 50, 51, 968820000), "2026-11-22T11:50:51.968820+00:00", true},
		{"2026-11-22T12:11:47Z vm", at(12, 11, 47, 0), "2026-11-22T12:11:47Z", true},
		{"2026-11-22T12:11:47+0130 vm", at(10, 41, 47, 0), "2026-11-22T12:11:47+0130", true},
		{"2026-11-22T12:11:47-05 vm", at(17, 11, 47, 0), "2026-11-22T12:11:47-05", true},
		{"2026-11-22 11:29:49,685 fail", at(11, 29, 49, 685e6), "2026-11-22 11:29:49,685", false},
		{"2026-11-22 11:29:49 +0100 x", at(10, 29, 49, 0), "2026-11-22 11:29:49 +0100", true},
		{"2026-11-22 11:29:49 UTC x", at(11, 29, 49, 0), "2026-11-22 11:29:49 UTC", true},
		{"2026-11-22 11:29:49 +12 attempts", at(11, 29, 49, 0), "2026-11-22 11:29:49", false},
		{"[2026-11-22 11:29:49] x", at(11, 29, 49, 0), "2026-11-22 11:29:49", false},
		{"2026/11/22 11:29:49 [error] x", at(11, 29, 49, 0), "2026/11/22 11:29:49", false},
		{`1.2.3.4 - - [22/Nov/2026:11:29:49 +0000] "GET`, at(11, 29, 49, 0), "22/Nov/2026:11:29:49 +0000", true},
		{"1795346989.123 123 1.2.3.4 TCP", time.UnixMilli(1795346989123), "1795346989.123", true},
		{"1795346989123 x", time.UnixMilli(1795346989123), "1795346989123", true},
		{"[1795346989] x", time.Unix(1795346989, 0), "1795346989", true},
		{"type=USER_LOGIN msg=audit(1795346989.123:45): x", time.UnixMilli(1795346989123), "1795346989.123", true},
		{`{"a":"2020-01-01 00:00:00","time":"2026-11-22T11:36:05Z"}`, at(11, 36, 5, 0), "2026-11-22T11:36:05Z", true},
		{`{"StartUTC":"2026-11-22T11:36:05.046781168Z","x":1}`, at(11, 36, 5, 46781168), "2026-11-22T11:36:05.046781168Z", true},
		{"sshd failed at 2026-11-22 11:29:49: x", at(11, 29, 49, 0), "2026-11-22 11:29:49", false},
	} {
		got, ok := All.Find([]byte(tt.line), ref, time.UTC)
		if !ok || !got.Time.Equal(tt.want) || tt.line[got.Start:got.End] != tt.text || got.Zoned != tt.zoned {
			t.Errorf("%q: got %v %q zoned %v %v, want %v %q zoned %v", tt.line, got.Time, tt.line[got.Start:got.End], got.Zoned, ok, tt.want, tt.text, tt.zoned)
			continue
		}
		if local, _ := All.Find([]byte(tt.line), ref, berlin); !tt.zoned && !local.Time.Equal(got.Time.Add(-time.Hour)) {
			t.Errorf("%q in another zone: got %v, want an hour before %v", tt.line, local.Time, got.Time)
		}
	}
}

func TestWhatIsNoDateIsLeftAlone(t *testing.T) {
	for _, line := range []string{
		"", "[", "{", "Nov", "Nov 22", "Nov 22 11:29", "Nov 31 11:29:49 x", "Feb 29 11:29:49 x", "Nov 22 24:00:00 x",
		"Nov 22 11:60:00 x", "Nov 22 11:29:61 x", "2026-02-30 11:29:49", "2026-13-01 11:29:49", "0000-01-01 00:00:00",
		"9999-01-01 00:00:00", "2026-11-22", "22/Nov/2026", "179534698 x", "17953469890 x", "1795346989x", "1795346989-1",
		"192.0.2.1 x", "WARN Nov", "Mon x", `{"x":"a\"time\":\"2026-11-22T11:36:05Z"}`, "at 1795346989 we", "Nov 22 11:29:49pm x",
		"2026-11-22T11:29:49.5xyz", "XNov 22 11:29:49",
	} {
		if got, ok := All.Find([]byte(line), ref, time.UTC); ok {
			t.Errorf("%q: got %v, want no date", line, got.Time)
		}
	}
}

func TestLeapDayBelongsToTheYearThatHasIt(t *testing.T) {
	line := []byte("Feb 29 11:29:49 x")
	january := time.Date(2025, 1, 10, 0, 0, 0, 0, time.UTC)
	if got, ok := All.Find(line, january, time.UTC); !ok || got.Time.Year() != 2024 {
		t.Errorf("read in January 2025: got %v %v, want 2024", got.Time, ok)
	}
}

func TestAWeekdayOrARandomWordIsNoZone(t *testing.T) {
	got, ok := All.Find([]byte("2026-11-22 11:29:49 EST x"), ref, time.UTC)
	if !ok || got.Zoned || got.End != len("2026-11-22 11:29:49") {
		t.Errorf("got %+v %v, want the stamp without the word", got, ok)
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	line := []byte("2026-11-22T12:11:47+01:00 vm x")
	if n := testing.AllocsPerRun(100, func() { All.At(line, ref, time.UTC) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func FuzzFind(f *testing.F) {
	for _, s := range []string{
		"Nov 22 11:29:49 x", "Sun Nov 22 11:29:49 2026", "2026-11-22T11:50:51.968820+00:00", "[22/Nov/2026:11:29:49 +0000]",
		"1795346989.123 x", "audit(1795346989.123:45)", `{"time":"2026-11-22T11:36:05Z"}`, "2026/11/22 11:29:49", "[1795346989123]",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		s, ok := All.Find(line, ref, time.UTC)
		if !ok {
			return
		}
		if s.Start < 0 || s.End > len(line) || s.Start >= s.End {
			t.Fatalf("%q: the text is [%d:%d]", line, s.Start, s.End)
		}
		if y := s.Time.Year(); y < firstYear-1 || y > lastYear+1 {
			t.Fatalf("%q: year %d", line, y)
		}
		again, ok := All.At(line[s.Start:s.End], ref, time.UTC)
		if !ok || !again.Time.Equal(s.Time) {
			t.Fatalf("%q: read %v, and its text alone %v %v", line, s.Time, again.Time, ok)
		}
	})
}
