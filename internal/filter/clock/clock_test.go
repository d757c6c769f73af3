package clock

import (
	"testing"
	"time"

	edgeban "github.com/edgeban/edgeban"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return now.Add(d) }

func TestNoLineCountsFarFromItsReading(t *testing.T) {
	for _, tt := range []struct {
		what        string
		live        bool
		stamp, last time.Time
		own, want   time.Time
		ok          bool
	}{
		{"live and near", true, at(-30 * time.Second), time.Time{}, at(-30 * time.Second), at(-30 * time.Second), true},
		{"live and late", true, at(-90 * time.Second), time.Time{}, at(-90 * time.Second), now, true},
		{"live and early", true, at(time.Hour), time.Time{}, at(time.Hour), now, true},
		{"catching up", false, at(-time.Hour), time.Time{}, at(-time.Hour), at(-time.Hour), true},
		{"catching up with the future", false, at(time.Hour), time.Time{}, at(time.Hour), now, true},
		{"undated, live, none before", true, time.Time{}, time.Time{}, now, now, true},
		{"undated, live, one before", true, time.Time{}, at(-30 * time.Second), at(-30 * time.Second), at(-30 * time.Second), true},
		{"undated, live, one long before", true, time.Time{}, at(-time.Hour), now, now, true},
		{"undated, catching up, one before", false, time.Time{}, at(-time.Hour), at(-time.Hour), at(-time.Hour), true},
		{"undated, catching up, none before", false, time.Time{}, time.Time{}, time.Time{}, time.Time{}, false},
	} {
		own, got, ok := When(&edgeban.Chunk{Read: now, Live: tt.live}, tt.stamp, tt.last)
		if !own.Equal(tt.own) || !got.Equal(tt.want) || ok != tt.ok {
			t.Errorf("%s: got %v, %v, %v, want %v, %v, %v", tt.what, own, got, ok, tt.own, tt.want, tt.ok)
		}
	}
}

func TestOneOddStampIsNoSkew(t *testing.T) {
	var g Gauge
	for range 5 {
		g.Note(-time.Second)
	}
	g.Note(-3 * time.Hour)
	g.Note(-time.Second)
	if got := g.Skew(); got != (Skew{}) {
		t.Errorf("got %+v, want none", got)
	}
}

func TestWrongZoneIsToldFromAWrongClock(t *testing.T) {
	for off, want := range map[time.Duration]Skew{
		-2*time.Hour - time.Second:      {-2 * time.Hour, 3, true},
		5*time.Hour + 30*time.Minute:    {5*time.Hour + 30*time.Minute, 3, true},
		-7 * time.Minute:                {-7 * time.Minute, 3, false},
		-20 * time.Hour:                 {-20 * time.Hour, 3, false},
		-time.Second:                    {},
		-15*time.Minute - 2*time.Minute: {-17 * time.Minute, 3, false},
	} {
		var g Gauge
		for range 3 {
			g.Note(off)
		}
		if got := g.Skew(); got != want {
			t.Errorf("%v off: got %+v, want %+v", off, got, want)
		}
	}
}
