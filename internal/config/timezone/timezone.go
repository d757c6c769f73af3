// Package timezone reads time zones as configurations name them.
package timezone

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // an image from scratch has no /usr/share/zoneinfo

	"github.com/edgeban/edgeban/internal/config/node"
)

var (
	zoneName   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*$`)
	zoneOffset = regexp.MustCompile(`^([A-Z]{3,5})?([+-])([0-9]{2})(?::?([0-9]{2}))?$`)
)

// fixed is what fail2ban takes well-known abbreviations for, in minutes east of
// UTC: these never change with summer.
var fixed = map[string]int{
	"UTC": 0, "GMT": 0, "WET": 0,
	"CET": 60, "WEST": 60, "CEST": 120, "EET": 120, "EEST": 180, "MSK": 180, "CAT": 120, "SAST": 120, "EAT": 180, "WAT": 60, "IDT": 180,
	"PKT": 300, "NPT": 345, "ICT": 420, "HKT": 480, "SGT": 480, "AWST": 480, "JST": 540, "KST": 540, "ACST": 570, "ACDT": 630, "AEST": 600, "AEDT": 660, "NZST": 720, "NZDT": 780,
	"NST": -210, "NDT": -150, "AST": -240, "ADT": -180, "EST": -300, "EDT": -240, "CST": -360, "CDT": -300, "MST": -420, "MDT": -360, "PST": -480, "PDT": -420,
	"AKST": -540, "AKDT": -480, "HST": -600, "BRT": -180, "ART": -180, "CLT": -240, "COT": -300, "PET": -300,
}

// Parse reads an IANA name, an offset, or an abbreviation with fail2ban's
// meaning, perhaps with an offset after it.
func Parse(s string) (*time.Location, error) {
	if m := zoneOffset.FindStringSubmatch(s); m != nil {
		hours, _ := strconv.Atoi(m[3])
		minutes, _ := strconv.Atoi(m[4])
		east, known := fixed[m[1]]
		if m[2] == "-" {
			east -= hours*60 + minutes
		} else {
			east += hours*60 + minutes
		}
		if minutes < 60 && max(east, -east) < 15*60 && (known || m[1] == "") {
			return offset(east), nil
		}
	}
	if strings.EqualFold(s, "UTC") || s == "Z" {
		return time.UTC, nil
	}
	if east, ok := fixed[s]; ok {
		return offset(east), nil
	}
	if zoneName.MatchString(s) && s != "Local" {
		if l, err := time.LoadLocation(s); err == nil {
			return l, nil
		}
	}
	return nil, fmt.Errorf("%s is not a time zone; write a name such as Europe/Berlin, UTC, or an offset such as +0200", node.Quote(s))
}

// offset returns the zone that lies so many minutes east of UTC.
func offset(east int) *time.Location {
	sign, size := '+', east
	switch {
	case east == 0:
		return time.UTC
	case east < 0:
		sign, size = '-', -east
	}
	return time.FixedZone(fmt.Sprintf("%c%02d%02d", sign, size/60, size%60), east*60)
}
