package jail

import (
	"bytes"
	"cmp"
	"encoding/gob"
	"fmt"
	"math"
	"slices"
	"time"
)

// state is a jail's snapshot. Its fields may grow; Version changes when they
// change their meaning.
type state struct {
	Version int
	Counts  []countState
	Records []recordState
	Lifted  map[key]int64
}

type countState struct {
	Key         key
	Total       int
	Seen        int
	First, Last int64
	At          []int64
	N           []int
}

type recordState struct {
	Jail     string
	Key      key
	Until    int64
	Cause    uint64
	Offence  bool
	Offences []int64
	Nth      int // what follows is not in the first snapshots
	Length   int64
	Imposed  int64
}

const stateVersion = 1

// Snapshot returns the jail's state. What cannot matter at t, the time of the
// last event, is forgotten; at the zero time nothing is.
func (j *Jail) Snapshot(t time.Time) ([]byte, error) {
	if !t.IsZero() {
		j.expire(t.UnixNano())
	}
	s := state{Version: stateVersion, Lifted: j.lifted}
	for k, c := range j.counts {
		cs := countState{Key: k, Total: c.total, Seen: c.seen, First: c.first, Last: c.last}
		for _, st := range c.stamps {
			cs.At, cs.N = append(cs.At, st.at), append(cs.N, st.n)
		}
		s.Counts = append(s.Counts, cs)
	}
	for k, rs := range j.records {
		for _, r := range rs {
			s.Records = append(s.Records, recordState{r.jail, k, r.until, r.cause, r.offence, r.offences, r.nth, r.length, r.imposed})
		}
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(s); err != nil {
		return nil, fmt.Errorf("jail %s: snapshot: %w", j.c.Name, err)
	}
	return b.Bytes(), nil
}

// Restore puts the jail into the state of a snapshot, whatever the rules were by
// which that was made: changed rules apply to what comes next.
func (j *Jail) Restore(b []byte) error {
	var s state
	if err := gob.NewDecoder(bytes.NewReader(b)).Decode(&s); err != nil {
		return fmt.Errorf("jail %s: restore: %w", j.c.Name, err)
	}
	if s.Version != stateVersion {
		return fmt.Errorf("jail %s: restore: the snapshot has version %d, this edgeban knows %d", j.c.Name, s.Version, stateVersion)
	}
	fresh := New(j.c, j.forget)
	for _, cs := range s.Counts {
		if len(cs.At) != len(cs.N) {
			return fmt.Errorf("jail %s: restore: damaged snapshot", j.c.Name)
		}
		c := &count{total: cs.Total, seen: cmp.Or(cs.Seen, cs.Total), first: cs.First, last: cs.Last}
		for i := range cs.At {
			c.stamps = append(c.stamps, stamp{cs.At[i], cs.N[i]})
		}
		fresh.counts[cs.Key] = c
	}
	for _, rs := range s.Records {
		r := &record{rs.Jail, rs.Until, max(rs.Until, rs.Imposed), rs.Cause, rs.Offence, rs.Offences, rs.Nth, rs.Length}
		if rs.Length == 0 && len(rs.Offences) > 0 { // of an edgeban that did not write them
			r.nth, r.length = len(rs.Offences), rs.Until-r.last()
		}
		fresh.records[rs.Key] = append(fresh.records[rs.Key], r)
	}
	for k, at := range s.Lifted {
		fresh.lifted[k] = at
	}
	fresh.max = j.max
	*j = *fresh
	return nil
}

// expire forgets what cannot matter to any event from t on.
func (j *Jail) expire(t int64) {
	const slack = int64(24 * time.Hour) // lines may be read late
	for k, c := range j.counts {
		if c.last < t-int64(j.c.FindTime)-slack {
			delete(j.counts, k)
		}
	}
	for k, rs := range j.records {
		kept := slices.DeleteFunc(rs, func(r *record) bool {
			return r.until != math.MaxInt64 && r.until < t-slack && j.remembered(r, t-slack) == 0
		})
		if j.records[k] = kept; len(kept) == 0 {
			delete(j.records, k)
		}
	}
	for k, at := range j.lifted {
		if at < t-int64(j.c.FindTime)-slack {
			delete(j.lifted, k)
		}
	}
}
