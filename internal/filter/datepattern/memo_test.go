package datepattern

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// A stamp that is not searched must be the one that a search finds: whatever follows
// it, in whichever minute, also where the clock is set back, and whoever has found it.
func TestTheMemoFindsWhatASearchFinds(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	const rounds = 60_000
	hits, again, told, r := 0, 0, 0, rand.New(rand.NewPCG(1, 2))
	for _, patterns := range [][]string{nil, {"{^LN-BEG}"}, {"{DATE}"}, {"^%b %d %H:%M:%S"}} {
		ts, err := Compile(patterns)
		if err != nil {
			t.Fatal(err)
		}
		with, late, without := ts.Detector(berlin), ts.Detector(berlin), ts.Detector(berlin)
		o, ref := odd{r: r}, now
		for range rounds {
			if r.IntN(20) == 0 {
				ref = now.Add(time.Duration(r.IntN(2)) * time.Hour)
			}
			line := []byte(o.line())
			if m := with.memo.minute; m != nil {
				if m.find(new(Stamp), with.memoShape(), line, ref) != nil {
					hits++
				}
			}
			if with.memo.again(line, ref) {
				again++
			}
			got, ok := value(with.Find(line, ref))
			other, too := value(late.Find(line, ref))
			if late.memo.minute != nil && late.memo.minute == with.memo.minute {
				told++
			}
			without.forget()
			want, found := value(without.Find(line, ref))
			if ok != found || got != want || too != found || other != want {
				t.Fatalf("%q, %q at %v: got %v, %v and %v, %v; a search finds %v, %v", patterns, line, ref, got, ok, other, too, want, found)
			}
			if with.mark != without.mark || late.mark != without.mark {
				t.Fatalf("%q, %q at %v: got %+v and %+v; a search leaves %+v", patterns, line, ref, with.mark, late.mark, without.mark)
			}
		}
	}
	if hits < rounds/4 || again < rounds/100 || told < rounds/4 {
		t.Errorf("%d lines were of the minute before, %d of the second, %d of one that another had found: that tells little", hits, again, told)
	}
}

// Jails that share a template are read at the same time.
func TestDetectorsTellOneAnotherOfMinutes(t *testing.T) {
	ts, err := Compile(nil)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			d := ts.Detector(time.UTC)
			for i := range 5000 {
				want := now.Add(time.Duration(i-5000) * 13 * time.Second)
				if got, ok := value(d.Find([]byte(want.Format(time.Stamp)+" host x"), now)); !ok || !got.Time.Equal(want) {
					t.Errorf("got %v, %t; want %v", got.Time, ok, want)
					return
				}
			}
		})
	}
	all.Wait()
}

// forget makes the detector search for the next stamp.
func (d *Detector) forget() {
	d.memo = memo{}
	for _, e := range d.list {
		e.recent.Store(nil)
	}
}

func (d *Detector) memoShape() shape {
	if d.last < 0 {
		return anyShape
	}
	return d.list[d.last].shape
}

// Odd makes lines whose stamps are nearly always alike, perhaps followed by what
// could be a part of one.
type odd struct {
	r    *rand.Rand
	form string
	day  time.Time
	sec  int
}

func (o *odd) line() string {
	pick := func(s ...string) string { return s[o.r.IntN(len(s))] }
	if o.form == "" || o.r.IntN(50) == 0 {
		o.form = pick("Jan _2 15:04:05", "Jan _2 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-1-2T15:4:5", "2006/01/02 15:04:05",
			"Jan 2 15:04:05", "Mon Jan _2 15:04:05", "jan 02 15:04:05")
	}
	if o.day.IsZero() || o.r.IntN(10) == 0 {
		days := []time.Time{
			now, now.Add(time.Minute), now.Add(23*time.Hour + 59*time.Minute), now.Add(24 * time.Hour),
			time.Date(2026, 10, 25, 0, 59, 0, 0, time.UTC), time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC), time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC),
		}
		o.day = days[o.r.IntN(len(days))]
	}
	if o.r.IntN(4) > 0 {
		o.sec = o.r.IntN(60)
	}
	s := o.day.Add(time.Duration(o.sec) * time.Second).Format(o.form)
	if o.r.IntN(50) == 0 {
		s = fmt.Sprintf("%s%d", s[:len(s)-2], 55+o.r.IntN(9))
	}
	if o.r.IntN(2) == 0 {
		return s + " host x"
	}
	return s + pick(" ", "", " 2026 x", " 2026", " 2", ".5 x", ",123456 y", ".1234567 z", ": x", " Z", " Zeus", "Z x", "+01:00 x", "+0100 x", " +01:00 x",
		" \vZ", " \u00a0Z", " \u00a0+01:00",
		"-23:59 y", "+99:00 x", "+01:000 x", " UTC x", "  UTC", "x", "1 x")
}
