package datepattern

import (
	"bytes"
	"math"
	"strconv"
	"time"

	"github.com/edgeban/edgeban/internal/filter/pyre"
)

// A wall is what a stamp says, and what it leaves out: -1.
type wall struct {
	year, month, day int
	hour, min, sec   int
	yearday          int
	week, weekday    int // of the week: 0 is Monday
	weekStart        int // the day of the week that a week begins with
	afternoon        bool
	twelve           bool      // hour counts from noon or midnight
	exact            time.Time // where it is none of the calendar
	zoned            bool
	east             time.Duration // of UTC, if zoned
}

// read takes what the last search of m found in text. It reports whether that
// could be understood.
func (w *wall) read(t *template, m *pyre.Matcher, text []byte) bool {
	*w = wall{year: -1, month: -1, day: -1, yearday: -1, week: -1, weekday: -1}
	for _, f := range t.fields {
		if from, to := m.Span(f.group); from >= 0 && !w.set(f.kind, text[from:to]) {
			return false
		}
	}
	if w.twelve {
		if w.hour == 12 {
			w.hour = 0
		}
		if w.afternoon {
			w.hour += 12
		}
	}
	return true
}

// set takes one field.
func (w *wall) set(kind byte, text []byte) bool {
	switch kind {
	case 'b':
		w.month = index(months, text, 3) + 1
		return w.month > 0
	case 'B':
		w.month = index(months, text, len(text)) + 1
		return w.month > 0
	case 'a':
		w.weekday = index(weekdays, text, 3)
		return w.weekday >= 0
	case 'A':
		w.weekday = index(weekdays, text, len(text))
		return w.weekday >= 0
	case 'p':
		w.afternoon = bytes.EqualFold(text, []byte("pm"))
		return true
	case 'z', 'Z':
		var ok bool
		w.east, ok = offset(text)
		w.zoned = true
		return ok
	case kindEpoch, kindLongEpoch, kindTAI:
		w.zoned = true
		return w.instant(kind, text)
	}
	n, ok := number(text)
	switch kind {
	case 'Y':
		w.year = n
	case 'y':
		if w.year = n; n <= 2000 {
			w.year += 2000
		}
	case 'm':
		w.month = n
	case 'd':
		w.day = n
	case 'H':
		w.hour, w.twelve = n, false
	case 'I':
		w.hour, w.twelve = n, true
	case 'M':
		w.min = n
	case 'S':
		w.sec = n
	case 'j':
		w.yearday = n
	case 'U', 'W':
		w.week, w.weekStart = n, 0
		if kind == 'U' {
			w.weekStart = 6
		}
	case 'w':
		w.weekday = (n + 6) % 7
	}
	return ok
}

// instant reads what counts seconds.
func (w *wall) instant(kind byte, text []byte) bool {
	if kind == kindTAI {
		if len(text) < 17 {
			return false
		}
		sec, err := strconv.ParseInt(string(text[2:17]), 16, 64)
		w.exact = time.Unix(sec, 0)
		return err == nil && sec <= lastSecond
	}
	whole, frac, dot := bytes.Cut(text, []byte("."))
	n, ok := long(whole)
	unit := int64(time.Second)
	if kind == kindLongEpoch && len(text) >= 13 {
		if unit = int64(time.Millisecond); len(text) >= 16 && !dot {
			unit = int64(time.Microsecond)
		}
	}
	per := int64(time.Second) / unit
	nano := n % per * unit
	for _, b := range frac {
		unit /= 10
		nano += int64(b-'0') % 10 * unit
	}
	w.exact = time.Unix(n/per, nano)
	return ok
}

// lastSecond is the end of the year 9999, the last one that a stamp may have.
const lastSecond = 253402300799

// time returns the instant. Without a year it is the one of this year, unless
// that lies more than a day ahead: then of the last. Without a day it is the one
// of today, unless that lies ahead: then of yesterday. It returns false for a
// day that the calendar does not have, and for leap seconds.
func (w *wall) time(ref time.Time, zone *time.Location) (time.Time, bool) {
	if !w.exact.IsZero() {
		return w.exact, true
	}
	if w.zoned {
		zone = time.UTC
	}
	now := ref.In(zone).Add(w.east)
	noYear := w.year < 0
	if noYear {
		w.year = now.Year()
	}
	if !w.weekdayToDate() || w.hour > 23 || w.min > 59 || w.sec > 59 {
		return time.Time{}, false
	}
	noDay := w.month < 0 && w.day < 0
	if noDay {
		w.month, w.day = int(now.Month()), now.Day()
	}
	if !w.onCalendar() {
		return time.Time{}, false
	}
	got := w.at(zone)
	if noDay && got.After(ref) {
		w.day--
		got = w.at(zone)
	}
	if noYear && got.After(ref.Add(24*time.Hour)) {
		w.year--
		if !w.onCalendar() {
			return time.Time{}, false
		}
		got = w.at(zone)
	}
	return nearest(got, ref), true
}

func (w *wall) at(zone *time.Location) time.Time {
	return time.Date(w.year, time.Month(w.month), w.day, w.hour, w.min, w.sec, 0, zone).Add(-w.east)
}

// nearest returns, of the two times that a wall clock shows t's hour when summer
// ends, the one that is nearer to ref.
func nearest(t, ref time.Time) time.Time {
	for _, shift := range []time.Duration{-time.Hour, time.Hour} {
		other := t.Add(shift)
		if other.Hour() == t.Hour() && other.Sub(ref).Abs() < t.Sub(ref).Abs() {
			return other
		}
	}
	return t
}

// onCalendar reports whether there is such a day.
func (w *wall) onCalendar() bool {
	if w.year < 1 || w.year > 9999 || w.month < 1 || w.month > 12 || w.day < 1 {
		return false
	}
	return w.day <= time.Date(w.year, time.Month(w.month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// weekdayToDate makes a month and a day of the day of the year, or of the week
// and the day of it, where they are given instead.
func (w *wall) weekdayToDate() bool {
	if w.month >= 0 && w.day >= 0 {
		return true
	}
	if w.yearday < 0 && w.week >= 0 && w.weekday >= 0 {
		// Days since the first of January, and since the week's first day.
		first := (int(time.Date(w.year, 1, 1, 0, 0, 0, 0, time.UTC).Weekday()) + 6 - w.weekStart) % 7
		day := (w.weekday + 7 - w.weekStart) % 7
		w.yearday = 1 + day - first
		if w.week > 0 {
			w.yearday = 1 + day + (7-first)%7 + 7*(w.week-1)
		}
		return w.setYearday()
	}
	if w.yearday >= 0 {
		return w.setYearday()
	}
	return w.month < 0 && w.day < 0
}

func (w *wall) setYearday() bool {
	t := time.Date(w.year, 1, w.yearday, 0, 0, 0, 0, time.UTC)
	w.year, w.month, w.day = t.Year(), int(t.Month()), t.Day()
	return true
}

// The names of the C locale.
var (
	months   = []string{"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"}
	weekdays = []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
)

// index returns which of the names text is the first n letters of, -1 for none.
func index(names []string, text []byte, n int) int {
	for i, name := range names {
		if len(text) == min(n, len(name)) && len(text) > 0 && text[0]|0x20 == name[0] && bytes.EqualFold(text, []byte(name[:len(text)])) {
			return i
		}
	}
	return -1
}

// number reads a number that may have blanks around it.
func number(text []byte) (int, bool) {
	n, ok := long(bytes.TrimSpace(text))
	return int(n), ok && n < math.MaxInt32
}

// long reads digits.
func long(text []byte) (int64, bool) {
	if len(text) == 0 || len(text) > 18 {
		return 0, false
	}
	n := int64(0)
	for _, b := range text {
		if b < '0' || b > '9' {
			return 0, false
		}
		n = n*10 + int64(b-'0')
	}
	return n, true
}
