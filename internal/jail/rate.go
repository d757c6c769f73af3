package jail

import (
	"math"
	"time"

	"github.com/edgeban/edgeban/internal/config"
)

// addRate counts n failures at t as fail2ban does: beyond the window the count
// shrinks in proportion, rounded half to even, instead of forgetting each. After
// a window without any it begins anew: that is what fail2ban's housekeeping comes
// to, which every ten seconds or so forgets whose last failure is that old.
func (c *count) addRate(t int64, n int32, window int64) {
	if c.total == 0 || c.last <= t-window {
		c.first, c.last, c.total, c.seen, c.stamps = t, t, 0, 0, nil
	}
	if t > c.last {
		if c.first < t-window {
			seconds := func(d int64) float64 { return time.Duration(d).Seconds() }
			c.total = int32(math.RoundToEven(float64(c.total) / seconds(t-c.first) * seconds(window))) // rounds as fail2ban's order of operations does
			c.first = t - window
		}
		c.last = t
	}
	c.total, c.seen = plus(c.total, n), plus(c.seen, n)
}

// rate counts a failure as fail2ban does, each of those that it stands for by
// itself, and reports whether a ban was decided, of which there is one at most: what
// comes after it at the same time cannot prolong it.
//
// Failures count during a ban too. Enough of them prolong it, up to a plain
// bantime from the last of them, and are no offence. An eighth is added to what is
// imposed then, so that who goes on failing is not imposed again each time; what
// counts as during the ban is as in fail2ban.
func (j *Jail) rate(f *failure) (decided bool) {
	for range f.n {
		c := j.count(f, 1)
		if c == nil {
			return decided
		}
		if int(c.total) < j.c.MaxRetry {
			c.total = plus(c.total, j.extra(f))
		}
		if int(c.total) < j.c.MaxRetry {
			continue
		}
		if j.prolongOrJudge(f) {
			decided = true
		}
		j.counts.drop(f.key)
	}
	return decided
}

// prolongOrJudge decides the ban of a subject that has failed too often, or what
// makes the one that stands longer, and reports whether that is to be imposed.
func (j *Jail) prolongOrJudge(f *failure) bool {
	c := j.counts.find(f.key)
	if r := j.record(j.c.Name, f.key); r == nil || c.last >= r.until {
		j.judge(f)
		return true
	}
	r := j.edit(j.c.Name, f.key)
	b := j.ban(f, c)
	b.Nth = max(1, int(r.nth))
	if j.c.BanTime != config.Forever {
		b.Until = b.Since.Add(j.c.BanTime)
	}
	if r.until = max(r.until, untilOf(b)); r.until <= r.imposed {
		return false
	}
	if j.c.BanTime != config.Forever {
		b.Until = b.Until.Add(j.c.BanTime / 8)
	}
	r.imposed, r.cause = untilOf(b), uint64(b.Cause)
	j.decided = b
	return true
}

// extra is what a failure counts on top of 1: with a growing bantime the failures
// of who was banned n times in this jail count 2^(n-1)+1 each, those after the
// last ban began.
func (j *Jail) extra(f *failure) int32 {
	if !j.c.Increment.Enabled {
		return 0
	}
	r := j.record(j.c.Name, f.key)
	if r == nil || f.time <= r.offences.last {
		return 0
	}
	n := j.remembered(r, f.time)
	if n == 0 {
		return 0
	}
	return int32(min(1<<(min(n, mostDoublings)-1), j.c.MaxRetry-1))
}
