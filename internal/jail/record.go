package jail

import (
	"cmp"
	"slices"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/sorted"
)

// A record is what is remembered of a subject's bans in one jail. There may be
// hundreds of thousands. Times are Unix nanoseconds.
type record struct {
	key      key
	offence  bool   // whether the ban that stands, or stood last, is an offence
	jail     uint16 // the place of its name
	nth      int32  // of the last offence; 0 once that was lifted
	until    int64  // when the ban that ends last ends; math.MaxInt64 for never
	imposed  int64  // the same, as it was imposed: later where a ban was prolonged
	cause    uint64 // of the last ban
	length   int64  // how long the last offence was banned for
	offences offences
}

// newRecords returns records by subject, those of one subject by jail.
func newRecords() *sorted.Table[record] {
	return sorted.NewTable(func(a, b *record) int { return a.from(&b.key, b.jail) })
}

// from orders r by a subject and a jail.
func (r *record) from(k *key, jail uint16) int {
	if c := r.key.compare(k); c != 0 {
		return c
	}
	return cmp.Compare(r.jail, jail)
}

// jailAt returns the place of a jail's name, which it gets if it has none.
func (j *Jail) jailAt(name string) uint16 {
	i := slices.Index(j.names, name)
	if i < 0 {
		i = len(j.names)
		j.names = append(j.names, name)
	}
	return uint16(i)
}

// edit returns the record of a subject in a jail, to be changed until the next call.
func (j *Jail) edit(jail string, k key) *record {
	return j.records.Edit(record{key: k, jail: j.jailAt(jail)})
}

// remember writes a ban into its record, clears the count, and reports whether
// it is an offence that was not known: neither told before nor a prolongation.
func (j *Jail) remember(b edgeban.Ban) bool {
	k := keyOf(b.Subject)
	r := j.edit(b.Jail, k)
	if b.Cause != 0 && uint64(b.Cause) <= r.cause {
		return false
	}
	since := b.Since.UnixNano()
	offence := b.Cause != 0 && (since >= r.until || b.Nth > int(r.nth))
	if c := j.counts.find(k); b.Jail == j.c.Name && c != nil && c.last < untilOf(b) { // what came after its end counts on
		j.counts.drop(k)
		delete(j.people, k)
	}
	if since >= r.until || offence {
		r.offence = offence
	}
	r.until, r.imposed, r.cause = max(r.until, untilOf(b)), max(r.imposed, untilOf(b)), max(r.cause, uint64(b.Cause))
	if offence {
		r.offences.add(since)
		r.nth, r.length = max(1, number(b.Nth)), untilOf(b)-since
	}
	return offence
}

// Prolongs reports whether b, a ban that was decided or observed just now, makes
// one longer that stood, and is no offence of its own.
func (j *Jail) Prolongs(b edgeban.Ban) bool {
	r := j.record(b.Jail, keyOf(b.Subject))
	return r != nil && !slices.Contains(r.offences.all(), b.Since.UnixNano())
}

// takeLift forgets what led to a ban that a person has ended: it does not count
// as an offence, and lines from before it never count again.
func (j *Jail) takeLift(l edgeban.Lift) {
	k := keyOf(l.Subject)
	at := l.At.UnixNano()
	if r := j.record(l.Jail, k); r != nil && r.until > at {
		r = j.edit(l.Jail, k)
		r.until, r.imposed = at, at
		if r.offence && r.offences.dropLast() {
			r.nth = 0
		}
		r.offence = false
	}
	if l.Jail == j.c.Name || j.over {
		j.counts.drop(k)
		delete(j.people, k)
	}
	if l.Jail == j.c.Name {
		j.lifted[k] = max(at, j.lifted[k])
	}
}

// record returns what is remembered of a subject in a jail, to be read only, or nil.
func (j *Jail) record(jail string, k key) *record {
	i := slices.Index(j.names, jail)
	if i < 0 {
		return nil
	}
	return j.records.Find(func(r *record) int { return r.from(&k, uint16(i)) })
}

// offences returns how many offences of a subject are remembered at t. Where the
// offences of all jails count, each jail's number stands for those that it has
// counted itself: as in fail2ban they add up faster than there are bans.
func (j *Jail) offences(k key, t int64) int {
	n := 0
	for r := range j.records.From(func(r *record) int { return r.from(&k, 0) }) {
		if r.key != k {
			break
		}
		if j.names[r.jail] == j.c.Name || j.c.Increment.OverallJails {
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
		return r.offences.since(t)
	}
	if last := r.offences.last; last < t && (t-last-1)/3 >= r.length {
		return 0
	}
	return int(r.nth)
}
