package jail

import (
	"bytes"
	"cmp"
	"encoding/gob"
	"fmt"
)

// firstState is a snapshot as the first edgebans wrote it.
type firstState struct {
	Version int
	Counts  []firstCount
	Records []firstRecord
	Lifted  map[key]int64
}

type firstCount struct {
	Key         key
	Total       int
	Seen        int
	First, Last int64
	At          []int64
	N           []int
}

type firstRecord struct {
	Jail     string
	Key      key
	Until    int64
	Cause    uint64
	Offence  bool
	Offences []int64
	Nth      int // what follows is not in the very first
	Length   int64
	Imposed  int64
}

// readFirst reads a snapshot of before there was a title.
func (j *Jail) readFirst(b []byte) error {
	var s firstState
	if err := gob.NewDecoder(bytes.NewReader(b)).Decode(&s); err != nil {
		return err
	}
	if s.Version != 1 {
		return fmt.Errorf("the snapshot has version %d, which this edgeban does not know", s.Version)
	}
	for _, cs := range s.Counts {
		if len(cs.At) != len(cs.N) {
			return errDamaged
		}
		var stamps []stamp
		for i := range cs.At {
			stamps = append(stamps, stamp{cs.At[i], number(cs.N[i])})
		}
		from := count{stamps: &stamps, first: cs.First, last: cs.Last, total: number(cs.Total), seen: number(cmp.Or(cs.Seen, cs.Total))}
		j.counts.edit(cs.Key).restore(from, len(stamps) > 0, j.c.Count)
	}
	for _, rs := range s.Records {
		r := j.edit(rs.Jail, rs.Key)
		r.until, r.imposed, r.cause, r.offence = rs.Until, max(rs.Until, rs.Imposed), rs.Cause, rs.Offence
		r.offences, r.nth, r.length = offencesOf(rs.Offences), number(rs.Nth), rs.Length
		if rs.Length == 0 && len(rs.Offences) > 0 { // of an edgeban that did not write them
			r.nth, r.length = number(len(rs.Offences)), rs.Until-r.offences.last
		}
	}
	for k, at := range s.Lifted {
		j.lifted[k] = at
	}
	return nil
}
