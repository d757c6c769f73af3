// Package jail decides who is banned, and for how long.
//
// A Jail is a fold over the ledger's events: it does no I/O, starts no goroutine
// and reads no clock, so the same events give the same bans on every node, after
// every restart and in every test.
package jail

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
)

// MaxSubjects bounds how many subjects one jail counts. Beyond it the jail
// forgets, from the most crowded networks first.
const MaxSubjects = 200_000

// A Jail counts the failures of each subject. It is not safe for concurrent use.
type Jail struct {
	c       config.Jail
	forget  time.Duration
	over    bool // over the bans of the other jails
	max     int
	counts  map[key]*count
	records map[key][]*record
	lifted  map[key]int64
}

// A record is what is remembered of a subject's bans in one jail.
type record struct {
	jail     string
	until    int64   // when the ban that ends last ends; math.MaxInt64 for never
	cause    uint64  // of the last ban
	offence  bool    // whether the ban that stands, or stood last, is an offence
	offences []int64 // when each offence was, the last maxOffences of them
}

const maxOffences = 32

// New returns a jail that has seen nothing. An offence older than forget no
// longer makes the next ban longer.
func New(c config.Jail, forget time.Duration) *Jail {
	return &Jail{
		c: c, forget: forget, over: len(c.LogPath) == 0, max: MaxSubjects,
		counts: map[key]*count{}, records: map[key][]*record{}, lifted: map[key]int64{},
	}
}

// Subject returns what the jail bans for a failure of a: the address, or for an
// IPv6 address the network around it. An address for which alone reports true is
// banned alone.
func Subject(c config.Jail, a netip.Addr, alone bool) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() && !alone && c.IPv6Prefix > 0 {
		bits = c.IPv6Prefix
	}
	p, err := a.Prefix(bits)
	if err != nil { // a prefix length that no configuration can hold
		return netip.PrefixFrom(a, a.BitLen())
	}
	return p
}

// Observe takes the next event in and reports the ban that it earns, if any.
func (j *Jail) Observe(ev edgeban.Event) (edgeban.Ban, bool) {
	f, ok := j.take(ev)
	if !ok {
		return edgeban.Ban{}, false
	}
	return j.judge(f)
}

// Warm takes an event in as Observe does, but decides nothing: the past warms
// the counts in silence, and the next failure is judged with them.
func (j *Jail) Warm(ev edgeban.Event) { j.take(ev) }

// A failure is what counts: a match, or the ban of another jail.
type failure struct {
	seq     edgeban.Seq
	subject netip.Prefix
	key     key
	time    int64
}

func (j *Jail) take(ev edgeban.Event) (failure, bool) {
	switch fact := ev.Fact.(type) {
	case edgeban.Match:
		if fact.Jail != j.c.Name || fact.Kind != edgeban.Failure || fact.Ignored != "" || j.over {
			return failure{}, false
		}
		return j.count(failure{ev.Seq, fact.Subject, keyOf(fact.Subject), fact.Time.UnixNano()}, max(1, fact.Count))
	case edgeban.Ban:
		return j.takeBan(ev.Seq, fact)
	case edgeban.Lift:
		j.takeLift(fact)
	}
	return failure{}, false
}

// count adds n failures, unless the subject is banned already or was let go
// after them.
func (j *Jail) count(f failure, n int) (failure, bool) {
	if r := j.record(j.c.Name, f.key); r != nil && f.time < r.until {
		return f, false
	}
	if at, ok := j.lifted[f.key]; ok && f.time <= at {
		return f, false
	}
	c := j.counts[f.key]
	if c == nil {
		if len(j.counts) >= j.max {
			j.thin(f.time)
		}
		c = &count{}
		j.counts[f.key] = c
	}
	if j.c.Count == config.Rate {
		c.addRate(f.time, n, int64(j.c.FindTime))
	} else {
		c.addWindow(f.time, n, int64(j.c.FindTime), j.c.MaxRetry)
	}
	return f, true
}

// judge reports the ban of a subject that has failed too often.
func (j *Jail) judge(f failure) (edgeban.Ban, bool) {
	c := j.counts[f.key]
	if c.total < j.c.MaxRetry {
		return edgeban.Ban{}, false
	}
	since, first := c.last, c.first
	nth := j.offences(f.key, since) + 1
	k := edgeban.Key{Jail: j.c.Name, Subject: f.subject}
	b := edgeban.Ban{
		Key: k, Since: time.Unix(0, since).UTC(), Failures: c.total, Nth: nth, Cause: f.seq,
		Reason: reason(c.total, time.Duration(since-first), j.over),
	}
	if d := duration(j.c, k, f.seq, nth); d != config.Forever {
		b.Until = b.Since.Add(d)
	}
	j.remember(b)
	return b, true
}

func reason(n int, within time.Duration, bans bool) string {
	what := "failure"
	if bans {
		what = "ban"
	}
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s in %s", n, what, config.FormatDuration(within.Round(time.Second)))
}

// takeBan takes in a ban: of this jail, or of another one where those matter.
func (j *Jail) takeBan(seq edgeban.Seq, b edgeban.Ban) (failure, bool) {
	own := b.Jail == j.c.Name
	if !own && !j.over && !j.c.Increment.OverallJails {
		return failure{}, false
	}
	fresh := j.remember(b)
	if own || !j.over || !fresh || b.Cause == 0 {
		return failure{}, false
	}
	return j.count(failure{seq, b.Subject, keyOf(b.Subject), b.Since.UnixNano()}, 1)
}

// remember writes a ban into its record, clears the count, and reports whether
// it is an offence that was not known: neither told before nor a prolongation.
func (j *Jail) remember(b edgeban.Ban) bool {
	k := keyOf(b.Subject)
	if c := j.counts[k]; b.Jail == j.c.Name && c != nil && c.last < untilOf(b) { // what came after its end counts on
		delete(j.counts, k)
	}
	r := j.record(b.Jail, k)
	if r == nil {
		r = &record{jail: b.Jail}
		j.records[k] = append(j.records[k], r)
	}
	since := b.Since.UnixNano()
	known := b.Cause != 0 && r.cause == uint64(b.Cause)
	prolonged := since < r.until
	fresh := !known && !prolonged && b.Cause != 0
	if !known && !prolonged {
		r.offence = fresh
	}
	r.until, r.cause = max(r.until, untilOf(b)), uint64(b.Cause)
	if fresh {
		r.offences = append(r.offences, since)
		if len(r.offences) > maxOffences {
			r.offences = r.offences[1:]
		}
	}
	return fresh
}

// takeLift forgets what led to a ban that a person has ended: it does not count
// as an offence, and lines from before it never count again.
func (j *Jail) takeLift(l edgeban.Lift) {
	k := keyOf(l.Subject)
	at := l.At.UnixNano()
	if r := j.record(l.Jail, k); r != nil && r.until > at {
		r.until = at
		if n := len(r.offences); n > 0 && r.offence {
			r.offences = r.offences[:n-1]
		}
		r.offence = false
	}
	if l.Jail == j.c.Name || j.over {
		delete(j.counts, k)
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

// offences returns how many offences of a subject are remembered at t.
func (j *Jail) offences(k key, t int64) int {
	n := 0
	for _, r := range j.records[k] {
		if r.jail == j.c.Name || j.c.Increment.OverallJails {
			n += r.since(t - int64(j.forget))
		}
	}
	return n
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

// Len returns how many subjects are being counted.
func (j *Jail) Len() int { return len(j.counts) }
