package config

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/edgeban/edgeban/internal/config/node"
)

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// term is a number and its unit, at the start of what is left.
var term = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)\s*`)

// ParseDuration reads a duration as fail2ban writes it: bare seconds (600), or
// numbers with units from seconds to years that add up (1d12h, 5min 30s, 1.5h),
// in any case. -1, or "for ever", is Forever. A year has 365.25 days and a month
// a twelfth of that. The error says what to write.
func ParseDuration(s string) (time.Duration, error) {
	rest := strings.ToLower(strings.TrimSpace(s))
	switch rest {
	case "-1", "for ever", "forever":
		return Forever, nil
	}
	if len(s) > 100 {
		return 0, notDuration(s)
	}
	sum := new(big.Rat)
	for first := true; first || rest != ""; first = false {
		m := term.FindStringSubmatch(rest)
		if m == nil {
			return 0, notDuration(s)
		}
		rest = rest[len(m[0]):]
		unit := seconds(m[2])
		if unit == 0 || m[2] == "" && !(first && rest == "") {
			return 0, notDuration(s)
		}
		number, _ := new(big.Rat).SetString(m[1])
		sum.Add(sum, number.Mul(number, new(big.Rat).SetInt64(unit)))
	}
	sum.Mul(sum, new(big.Rat).SetInt64(int64(time.Second)))
	ns := new(big.Int).Quo(sum.Num(), sum.Denom())
	if !ns.IsInt64() {
		return 0, fmt.Errorf("%s is longer than %d years; write -1 for ever", node.Quote(s), math.MaxInt64/(seconds("y")*int64(time.Second)))
	}
	return time.Duration(ns.Int64()), nil
}

func notDuration(s string) error {
	switch {
	case strings.TrimSpace(s) == "":
		return errors.New("a duration is missing; write 10m, 1d12h or -1 for ever")
	case strings.HasPrefix(s, "-"):
		return fmt.Errorf("%s is less than nothing; write 10m, 1d12h or -1 for ever", node.Quote(s))
	case strings.ContainsAny(s, "+-*/"):
		return fmt.Errorf("%s is a calculation; write its result, such as 50m or 1d12h", node.Quote(s))
	}
	return fmt.Errorf("%s is not a duration; write 10m, 1d12h or -1 for ever", node.Quote(s))
}

// seconds returns how many a unit has, 0 for a word that is none. The spellings
// are fail2ban's.
func seconds(unit string) int64 {
	if len(unit) > 2 {
		unit = strings.TrimSuffix(unit, "s")
	}
	switch unit {
	case "", "s", "ss", "sec", "second":
		return 1
	case "m", "mm", "min", "minute":
		return 60
	case "h", "hh", "hou", "hour":
		return 60 * 60
	case "d", "dd", "da", "day":
		return 24 * 60 * 60
	case "w", "ww", "wee", "week":
		return 7 * 24 * 60 * 60
	case "mo", "mon", "month":
		return 36525 * 24 * 60 * 60 / 1200
	case "y", "yy", "yea", "year":
		return 36525 * 24 * 60 * 60 / 100
	}
	return 0
}

// FormatDuration returns d in words that ParseDuration reads back: 10m, 1h30m,
// 1d12h, 90d, 1w, for ever.
func FormatDuration(d time.Duration) string {
	switch {
	case d == Forever:
		return "for ever"
	case d < 0:
		return "-" + formatPositive(uint64(-d))
	}
	return formatPositive(uint64(d))
}

func formatPositive(ns uint64) string {
	if ns == 0 {
		return "0s"
	}
	if ns%uint64(week) == 0 {
		return strconv.FormatUint(ns/uint64(week), 10) + "w"
	}
	var b strings.Builder
	for _, u := range []struct {
		length time.Duration
		letter byte
	}{{day, 'd'}, {time.Hour, 'h'}, {time.Minute, 'm'}} {
		if n := ns / uint64(u.length); n > 0 {
			b.WriteString(strconv.FormatUint(n, 10))
			b.WriteByte(u.letter)
			ns %= uint64(u.length)
		}
	}
	if ns > 0 {
		whole, part := ns/uint64(time.Second), ns%uint64(time.Second)
		b.WriteString(strconv.FormatUint(whole, 10))
		if part > 0 {
			b.WriteString(strings.TrimRight(fmt.Sprintf(".%09d", part), "0"))
		}
		b.WriteByte('s')
	}
	return b.String()
}
