package config

import (
	"fmt"
	"time"

	"github.com/edgeban/edgeban/internal/config/node"
)

// LongestTime is the longest duration that is not for ever: added to any date of
// our days it stays within what 64 bits of nanoseconds can say.
const LongestTime = 100 * 365 * day

// span returns the reading of a duration from lo to hi.
func span(lo, hi time.Duration) func(node.Value) (time.Duration, bool) {
	return node.As(func(s string) (time.Duration, error) {
		d, err := ParseDuration(s)
		switch {
		case err != nil:
			return 0, err
		case d == Forever:
			return 0, fmt.Errorf("%s is for ever, which this cannot be; write an end, such as 1d12h", node.Quote(s))
		case d < lo:
			return 0, fmt.Errorf("%s is too short; write %s or more", node.Quote(s), FormatDuration(lo))
		case d > hi:
			return 0, fmt.Errorf("%s is too long; write %s or less", node.Quote(s), FormatDuration(hi))
		}
		return d, nil
	})
}

// BanTime reads a duration from a second, which may have no end.
func BanTime(s string) (time.Duration, error) {
	d, err := ParseDuration(s)
	switch {
	case err != nil:
		return 0, err
	case d == Forever:
	case d < time.Second:
		return 0, fmt.Errorf("%s is too short; write 1s or more, or -1 for ever", node.Quote(s))
	case d > LongestTime:
		return 0, fmt.Errorf("%s is too long; write -1 for ever", node.Quote(s))
	}
	return d, nil
}
