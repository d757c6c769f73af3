package date

import "time"

// A cursor reads one stamp from b, starting at i. Its methods move i only past
// what they have understood.
type cursor struct {
	b     []byte
	i     int
	loc   *time.Location
	t     time.Time
	east  time.Duration // of UTC, where the text names its zone
	zoned bool
}

// The years that are believed.
const (
	firstYear = 1970
	lastYear  = 2199
)

func (c *cursor) peek() byte {
	if c.i < len(c.b) {
		return c.b[c.i]
	}
	return 0
}

func (c *cursor) skip(b byte) bool {
	if c.i < len(c.b) && c.b[c.i] == b {
		c.i++
		return true
	}
	return false
}

// number reads from least to most digits that end there, no more than a 32-bit int holds.
func (c *cursor) number(least, most int) (int, bool) {
	n, ok := c.long(least, most)
	return int(n), ok
}

// long is number for up to 18 digits.
func (c *cursor) long(least, most int) (int64, bool) {
	n, from := int64(0), c.i
	for c.i < len(c.b) && digit(c.b[c.i]) {
		if c.i-from == most {
			return 0, false
		}
		n = n*10 + int64(c.b[c.i]-'0')
		c.i++
	}
	return n, c.i-from >= least
}

// name reads three letters of the table, in any case.
func (c *cursor) name(table string) (int, bool) {
	if c.i+3 > len(c.b) {
		return 0, false
	}
	for n := 0; n*3 < len(table); n++ {
		if t := table[n*3:]; c.b[c.i]|0x20 == t[0] && c.b[c.i+1]|0x20 == t[1] && c.b[c.i+2]|0x20 == t[2] {
			c.i += 3
			return n, true
		}
	}
	return 0, false
}

func (c *cursor) month() (time.Month, bool) {
	n, ok := c.name("janfebmaraprmayjunjulaugsepoctnovdec")
	return time.Month(n + 1), ok
}

// A clock is a time of day.
type clock struct{ h, m, s, ns int }

// clock reads 11:29:49 and a fraction after a dot or a comma.
func (c *cursor) clock() (k clock, ok bool) {
	if k.h, ok = c.number(1, 2); !ok || k.h > 23 || !c.skip(':') {
		return k, false
	}
	if k.m, ok = c.number(2, 2); !ok || k.m > 59 || !c.skip(':') {
		return k, false
	}
	if k.s, ok = c.number(2, 2); !ok || k.s > 60 {
		return k, false
	}
	if c.i+1 < len(c.b) && c.b[c.i] == ':' && digit(c.b[c.i+1]) {
		return k, false
	}
	k.ns = c.fraction(".,")
	return k, true
}

// fraction reads what follows one of the marks as nanoseconds, if digits do.
func (c *cursor) fraction(marks string) int {
	at := c.i + 1
	if at >= len(c.b) || !digit(c.b[at]) || c.peek() != marks[0] && c.peek() != marks[len(marks)-1] {
		return 0
	}
	ns, unit := 0, 100_000_000
	for c.i = at; c.i < len(c.b) && digit(c.b[c.i]); c.i++ {
		ns += int(c.b[c.i]-'0') * unit
		unit /= 10
	}
	return ns
}

// set makes the time, if the calendar has it.
func (c *cursor) set(year int, month time.Month, day int, k clock) bool {
	if year < firstYear || year > lastYear || month < 1 || month > 12 || day < 1 {
		return false
	}
	if day > time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day() {
		return false
	}
	c.t = time.Date(year, month, day, k.h, k.m, k.s, k.ns, c.loc).Add(-c.east)
	return true
}

// syslog reads Nov 22 11:29:49, with the weekday before it and the year before
// or after the time, if they are there.
func (c *cursor) syslog(ref time.Time) bool {
	_, weekday := c.name("sunmontuewedthufrisat")
	if weekday && !(c.skip(',') || c.peek() == ' ') || weekday && !c.skip(' ') {
		return false
	}
	month, ok := c.month()
	if !ok || !c.skip(' ') {
		return false
	}
	c.skip(' ')
	day, ok := c.number(1, 2)
	if !ok || !c.skip(' ') {
		return false
	}
	year := 0
	if c.i+4 < len(c.b) && c.b[c.i+4] == ' ' {
		if year, ok = c.number(4, 4); !ok || !c.skip(' ') {
			return false
		}
	}
	k, ok := c.clock()
	if !ok || word(c.peek()) {
		return false
	}
	if year == 0 {
		year = c.year(weekday)
	}
	if year == 0 {
		year = yearOf(ref, month, day, k, c.loc)
	}
	return c.set(year, month, day, k)
}

// year reads a year after the time. Without a weekday before, it might as well
// be the host's name or the first word of the message.
func (c *cursor) year(weekday bool) int {
	back := c.i
	if c.skip(' ') {
		if y, ok := c.number(4, 4); ok && y >= firstYear && y <= lastYear && !word(c.peek()) {
			if weekday || c.i == len(c.b) || c.peek() == ']' {
				return y
			}
		}
	}
	c.i = back
	return 0
}

// yearOf returns ref's year, or the one before if the stamp would lie more than
// 24 h after ref.
func yearOf(ref time.Time, month time.Month, day int, k clock, loc *time.Location) int {
	year := ref.In(loc).Year()
	if time.Date(year, month, day, k.h, k.m, k.s, k.ns, loc).Sub(ref) > 24*time.Hour {
		year--
	}
	return year
}

// iso reads 2026-11-22T11:29:49, a fraction, and a zone.
func (c *cursor) iso() bool {
	year, ok := c.number(4, 4)
	sep := c.peek()
	if !ok || !c.skip(sep) {
		return false
	}
	month, ok := c.number(2, 2)
	if !ok || !c.skip(sep) {
		return false
	}
	day, ok := c.number(2, 2)
	if !ok || !c.skip('T') && !c.skip(' ') {
		return false
	}
	k, ok := c.clock()
	if !ok {
		return false
	}
	c.zone()
	return !word(c.peek()) && c.set(year, time.Month(month), day, k)
}

// clf reads 22/Nov/2026:11:29:49 +0000.
func (c *cursor) clf() bool {
	day, ok := c.number(2, 2)
	if !ok || !c.skip('/') {
		return false
	}
	month, ok := c.month()
	if !ok || !c.skip('/') {
		return false
	}
	year, ok := c.number(4, 4)
	if !ok || !c.skip(':') {
		return false
	}
	k, ok := c.clock()
	if !ok {
		return false
	}
	c.zone()
	return !word(c.peek()) && c.set(year, month, day, k)
}

// zone reads Z, +01, +0100, +01:00, and the longer ones also after a blank.
func (c *cursor) zone() {
	back := c.i
	blank := c.skip(' ')
	switch {
	case !blank && c.skip('Z'):
		c.loc, c.zoned = time.UTC, true
		return
	case blank && c.i+3 <= len(c.b) && (string(c.b[c.i:c.i+3]) == "UTC" || string(c.b[c.i:c.i+3]) == "GMT"):
		if c.i += 3; !word(c.peek()) {
			c.loc, c.zoned = time.UTC, true
			return
		}
	case c.peek() == '+' || c.peek() == '-':
		if c.offset(blank) {
			return
		}
	}
	c.i = back
}

func (c *cursor) offset(long bool) bool {
	sign := 1
	if c.b[c.i] == '-' {
		sign = -1
	}
	c.i++
	from := c.i
	n, ok := c.number(2, 4)
	h, m := n, 0
	switch {
	case !ok || c.i-from == 3:
		return false
	case c.i-from == 4:
		h, m = n/100, n%100
	case c.skip(':'):
		if m, ok = c.number(2, 2); !ok {
			return false
		}
	case long:
		return false
	}
	if h > 14 || m > 59 || word(c.peek()) {
		return false
	}
	c.loc, c.zoned = time.UTC, true
	c.east = time.Duration(sign*(h*60+m)) * time.Minute
	return true
}

// epoch reads ten digits of seconds and a fraction, or thirteen of milliseconds.
func (c *cursor) epoch() bool {
	from := c.i
	n, ok := c.long(10, 13)
	switch {
	case !ok || n < 1_000_000_000:
		return false
	case c.i-from == 13:
		c.t = time.UnixMilli(n)
	case c.i-from == 10:
		c.t = time.Unix(n, int64(c.fraction("..")))
	default:
		return false
	}
	if c.t.Year() > lastYear || c.t.Year() < 2001 || word(c.peek()) || c.peek() == '.' || c.peek() == '-' {
		return false
	}
	c.t, c.zoned = c.t.In(c.loc), true
	return true
}
