package wall

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestJumpedClockIsNotBelievedForTenMinutes(t *testing.T) {
	for _, jump := range []time.Duration{365 * 24 * time.Hour, -365 * 24 * time.Hour, 2 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			var off time.Duration
			c := New(func() time.Time { return time.Now().Add(off) }, time.Time{})
			time.Sleep(time.Hour)
			if d := c.Doubt(); d != "" {
				t.Fatalf("a steady clock: %q, want no doubt", d)
			}
			off = jump
			if d := c.Doubt(); !strings.Contains(d, "jumped") {
				t.Errorf("after a jump of %v: %q, want a doubt", jump, d)
			}
			time.Sleep(9 * time.Minute)
			if c.Doubt() == "" {
				t.Errorf("9 minutes after a jump of %v it is believed", jump)
			}
			time.Sleep(2 * time.Minute)
			if d := c.Doubt(); d != "" {
				t.Errorf("11 minutes after: %q, want no doubt", d)
			}
		})
	}
}

func TestClockAt1970IsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		newest := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
		epoch := time.Unix(0, 0)
		start := time.Now()
		c := New(func() time.Time { return epoch.Add(time.Since(start)) }, newest)
		if c.Doubt() == "" {
			t.Error("a clock older than the ledger is believed")
		}
	})
}

func TestSmallStepsOfTimeKeepingAreNoDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var off time.Duration
		c := New(func() time.Time { return time.Now().Add(off) }, time.Time{})
		for range 100 {
			time.Sleep(10 * time.Second)
			off += 500 * time.Millisecond
			if d := c.Doubt(); d != "" {
				t.Fatalf("a slowly drifting clock: %q, want no doubt", d)
			}
		}
	})
}
