package config

import (
	"fmt"
	"strconv"
	"time"
)

// whole returns the reading of an integer from lo to hi.
func whole(lo, hi int) func(value) (int, bool) {
	return as(func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < lo || n > hi {
			return 0, fmt.Errorf("%s is not a whole number from %d to %d", quote(s), lo, hi)
		}
		return n, nil
	})
}

// ratio returns the reading of a number greater than 0, at most hi.
func ratio(hi float64) func(value) (float64, bool) {
	return as(func(s string) (float64, error) {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || !(f > 0 && f <= hi) { // NaN is neither
			return 0, fmt.Errorf("%s is not a number greater than 0, at most %g", quote(s), hi)
		}
		return f, nil
	})
}

// longest is the longest duration that is not for ever: added to any date of
// our days it stays within what 64 bits of nanoseconds can say.
const longest = 100 * 365 * day

// span returns the reading of a duration from lo to hi.
func span(lo, hi time.Duration) func(value) (time.Duration, bool) {
	return as(func(s string) (time.Duration, error) {
		d, err := ParseDuration(s)
		switch {
		case err != nil:
			return 0, err
		case d == Forever:
			return 0, fmt.Errorf("%s is for ever, which this cannot be; write an end, such as 1d12h", quote(s))
		case d < lo:
			return 0, fmt.Errorf("%s is too short; write %s or more", quote(s), FormatDuration(lo))
		case d > hi:
			return 0, fmt.Errorf("%s is too long; write %s or less", quote(s), FormatDuration(hi))
		}
		return d, nil
	})
}

// endless reads a duration from a second, which may have no end.
func endless(s string) (time.Duration, error) {
	d, err := ParseDuration(s)
	switch {
	case err != nil:
		return 0, err
	case d == Forever:
	case d < time.Second:
		return 0, fmt.Errorf("%s is too short; write 1s or more, or -1 for ever", quote(s))
	case d > longest:
		return 0, fmt.Errorf("%s is too long; write -1 for ever", quote(s))
	}
	return d, nil
}
