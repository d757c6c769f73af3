package config

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestDurationsAreReadAsFail2banWritesThem(t *testing.T) {
	const hour, minute, second = time.Hour, time.Minute, time.Second
	for s, want := range map[string]time.Duration{
		"0": 0, "600": 10 * minute, "1.5": 1500 * time.Millisecond, "010": 10 * second,
		"1s": second, "2ss": 2 * second, "2sec": 2 * second, "2 secs": 2 * second, "1second": second, "2seconds": 2 * second,
		"1m": minute, "1mm": minute, "1min": minute, "2mins": 2 * minute, "1minute": minute, "2 minutes": 2 * minute,
		"1h": hour, "1hh": hour, "1hou": hour, "1hour": hour, "2hours": 2 * hour, "1.5h": 90 * minute,
		"1d": day, "1dd": day, "1da": day, "1day": day, "2days": 2 * day,
		"1w": week, "1ww": week, "1wee": week, "1week": week, "2weeks": 2 * week,
		"1mo": 2629800 * second, "1mon": 2629800 * second, "1month": 2629800 * second, "12months": 31557600 * second,
		"1y": 31557600 * second, "1yy": 31557600 * second, "1yea": 31557600 * second, "1year": 31557600 * second, "2years": 63115200 * second,
		"1d12h30m": 36*hour + 30*minute, "5min 30s": 5*minute + 30*second, " 1H 30M ": 90 * minute, "1 d 2 h": 26 * hour, "30m1h": 90 * minute,
		"0.1s": 100 * time.Millisecond, "0.000000001s": 1, "0.0000000019s": 1, "9223372036.854775807s": math.MaxInt64,
		"-1": Forever, "for ever": Forever, "FOREVER": Forever,
	} {
		if got, err := ParseDuration(s); got != want || err != nil {
			t.Errorf("%q: got %v (%v), want %v", s, got, err, want)
		}
	}
}

func TestWhatIsNoDurationSaysWhatToWrite(t *testing.T) {
	for s, want := range map[string]string{
		"": "is missing", "  ": "is missing", "-2": "less than nothing", "-1h": "less than nothing",
		"1h-10m": "calculation", "2*60": "calculation", "1h+1m": "calculation", "10 minuts": "write 10m, 1d12h or -1 for ever", "h": "not a duration", "1h30": "not a duration", "30 1h": "not a duration",
		"1x": "not a duration", "1.": "not a duration", ".5h": "not a duration", "1e3": "not a duration", "0x10": "not a duration", "1,5h": "not a duration", "1:30": "not a duration",
		"1ms": "not a duration", "١h": "not a duration", "1h\x00": "not a duration", "inf": "not a duration",
		"9223372036.854775808s": "longer than 292 years", "293y": "longer than 292 years", "200y100y": "longer than 292 years", strings.Repeat("9", 99): "longer than 292 years",
		strings.Repeat("1h", 1000): "not a duration",
	} {
		if got, err := ParseDuration(s); err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 200 {
			t.Errorf("%.20q: got %v, %v, want an error with %q", s, got, err, want)
		}
	}
}

func TestDurationsAreWrittenShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", 90 * time.Second: "1m30s", time.Hour: "1h", 90 * time.Minute: "1h30m", day: "1d", 36 * time.Hour: "1d12h",
		week: "1w", 8 * day: "8d", 90 * day: "90d", 2 * week: "2w", 1500 * time.Millisecond: "1.5s", 1: "0.000000001s", day + 1: "1d0.000000001s",
		Forever: "for ever", -time.Hour: "-1h", math.MinInt64: "-106751d23h47m16.854775808s",
	} {
		if got := FormatDuration(d); got != want {
			t.Errorf("%d: got %q, want %q", int64(d), got, want)
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"10m", "1d12h30m", "5min 30s", "1.5h", "-1", "for ever", "600", "9223372036.854775807s", "1h-10m", "99999999999y"} {
		f.Add(s, int64(len(s))*1e9)
	}
	f.Fuzz(func(t *testing.T, s string, ns int64) {
		if d, err := ParseDuration(s); err == nil {
			if d < 0 && d != Forever {
				t.Errorf("%q is %v", s, d)
			}
			back, err := ParseDuration(FormatDuration(d))
			if back != d || err != nil {
				t.Errorf("%q is %v, written %q and read back as %v (%v)", s, d, FormatDuration(d), back, err)
			}
		}
		if d := time.Duration(ns); d >= Forever {
			if back, err := ParseDuration(FormatDuration(d)); back != d || err != nil {
				t.Errorf("%d is written %q and read back as %v (%v)", ns, FormatDuration(d), back, err)
			}
		}
	})
}
