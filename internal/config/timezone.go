package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // an image from scratch has no /usr/share/zoneinfo
)

var (
	zoneName   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*$`)
	zoneOffset = regexp.MustCompile(`^(?:UTC|GMT)?([+-])([0-9]{2}):?([0-9]{2})$`)
)

// timezone reads an IANA name or an offset.
func timezone(s string) (*time.Location, error) {
	if m := zoneOffset.FindStringSubmatch(s); m != nil {
		hours, _ := strconv.Atoi(m[2])
		minutes, _ := strconv.Atoi(m[3])
		if hours <= 14 && minutes < 60 {
			return offset(m[1], hours, minutes), nil
		}
	}
	if strings.EqualFold(s, "UTC") || s == "Z" {
		return time.UTC, nil
	}
	if zoneName.MatchString(s) && s != "Local" {
		if l, err := time.LoadLocation(s); err == nil {
			return l, nil
		}
	}
	return nil, fmt.Errorf("%s is not a time zone; write a name such as Europe/Berlin, UTC, or an offset such as +0200", quote(s))
}

func offset(sign string, hours, minutes int) *time.Location {
	east := hours*60*60 + minutes*60
	if east == 0 {
		return time.UTC
	}
	if sign == "-" {
		east = -east
	}
	return time.FixedZone(fmt.Sprintf("%s%02d%02d", sign, hours, minutes), east)
}
