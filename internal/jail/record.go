package jail

import (
	"slices"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
)

// A record is what is remembered of a subject's bans in one jail. Times are Unix
// nanoseconds.
type record struct {
	jail     string
	until    int64   // when the ban that ends last ends; math.MaxInt64 for never
	imposed  int64   // the same, as it was imposed: later where a ban was prolonged
	cause    uint64  // of the last ban
	offence  bool    // whether the ban that stands, or stood last, is an offence
	offences []int64 // when each offence was, the last maxOffences of them
	nth      int     // of the last offence; 0 once that was lifted
	length   int64   // how long the last offence was banned for
}

// remember writes a ban into its record, clears the count, and reports whether
// it is an offence that was not known: neither told before nor a prolongation.
func (j *Jail) remember(b edgeban.Ban) bool {
	k := keyOf(b.Subject)
	r := j.record(b.Jail, k)
	if r == nil {
		r = &record{jail: b.Jail}
		j.records[k] = append(j.records[k], r)
	}
	if b.Cause != 0 && uint64(b.Cause) <= r.cause {
		return false
	}
	since := b.Since.UnixNano()
	offence := b.Cause != 0 && (since >= r.until || b.Nth > r.nth)
	if c := j.counts.find(k); b.Jail == j.c.Name && c != nil && c.last < untilOf(b) { // what came after its end counts on
		j.counts.drop(k)
	}
	if since >= r.until || offence {
		r.offence = offence
	}
	r.until, r.imposed, r.cause = max(r.until, untilOf(b)), max(r.imposed, untilOf(b)), max(r.cause, uint64(b.Cause))
	if offence {
		r.offences = append(r.offences, since)
		if len(r.offences) > maxOffences {
			r.offences = r.offences[1:]
		}
		r.nth, r.length = max(1, b.Nth), untilOf(b)-since
	}
	return offence
}

// Prolongs reports whether b, a ban that was decided or observed just now, makes
// one longer that stood, and is no offence of its own.
func (j *Jail) Prolongs(b edgeban.Ban) bool {
	r := j.record(b.Jail, keyOf(b.Subject))
	return r != nil && !slices.Contains(r.offences, b.Since.UnixNano())
}

// takeLift forgets what led to a ban that a person has ended: it does not count
// as an offence, and lines from before it never count again.
func (j *Jail) takeLift(l edgeban.Lift) {
	k := keyOf(l.Subject)
	at := l.At.UnixNano()
	if r := j.record(l.Jail, k); r != nil && r.until > at {
		r.until, r.imposed = at, at
		if n := len(r.offences); n > 0 && r.offence {
			r.offences, r.nth = r.offences[:n-1], 0
		}
		r.offence = false
	}
	if l.Jail == j.c.Name || j.over {
		j.counts.drop(k)
	}
	if l.Jail == j.c.Name {
		j.lifted[k] = max(at, j.lifted[k])
	}
}

// record returns what is remembered of a subject in a jail, or nil.
func (j *Jail) record(jail string, k key) *record {
	for _, r := range j.records[k] {
		if r.jail == jail {
			return r
		}
	}
	return nil
}

// offences returns how many offences of a subject are remembered at t. Where the
// offences of all jails count, each jail's number stands for those that it has
// counted itself: as in fail2ban they add up faster than there are bans.
func (j *Jail) offences(k key, t int64) int {
	n := 0
	for _, r := range j.records[k] {
		if r.jail == j.c.Name || j.c.Increment.OverallJails {
			n += j.remembered(r, t)
		}
	}
	return n
}

// remembered returns how many offences of a record matter at t. In a window each
// is forgotten alone. As fail2ban's database has it, a rate's are forgotten
// together, once the last one and three times its ban are past.
func (j *Jail) remembered(r *record, t int64) int {
	t -= int64(j.forget)
	if j.c.Count != config.Rate {
		return r.since(t)
	}
	if last := r.last(); last < t && (t-last-1)/3 >= r.length {
		return 0
	}
	return r.nth
}

// last returns when the last offence was, 0 where there is none.
func (r *record) last() int64 {
	if n := len(r.offences); n > 0 {
		return r.offences[n-1]
	}
	return 0
}

// since returns how many offences were at t or later.
func (r *record) since(t int64) int {
	n := 0
	for _, o := range r.offences {
		if o >= t {
			n++
		}
	}
	return n
}
