// Package jail decides who is banned, and for how long.
//
// A Jail is a fold over the ledger's events: it does no I/O, starts no goroutine
// and reads no clock, so the same events give the same bans on every node, after
// every restart and in every test.
package jail

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/formula"
	"github.com/edgeban/edgeban/internal/sorted"
)

// MaxSubjects bounds how many subjects one jail counts. Beyond it the jail
// forgets, from the most crowded networks first. So many cost 100 MB.
const MaxSubjects = 1 << 20

// A Jail counts the failures of each subject. It is not safe for concurrent use.
type Jail struct {
	c       config.Jail
	forget  time.Duration
	grow    *formula.Expr // of the bantime; nil where the configuration has none
	over    bool          // over the bans of the other jails
	max     int
	counts  *table
	records *sorted.Table[record]
	names   []string // of the jails in the records
	lifted  map[key]int64
	people  map[key][]attempt // whose logins failed, where a login forgives them
	good    map[key]int64     // when somebody has logged in last, where that matters
	swept   int64             // when room was made for these two
	before  uint64            // mark of the failure before the one that was counted last
	batch   []edgeban.Match   // that come next, from its first on; see Near
	near    []nearby          // of each of these
	decided edgeban.Ban       // the last one; here, because most failures decide nothing
}

// New returns a jail that has seen nothing. An offence older than forget no
// longer makes the next ban longer; where the rate is counted, all of a subject
// are forgotten together, as in fail2ban.
func New(c config.Jail, forget time.Duration) *Jail {
	j := &Jail{
		c: c, forget: forget, over: c.OverBans(), max: MaxSubjects,
		counts: newTable(), records: newRecords(), lifted: map[key]int64{},
		people: map[key][]attempt{}, good: map[key]int64{},
	}
	if c.Increment.Formula != "" {
		if e, err := formula.Parse(c.Increment.Formula); err == nil { // one that cannot be read was refused with the configuration
			j.grow = e
		}
	}
	return j
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
	if f, ok := j.take(ev); ok && j.fail(&f) {
		return j.decided, true
	}
	return edgeban.Ban{}, false
}

// Match is Observe for a match that is no event of a ledger, as in a replay; b is nil
// for no ban, and may be read until the next call. The mark is what it is known by there;
// before is that of the failure of its subject which counted last, 0 for none.
func (j *Jail) Match(seq edgeban.Seq, m *edgeban.Match, mark uint64) (b *edgeban.Ban, before uint64) {
	j.before = 0
	if f, counts := j.takeMatch(seq, m); counts {
		f.mark = mark
		if j.fail(&f) {
			return &j.decided, j.before
		}
	}
	return nil, j.before
}

// Near prepares for Match with each of these in turn: one after the other each would wait
// for the memory of its subject's count, here the processor asks for all of it at the
// same time.
func (j *Jail) Near(ms []edgeban.Match) {
	j.batch, j.near = ms, slices.Grow(j.near[:0], len(ms))[:len(ms)]
	for i := range ms {
		n := &j.near[i] // written in its place: what is copied right away is waited for
		n.key = keyOf(ms[i].Subject)
		n.hash = j.counts.at.hash(&n.key)
	}
	j.counts.touch(j.near)
}

// nextOf returns what Near has found for m if that is one of its matches, which come in
// their order.
func (j *Jail) nextOf(m *edgeban.Match) nearby {
	for i := range j.batch {
		if m == &j.batch[i] {
			n := j.near[len(j.near)-len(j.batch)+i]
			j.batch = j.batch[i+1:]
			return n
		}
	}
	return j.counts.near(keyOf(m.Subject))
}

// fail counts a failure, and reports whether a ban was decided.
func (j *Jail) fail(f *failure) bool {
	if j.c.Count == config.Rate {
		return j.rate(f)
	}
	if c := j.count(f, f.n); c == nil || int(c.total) < j.enough(f.key, f.time) {
		return false
	}
	j.judge(f)
	return true
}

// Warm takes an event in as Observe does, but decides nothing: the past warms
// the counts in silence, and the next failure is judged with them.
func (j *Jail) Warm(ev edgeban.Event) {
	if f, ok := j.take(ev); ok {
		j.count(&f, f.n)
	}
}

// A failure is what counts: a match, or the ban of another jail.
type failure struct {
	seq     edgeban.Seq
	subject netip.Prefix
	nearby
	time int64
	n    int32 // how many it stands for
	user string
	mark uint64
}

func (j *Jail) take(ev edgeban.Event) (failure, bool) {
	switch fact := ev.Fact.(type) {
	case edgeban.Match:
		return j.takeMatch(ev.Seq, &fact)
	case edgeban.Ban:
		f := failure{seq: ev.Seq, subject: fact.Subject, nearby: j.counts.near(keyOf(fact.Subject)), time: fact.Since.UnixNano(), n: 1}
		return f, j.takeBan(fact)
	case edgeban.Lift:
		j.takeLift(fact)
	}
	return failure{}, false
}

func (j *Jail) takeMatch(seq edgeban.Seq, m *edgeban.Match) (failure, bool) {
	if m.Kind == edgeban.Success {
		j.succeed(m)
	}
	if m.Jail != j.c.Name || m.Kind != edgeban.Failure || m.Ignored != "" || j.over {
		return failure{}, false
	}
	f := failure{seq: seq, subject: m.Subject, nearby: j.nextOf(m), time: m.Time.UnixNano(), n: max(1, number(m.Count)), user: m.User}
	return f, true
}

// count adds n failures to those of the subject and returns them, or nil where
// they do not count: it was let go after them, or is banned already.
func (j *Jail) count(f *failure, n int32) *count {
	rate := j.c.Count == config.Rate
	if !rate {
		if r := j.record(j.c.Name, f.key); r != nil && f.time < r.until {
			return nil
		}
	}
	if at, ok := j.lifted[f.key]; ok && f.time <= at {
		return nil
	}
	if j.counts.len() >= j.max && j.counts.find(f.key) == nil {
		j.thin(f.time)
	}
	c := j.counts.editNear(&f.nearby)
	if c.mark != f.mark {
		j.before, c.mark = c.mark, f.mark
	}
	if rate {
		c.addRate(f.time, n, int64(j.c.FindTime))
	} else {
		c.addWindow(f.time, n, int64(j.c.FindTime), j.c.Threshold(j.c.KnownGood > 0))
	}
	j.tried(f, n)
	return c
}

// judge decides the ban of a subject that has failed too often.
func (j *Jail) judge(f *failure) {
	c := j.counts.find(f.key)
	before := j.offences(f.key, c.last)
	b := j.ban(f, c)
	b.Nth = before + 1
	if d := j.duration(b.Key, f.seq, before); d != config.Forever {
		b.Until = b.Since.Add(d)
	}
	j.remember(b)
	j.decided = b
}

// ban returns the ban that a count leads to, but for its end.
func (j *Jail) ban(f *failure, c *count) edgeban.Ban {
	return edgeban.Ban{
		Key: edgeban.Key{Jail: j.c.Name, Subject: f.subject}, Since: time.Unix(0, c.last).UTC(),
		Failures: c.failures(), Cause: f.seq, Reason: reason(c, j.over),
	}
}

func reason(c *count, bans bool) string {
	what := "failure"
	if bans {
		what = "ban"
	}
	n := c.failures()
	if n != 1 {
		what += "s"
	}
	text := strconv.Itoa(n) + " " + what + " in " + config.FormatDuration(time.Duration(c.last-c.first).Round(time.Second))
	if int(c.total) > n {
		text += fmt.Sprintf(", counted as %d after earlier bans", c.total)
	}
	return text
}

// takeBan takes in a ban, of this jail or of another one where those matter, and
// reports whether it counts as a failure.
func (j *Jail) takeBan(b edgeban.Ban) bool {
	own := b.Jail == j.c.Name
	if !own && !j.over && !j.c.Increment.OverallJails {
		return false
	}
	fresh := j.remember(b)
	return !own && j.over && fresh && b.Cause != 0
}

// Len returns how many subjects are being counted.
func (j *Jail) Len() int { return j.counts.len() }
