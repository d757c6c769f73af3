package datepattern

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban/internal/filter/pyre"
)

var now = time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC) // a Sunday

// detector compiles the lines of a datepattern for a log of UTC.
func detector(t testing.TB, patterns ...string) *Detector {
	t.Helper()
	ts, err := Compile(patterns)
	if err != nil {
		t.Fatalf("%q: %v", patterns, err)
	}
	return ts.Detector(time.UTC)
}

// value returns a stamp that stays as it is when another is looked for.
func value(s *Stamp) (Stamp, bool) {
	if s == nil {
		return Stamp{}, false
	}
	return *s, true
}

// read is what a fresh detector finds: the time, what is cut out, and what is
// left of the line.
func read(t testing.TB, line string, patterns ...string) (at, text, rest string) {
	t.Helper()
	s, ok := value(detector(t, patterns...).Find([]byte(line), now))
	if !ok {
		return "", "", line
	}
	if !s.Time.IsZero() {
		at = s.Time.UTC().Format("2006-01-02 15:04:05.999999")
	}
	return at, line[s.Start:s.End], line[:s.Start] + line[s.End:]
}

func TestEveryUsualFormReadsItsOwnExample(t *testing.T) {
	examples := map[string]string{"EPOCH": "1795346989.123", "TAI64N": "@400000006b02d22d0aba9500"}
	for _, f := range forms {
		example, want := f.name, "2026-11-22 11:29:49"
		switch {
		case f.bare:
			example = examples[f.name]
		case strings.Contains(f.name, "+01") || strings.Contains(f.name, "CET"):
			want = "2026-11-22 10:29:49"
		}
		if f.name == "EPOCH" {
			want = "2026-11-22 11:29:49.123"
		}
		at, text, _ := read(t, example+" host x")
		if cut := strings.Trim(example, "<>"); at != want || strings.Trim(text, "<>") != cut {
			t.Errorf("%s: got %q as %s, want %q as %s", f.name, text, at, cut, want)
		}
	}
}

func TestUsualForms(t *testing.T) {
	for line, want := range map[string]string{
		"2026-11-22T11:29:49Z x":           "2026-11-22 11:29:49",
		"2026/11/22  1:29:49 x":            "2026-11-22 01:29:49",
		"2026.11.22 11:29:49,5 -0130 x":    "2026-11-22 12:59:49",
		"[2026-11-22 11:29:49] x":          "2026-11-22 11:29:49",
		"nov  2 01:02:03 x":                "2026-11-02 01:02:03",
		"Nov 22  1:29:49 x":                "2026-11-22 01:29:49",
		"Sun Nov 22 11:29:49 2025] x":      "2025-11-22 11:29:49",
		"Nov 22 11:29:49.123456 x":         "2026-11-22 11:29:49",
		"Nov 22 2025 11:29:49 x":           "2025-11-22 11:29:49",
		"22-11-26  9:29:49 x":              "2026-11-22 09:29:49",
		"22/11/2026 11:29:49 x":            "2026-11-22 11:29:49",
		"22-Nov-2026 11:29:49.252 +0200 x": "2026-11-22 09:29:49",
		"22/Nov/202611:29:49 x":            "2026-11-22 11:29:49",
		"22/nov/2026:11:29:49 utc x":       "2026-11-22 11:29:49",
		"x 11/22/2026:11:29:49 x":          "2026-11-22 11:29:49",
		"11-22-2026 11:29:49.252 x":        "2026-11-22 11:29:49",
		"1795346989 x":                     "2026-11-22 11:29:49",
		"[1795346989.1234] x":              "2026-11-22 11:29:49.1234",
		"a audit(1795346989.123:45): x":    "2026-11-22 11:29:49.123",
		"11:29:49 x":                       "2026-11-22 11:29:49",
		"23:29:49 x":                       "2026-11-21 23:29:49",
		"<11/22/26@11:29:49> x":            "2026-11-22 11:29:49",
		"261122  1:29:49 x":                "2026-11-22 01:29:49",
		"Nov 22, 2026 12:29:49 AM x":       "2026-11-22 00:29:49",
		"Nov 21, 2026 12:29:49 pm x":       "2026-11-21 12:29:49",
		"Nov-22-26 11:29:49 x":             "2026-11-22 11:29:49",
		"20261122 112949 x":                "2026-11-22 11:29:49",
		"20261122-11:29:49 x":              "2026-11-22 11:29:49",
		"x 20261122T112949.5 -01 x":        "2026-11-22 12:29:49",
		"PDT Nov 22 01:29:49 x":            "2026-11-22 08:29:49",
		"-01:30 Nov 22 01:29:49 x":         "2026-11-22 02:59:49",
		"x @400000006b02d22d0aba9500 x":    "2026-11-22 11:29:49",

		"Nov 31 11:29:49 x":         "", // no calendar has it
		"Feb 29 11:29:49 x":         "",
		"2026-02-30 11:29:49 x":     "",
		"2026-11-22 11:29:60 x":     "", // a leap second
		"2026-11/22 x":              "",
		"x 11:29:49 x":              "",
		"x 1795346989 x":            "",
		"179534698 x":               "",
		"1795346989123 x":           "",
		"1999-11-22 11:29:49 x":     "", // before this century
		"2030-11-22 1:29 x":         "",
		"wNov 22 11:29:49 x":        "", // within a word
		"Nov 22 11:29:49x":          "",
		"":                          "",
		"x @4fffffffffffffff0aba95": "",
	} {
		if at, text, _ := read(t, line); at != want {
			t.Errorf("%q: got %q as %q, want %q", line, text, at, want)
		}
	}
}

func TestDirectives(t *testing.T) {
	for _, tt := range []struct{ pattern, line, want, text string }{
		{`%Y-%m-%d %H:%M:%S`, "x 1999-1-02 3:4:5 x", "1999-01-02 03:04:05", "1999-1-02 3:4:5"},
		{`%ExY-%Exm-%Exd %ExH:%ExM:%ExS`, "2026-1-02 03:04:05", "", ""},
		{`%ExY-%Exm-%Exd %ExH:%ExM:%ExS`, "2026-01-02 03:04:05", "2026-01-02 03:04:05", "2026-01-02 03:04:05"},
		{`%y%m%d %H:%M`, "9912 31 x 991231 23:59", "2099-12-31 23:59:00", "991231 23:59"},
		{`%m%d %Y`, "111 2025", "2025-01-11 00:00:00", "111 2025"},
		{`%d\.%m\.%Y`, "31.02.2025", "", ""},
		{`%d %B %Y`, "3 SEPTEMBER 2025", "2025-09-03 00:00:00", "3 SEPTEMBER 2025"},
		{`%A, %d %b %Y %H:%M`, "Friday, 03 jan 2025 23:59", "2025-01-03 23:59:00", "Friday, 03 jan 2025 23:59"},
		{`%Y-%m-%d %k:%M`, "2025-01-03  3:59", "2025-01-03 03:59:00", "2025-01-03  3:59"},
		{`%Y-%m-%d %k:%M`, "2025-01-03 25:59", "", ""},
		{`%Y-%m-%d %Exk:%M`, "2025-01-03 24:59", "", ""},
		{`%Y-%m-%d %I:%M %p`, "2025-01-03 12:59 am", "2025-01-03 00:59:00", "2025-01-03 12:59 am"},
		{`%Y-%m-%d %l:%M%p`, "2025-01-03  7:59PM", "2025-01-03 19:59:00", "2025-01-03  7:59PM"},
		{`%Y-%m-%d %Exl:%M`, "2025-01-03  7:59", "2025-01-03 07:59:00", "2025-01-03  7:59"},
		{`%Y-%m-%d %H:%M:%S\.%f`, "2025-01-03 07:59:00.123456", "2025-01-03 07:59:00", "2025-01-03 07:59:00.123456"},
		{`%Y-%m-%d %H:%M%z`, "2025-01-03 07:59+05:30", "2025-01-03 02:29:00", "2025-01-03 07:59+05:30"},
		{`%Y-%m-%d %H:%M %z`, "2025-01-03 07:59 CET", "", ""},
		{`%Y-%m-%d %H:%M %Z`, "2025-01-03 07:59 CET", "2025-01-03 06:59:00", "2025-01-03 07:59 CET"},
		{`%Y-%m-%d %H:%M %Z`, "2025-01-03 07:59 IST", "", ""},
		{`%Y-%m-%d %H:%M %ExZ`, "2025-01-03 07:59 A", "2025-01-03 06:59:00", "2025-01-03 07:59 A"},
		{`%Y-%m-%d %H:%M %Exz`, "2025-01-03 07:59 CET-0100", "2025-01-03 07:59:00", "2025-01-03 07:59 CET-0100"},
		{`%Y-%m-%d %H:%M %Exz`, "2025-01-03 07:59 CET", "2025-01-03 06:59:00", "2025-01-03 07:59 CET"},
		{`%Y %j %H`, "2024 366 07", "2024-12-31 07:00:00", "2024 366 07"},
		{`%Y %j`, "2025 001", "2025-01-01 00:00:00", "2025 001"},
		{`%Y W%W-%w`, "2025 W01-1", "2025-01-06 00:00:00", "2025 W01-1"},
		{`%Y W%U-%w`, "2025 W01-0", "2025-01-05 00:00:00", "2025 W01-0"},
		{`%Y W%U %a`, "2025 W00 fri", "2025-01-03 00:00:00", "2025 W00 fri"},
		{`%G %V %u %Y`, "2025 01 7 2024", "2024-11-22 00:00:00", "2025 01 7 2024"}, // only the last counts
		{`%G-%V-%u %H:%M`, "2025-01-7 07:59", "2026-11-22 07:59:00", "2025-01-7 07:59"},
		{`%c`, "Fri Jan  3 07:59:01 2025", "2025-01-03 07:59:01", "Fri Jan  3 07:59:01 2025"},
		{`%x %X`, "01/03/25 07:59:01", "2025-01-03 07:59:01", "01/03/25 07:59:01"},
		{`100%% %H:%M`, "100% 07:59", "2026-11-22 07:59:00", "100% 07:59"},
		{`%d %H:%M`, "03 07:59", "", ""}, // a day of which month
		{`(?P<H>[0-9]+)h(?P<M>[0-9]+)`, "7h59", "2026-11-22 07:59:00", "7h59"},
		{`%H:%M`, "23:59", "2026-11-21 23:59:00", "23:59"},
		{`%b %d`, "Nov 23", "2026-11-23 00:00:00", "Nov 23"}, // 12 hours ahead
		{`%b %d`, "Nov 24", "2025-11-24 00:00:00", "Nov 24"},
	} {
		at, text, _ := read(t, tt.line, tt.pattern)
		if at != tt.want || text != tt.text {
			t.Errorf("%s in %q: got %q as %q, want %q as %q", tt.pattern, tt.line, text, at, tt.text, tt.want)
		}
	}
}

func TestAnchorsAndMagicWords(t *testing.T) {
	const clock = "2026-11-22 07:59:00"
	for _, tt := range []struct{ pattern, line, at, rest string }{
		{`%H:%M`, "x 07:59 y", clock, "x  y"},
		{`%H:%M`, "x07:59 y", "", "x07:59 y"},
		{`%H:%M`, "x 07:59y", "", "x 07:59y"},
		{`**%H:%M`, "x07:59 y", clock, "x y"},
		{`%H:%M**`, "x 07:59y", clock, "x y"},
		{`{UNB}%H:%M`, "x07:59y", clock, "xy"},
		{`^%H:%M`, "07:59 y", clock, " y"},
		{`^%H:%M`, "[07:59 y", "", "[07:59 y"},
		{`{^LN-BEG}%H:%M`, "[<07:59] y", clock, "[<] y"},
		{`{^LN-BEG}%H:%M`, "[[[07:59] y", "", "[[[07:59] y"},
		{`{^LN-BEG}%H:%M`, "x 07:59 y", "", "x 07:59 y"},
		{`%H:%M$`, "00:00 07:59", clock, "00:00 "},
		{`%H:%M\s`, "x 07:59 y", clock, "x y"},
		{`%H:%M\b`, "x 07:59- y", clock, "x - y"},
		{`\[(%H:%M)\]`, "x [07:59] y", clock, "x [] y"},
		{`\[%H:%M\]`, "x [07:59] y", clock, "x  y"},
		{`%H (%M)`, "x 07 59 y", clock, "x  59 y"}, // the first group has a name
		{`(?i)at %H:%M`, "AT 07:59 y", clock, " y"},
		{`(?iu)^at %H:%M`, "AT 07:59 y", clock, " y"},
		{`at %H(?i):%M`, "AT 07:59 y", clock, " y"},
		{`()`, "x 07:59 y", "empty", "x 07:59 y"},
		{`^(%H:%M )?`, "x 07:59 y", "empty", "x 07:59 y"},
		{`^(%H:%M )?`, "07:59 y", clock, "y"},
		{`{NONE}`, "07:59 y", "empty", "07:59 y"},
		{`{none}`, "", "empty", ""},
		{`{DEFAULT}`, "x 2026-11-22 07:59:00 y", clock, "x  y"},
		{`{default}`, "2026-11-22 07:59:00 y", clock, " y"},
		{`{^LN-BEG}`, "[2026-11-22 07:59:00] y", clock, "[] y"},
		{`{^LN-BEG}`, "x 2026-11-22 07:59:00 y", "", "x 2026-11-22 07:59:00 y"},
		{`{DATE}`, "x 2026-11-22 07:59:00 y", clock, "x  y"},
		{`^[^\[]*\[({DATE})`, "1.1.1.1 - [22/Nov/2026:07:59:00 +0000] y", clock, "1.1.1.1 - [] y"},
		{`^[^\[]*\[{DATE}`, "1.1.1.1 - [22/Nov/2026:07:59:00 +0000] y", clock, "] y"},
		{`^[^\[]*\[({DATE})`, "1.1.1.1 - [1795334340] y", "", "1.1.1.1 - [1795334340] y"},
		{`^{date}`, "1795334340 y", clock, " y"},
		{`epoch`, "audit(1795334340:5) y", clock, "audit(:5) y"},
		{`EPOCH`, "x 1795334340 y", "", "x 1795334340 y"},
		{`^EPOCH`, "[1795334340] y", clock, "[] y"},
		{`{^LN-BEG}epoch`, "<1795334340> y", clock, "<> y"},
		{`LEPOCH`, "1795334340000 y", clock, " y"},
		{`{^LN-BEG}LEPOCH`, "[1795334340000000] y", clock, "[] y"},
		{`t={EPOCH},`, "x t=1795334340, y", clock, "x  y"}, // all of it
		{`t={LEPOCH}`, "x t=1795334340250 y", clock + ".25", "x  y"},
		{`TAI64N`, "x @400000006b02a0c40aba9500 y", clock, "x  y"},
		{`^TAI64N`, "@400000006b02a0c40aba9500 y", clock, " y"},
		{`{^LN-BEG}TAI64N`, "x @400000006b02a0c40aba9500 y", "", "x @400000006b02a0c40aba9500 y"},
		{`%Y {date}`, "2026 {date}", "2026-11-22 00:00:00", ""}, // no word where there is a directive
	} {
		d := detector(t, tt.pattern)
		s, ok := value(d.Find([]byte(tt.line), now))
		at := ""
		switch {
		case ok && s.Time.IsZero():
			at = "empty"
		case ok:
			at = s.Time.UTC().Format("2006-01-02 15:04:05.999")
		}
		if rest := tt.line[:s.Start] + tt.line[s.End:]; at != tt.at || rest != tt.rest {
			t.Errorf("%s in %q: got %q and the rest %q, want %q and %q", tt.pattern, tt.line, at, rest, tt.at, tt.rest)
		}
	}
}

func TestAYearMustBeWithinReach(t *testing.T) {
	for _, tt := range []struct {
		line string
		ref  int
		want int // the year read, 0 for none
	}{
		{"2000-01-02 03:04:05", 2026, 2000},
		{"2029-01-02 03:04:05", 2026, 2029},
		{"2030-01-02 03:04:05", 2026, 0},
		{"2030-01-02 03:04:05", 2027, 2030},
		{"2110-01-02 03:04:05", 2106, 0},
		{"2110-01-02 03:04:05", 2107, 2110},
		{"Jan  2 03:04:05 2030", 2026, 2026}, // it is the first word of the message
		{"Jan  2 03:04:05 2030", 2027, 2030},
	} {
		s, _ := value(detector(t).Find([]byte(tt.line), time.Date(tt.ref, time.June, 1, 0, 0, 0, 0, time.UTC)))
		if s.Time.IsZero() && tt.want == 0 {
			continue
		}
		if s.Time.Year() != tt.want {
			t.Errorf("%s in %d: got %d, want %d", tt.line, tt.ref, s.Time.Year(), tt.want)
		}
	}
}

func TestAWordThatIsNoZoneIsLeftAlone(t *testing.T) {
	for _, word := range []string{"ERROR", "WARN", "IST", "BST", "info", "Utils", "est"} {
		at, text, _ := read(t, word+" Nov 22 11:29:49 x")
		if at != "2026-11-22 11:29:49" || text != "Nov 22 11:29:49" {
			t.Errorf("%s: got %q as %q, want the stamp without the word", word, text, at)
		}
	}
}

func TestTodayIsThatOfTheZone(t *testing.T) {
	ref := time.Date(2026, time.November, 21, 23, 30, 0, 0, time.UTC)
	ts, err := Compile([]string{`%H:%M ?(?:%z)?`})
	if err != nil {
		t.Fatal(err)
	}
	east := time.FixedZone("", 7200)
	for line, want := range map[string]string{"01:29": "23:29", "01:31": "23:31", "23:29 Z": "23:29", "01:20 +0200": "23:20"} {
		s, ok := value(ts.Detector(east).Find([]byte(line), ref))
		day := 21
		if want > "23:30" {
			day = 20
		}
		if got := s.Time.UTC(); !ok || got.Format("15:04") != want || got.Day() != day {
			t.Errorf("%s: got %v %v, want the %dst at %s", line, got, ok, day, want)
		}
	}
}

func TestZoneOfALogAndOfALine(t *testing.T) {
	ts, err := Compile(nil)
	if err != nil {
		t.Fatal(err)
	}
	east := time.FixedZone("", 3600)
	for line, zoned := range map[string]bool{
		"2026-11-22 11:29:49 x": false, "2026-11-22 11:29:49Z x": true, "Nov 22 11:29:49 x": false, "1795346989 x": true, "@400000006b02d22d0aba9500": true,
	} {
		s, ok := value(ts.Detector(east).Find([]byte(line), now))
		want := time.Date(2026, 11, 22, 11, 29, 49, 0, time.UTC)
		if !zoned {
			want = want.Add(-time.Hour)
		}
		if !ok || s.Zoned != zoned || !s.Time.Equal(want) {
			t.Errorf("%s: got %v, zoned %v, want %v, zoned %v", line, s.Time, s.Zoned, want, zoned)
		}
	}
	if s, _ := value(ts.Detector(nil).Find([]byte("2026-11-22 11:29:49 x"), now)); s.Time.Location() != time.Local {
		t.Errorf("no zone: got one of %v, want the local one", s.Time.Location())
	}
}

func TestOffset(t *testing.T) {
	for text, want := range map[string]int{
		"UTC": 0, "Z": 0, "GMT": 0, "utc": 0, "CET": 3600, "CEST": 7200, "PDT": -7 * 3600, "NPT": 5*3600 + 2700, "UTC+0200": 7200, "GMT-0100": -3600, "+0530": 19800, "-03:30": -12600, "+02": 7200, "CET+0100": 7200, "UTC-01": -3600,
	} {
		if got, ok := offset([]byte(text)); !ok || got != time.Duration(want)*time.Second {
			t.Errorf("%s: got %v %v, want %d s", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "UTC+2", "Europe/Paris", "IST", "+", "+020", "+2500", "UTC+", "CETX", "+02:0", "+02:00:00", "0200", "UTC*02"} {
		if got, ok := offset([]byte(text)); ok {
			t.Errorf("%q: got %v, want none", text, got)
		}
	}
}

func TestAMistakeIsToldWithItsPlaceAndTheWayOut(t *testing.T) {
	for _, tt := range []struct {
		line string
		at   int
		want string
	}{
		{`%Y-%m-%d %T`, 10, "%H:%M:%S"},
		{`  %Y-%m-%d %T`, 12, "%H:%M:%S"},
		{`^%s`, 2, "{EPOCH}"},
		{`{^LN-BEG}%q`, 10, "%%"},
		{`%H:%M 100%`, 10, "%%"},
		{`%H:%M:%k`, 7, "%H"},
		{`(%c) %Y`, 6, "leave one of them out"},
		{`{DATE} %e`, 8, "%d"},
	} {
		_, err := Compile([]string{"%H", tt.line})
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Line != 2 || e.Byte != tt.at || !strings.Contains(e.Msg, tt.want) {
			t.Errorf("%q: got %v, want line 2, byte %d: ... %s", tt.line, err, tt.at, tt.want)
		}
	}
	if _, err := Compile([]string{"%H(:%M"}); err == nil {
		t.Error("an open group: got no error")
	}
}

func TestNames(t *testing.T) {
	for _, tt := range []struct {
		patterns []string
		n        int
		leading  bool
		first    string
	}{
		{nil, 31, false, "{^LN-BEG}2026-11-22T11:29:49.123+01:00"},
		{[]string{"", "  "}, 31, false, "{^LN-BEG}2026-11-22T11:29:49.123+01:00"},
		{[]string{"{DEFAULT}", "%H"}, 32, false, "{^LN-BEG}2026-11-22T11:29:49.123+01:00"},
		{[]string{"{^LN-BEG}"}, 17, true, "{^LN-BEG}2026-11-22T11:29:49.123+01:00"},
		{[]string{"{DATE}"}, 17, false, "2026-11-22T11:29:49.123+01:00"},
		{[]string{"^{DATE}"}, 17, true, "^2026-11-22T11:29:49.123+01:00"},
		{[]string{`^x ({DATE})`}, 17, false, "^x (2026-11-22T11:29:49.123+01:00)"},
		{[]string{`^x ({DATE})`, "{^LN-BEG}", "{DEFAULT}"}, 48, false, "^x (2026-11-22T11:29:49.123+01:00)"},
		{[]string{`^x %H`, "^EPOCH", "^x %H"}, 2, true, "^x %H"},
		{[]string{"EPOCH"}, 1, false, "EPOCH"},
		{[]string{`(?i)^x%H`}, 1, true, "(?i)^x%H"},
		{[]string{"%H$"}, 1, false, "%H$"},
		{[]string{"{NONE}"}, 1, true, "{NONE}"},
	} {
		ts, err := Compile(tt.patterns)
		if err != nil {
			t.Errorf("%q: %v", tt.patterns, err)
			continue
		}
		if names := ts.Names(); len(names) != tt.n || names[0] != tt.first || ts.Leading() != tt.leading {
			t.Errorf("%q: got %d of %q, leading %v; want %d of %q, %v", tt.patterns, len(names), names[0], ts.Leading(), tt.n, tt.first, tt.leading)
		}
	}
}

func TestFindAllocatesNothingBeyondItsSearch(t *testing.T) {
	for _, line := range []string{"Nov 22 11:29:49 host sshd[1]: x", "2026-11-22T11:29:49.123+01:00 host x", `192.0.2.1 - - [22/Nov/2026:11:29:49 +0000] "GET / HTTP/1.1" 200`} {
		d, text := detector(t), []byte(line)
		d.Find(text, now)
		used := d.list[d.last].template
		var m pyre.Matcher
		want := testing.AllocsPerRun(100, func() { m.Search(used.re, text) })
		if got := testing.AllocsPerRun(100, func() { d.Find(text, now) }); got > want {
			t.Errorf("%s: %v allocations, %v of them the search", line, got, want)
		}
	}
}

func FuzzFind(f *testing.F) {
	for _, tt := range []string{"Nov 22 11:29:49 x", "[22/Nov/2026:11:29:49 +0100] 2026-11-22 11:29:49", "EST Feb 29 23:59:61", "1795346989123", "@4ffffffffffffffff0aba9500", "a 20261122-11:29:49.5 Z", "2030 \xff\xe9 %"} {
		f.Add([]byte(tt), []byte("Nov 22 11:29:50 x"))
	}
	var all []*Templates
	for _, p := range own {
		ts, err := Compile(p)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, ts)
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		for _, ts := range all {
			d := ts.Detector(time.UTC)
			for _, line := range [][]byte{a, b, a, b} {
				s, ok := value(d.Find(line, now))
				if s.Start < 0 || s.Start > s.End || s.End > len(line) {
					t.Fatalf("%q: the text is [%d:%d]", line, s.Start, s.End)
				}
				if !ok && s != (Stamp{}) {
					t.Fatalf("%q: no date, but %+v", line, s)
				}
				if y := s.Time.Year(); y > 9999 || y < 0 {
					t.Fatalf("%q: the year %d", line, y)
				}
			}
		}
	})
}

func FuzzCompile(f *testing.F) {
	for _, p := range own {
		f.Add(strings.Join(p, "\n"), "Nov 22 11:29:49 x")
	}
	f.Fuzz(func(_ *testing.T, patterns, line string) {
		if ts, err := Compile(strings.Split(patterns, "\n")); err == nil {
			ts.Detector(time.UTC).Find([]byte(line), now)
		}
	})
}

func BenchmarkFind(b *testing.B) {
	for name, line := range map[string]string{
		"syslog": "Nov 22 11:29:49 host sshd[1234]: Failed password for root from 192.0.2.7 port 22 ssh2",
		"iso":    "2026-11-22T11:29:49.123456+01:00 host sshd[1234]: Failed password for root from 192.0.2.7 port 22 ssh2",
		"access": `192.0.2.7 - - [22/Nov/2026:11:29:49 +0000] "GET /wp-login.php HTTP/1.1" 404 153 "-" "curl"`,
		"none":   "Failed password for root from 192.0.2.7 port 22 ssh2, and no date at all in all of it",
	} {
		b.Run(name, func(b *testing.B) {
			d, text := detector(b), []byte(line)
			b.ReportAllocs()
			for b.Loop() {
				d.Find(text, now)
			}
		})
	}
}

func TestATemplateInUseIsNotCompiledAgain(t *testing.T) {
	templates := func(patterns ...string) []*template {
		ts, err := Compile(patterns)
		if err != nil {
			t.Fatal(err)
		}
		return ts.list
	}
	if one, other := templates(`\[{DATE}\]`), templates(`\[{DATE}\]`); !slices.Equal(one, other) {
		t.Error("a second jail has templates of its own")
	}
	// The usual ones that look from the start of the line weigh more, also where a jail
	// writes down what is one of them.
	usual := templates("{^LN-BEG}")
	own := templates("{^LN-BEG}EPOCH")[0]
	at := slices.IndexFunc(usual, func(one *template) bool { return one.name == own.name })
	if at < 0 || usual[at].weight != 100 || own.weight != 1 {
		t.Errorf("got %v, %v; want weights of 100 and 1", usual, own)
	}
}
