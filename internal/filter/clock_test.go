package filter

import (
	"slices"
	"strings"
	"testing"
	"time"

	edgeban "github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/filter/clock"
)

const failedAt = " host sshd[1]: Failed password for root from 203.0.113.9 port 1 ssh2\n"

func TestWhenALineHappened(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) time.Time { return now.Add(d) }
	for _, tt := range []struct {
		what  string
		lines string
		live  bool
		times []time.Time
		want  []time.Time
	}{
		{"live and near", "Nov 22 11:59:30" + failedAt, true, nil, []time.Time{at(-30 * time.Second)}},
		{"live and late", "Nov 22 11:58:30" + failedAt, true, nil, []time.Time{now}},
		{"live and early", "Nov 22 12:00:30" + failedAt, true, nil, []time.Time{now}},
		{"catching up", "Nov 22 10:00:00" + failedAt, false, nil, []time.Time{at(-2 * time.Hour)}},
		{"catching up with the future", "Nov 22 14:00:00" + failedAt, false, nil, []time.Time{now}},
		{"the transport knows", "Nov 22 10:00:00" + failedAt, false, []time.Time{at(-time.Hour)}, []time.Time{at(-time.Hour)}},
		{"the transport knows, live", failedAt[1:], true, []time.Time{at(-time.Second)}, []time.Time{at(-time.Second)}},
		{"the transport does not know this one", "Nov 22 10:00:00" + failedAt, false, []time.Time{{}}, []time.Time{at(-2 * time.Hour)}},
		{"no stamp, live", failedAt[1:], true, nil, []time.Time{now}},
		{"no stamp, live, one before", "Nov 22 11:59:30 x\n" + failedAt[1:], true, nil, []time.Time{at(-30 * time.Second)}},
		{"no stamp, live, one long before", "Nov 22 11:50:00 x\n" + failedAt[1:], true, nil, []time.Time{now}},
		{"no stamp, catching up, one before", "Nov 22 11:50:00 x\n" + failedAt[1:], false, nil, []time.Time{at(-10 * time.Minute)}},
		{"no stamp, catching up, none before", failedAt[1:], false, nil, nil},
	} {
		f := filterOf(t, "sshd")
		s := f.Scanner(Options{Jail: "sshd", Zone: time.UTC})
		var got []time.Time
		for m := range s.Scan(edgeban.Chunk{Stream: "s", Text: []byte(tt.lines), Times: tt.times, Read: now, Live: tt.live}) {
			got = append(got, m.Time)
		}
		if !slices.EqualFunc(got, tt.want, time.Time.Equal) {
			t.Errorf("%s: got %v, want %v", tt.what, got, tt.want)
		}
		if tt.want == nil && s.Stats().Undated != 1 {
			t.Errorf("%s: %d lines are undated, want 1", tt.what, s.Stats().Undated)
		}
	}
}

func TestLastStampHoldsAcrossChunks(t *testing.T) {
	s := filterOf(t, "sshd").Scanner(Options{Zone: time.UTC})
	ms := chunks(s, 0, "Nov 22 11:50:00 x\n", strings.Repeat("y\n", 3), failedAt[1:])
	if want := time.Date(2026, 11, 22, 11, 50, 0, 0, time.UTC); len(ms) != 1 || !ms[0].Time.Equal(want) {
		t.Errorf("got %v, want one match at %v", ms, want)
	}
}

func TestZoneOfStampsWithoutOne(t *testing.T) {
	c := edgeban.Chunk{Text: []byte("Nov 22 12:00:00" + failedAt), Read: captured}
	for m := range filterOf(t, "sshd").Scanner(Options{Zone: time.FixedZone("", 7200)}).Scan(c) {
		if want := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC); !m.Time.Equal(want) {
			t.Errorf("got %v, want %v", m.Time, want)
		}
	}
}

// live scans n chunks of a line each, whose stamps are off the clock.
func live(t *testing.T, off time.Duration, n int) clock.Skew {
	s := filterOf(t, "sshd").Scanner(Options{Zone: time.UTC})
	for i := range n {
		now := captured.Add(time.Duration(i) * time.Second)
		text := now.Add(off).Format(time.Stamp) + " host x\n"
		for range s.Scan(edgeban.Chunk{Text: []byte(text), Read: now, Live: true}) {
			t.Fatal("a match, want none")
		}
	}
	return s.Stats().Skew
}

func TestWrongZoneIsToldFromAWrongClock(t *testing.T) {
	for _, tt := range []struct {
		off  time.Duration
		want clock.Skew
		says string
	}{
		{-2*time.Hour - time.Second, clock.Skew{Offset: -2 * time.Hour, Lines: 12, Zone: true}, "lines are 2h0m0s behind the clock since 12 lines; likely their zone: set logtimezone"},
		{5*time.Hour + 30*time.Minute, clock.Skew{Offset: 5*time.Hour + 30*time.Minute, Lines: 12, Zone: true}, "lines are 5h30m0s ahead of the clock since 12 lines; likely their zone: set logtimezone"},
		{-7 * time.Minute, clock.Skew{Offset: -7 * time.Minute, Lines: 12, Zone: false}, "lines are 7m0s behind the clock since 12 lines; set the clock of the machine that writes them"},
		{-20 * time.Hour, clock.Skew{Offset: -20 * time.Hour, Lines: 12, Zone: false}, "lines are 20h0m0s behind the clock since 12 lines; set the clock of the machine that writes them"},
		{-time.Second, clock.Skew{}, ""},
	} {
		if got := live(t, tt.off, 12); got != tt.want || got.String() != tt.says {
			t.Errorf("%v off: got %+v %q, want %+v %q", tt.off, got, got, tt.want, tt.says)
		}
	}
}
