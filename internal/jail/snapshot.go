package jail

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"time"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/sorted"
)

// A snapshot is the title, then whether windows are counted, the counts, the records, the lifted subjects, whose
// logins failed, and the known good, each behind their number. Numbers are varints. The second title had no people.
const (
	title  = "edgeban jail 3\n"
	second = "edgeban jail 2\n"
)

// A Frozen is the state of a jail at one moment. It may be written down while the
// jail goes on.
type Frozen struct {
	counts  pages
	n       int  // of the counts
	windows bool // they are windows
	records *sorted.View[record]
	names   []string // of their jails
	lifted  []byte   // in writing, and the people
}

// Freeze returns the jail's state, and takes little time for it. What cannot
// matter at t, the time of the last event, is forgotten; at the zero time nothing
// is.
func (j *Jail) Freeze(t time.Time) Frozen {
	if !t.IsZero() {
		j.expire(t.UnixNano())
	}
	return Frozen{j.counts.freeze(), j.counts.len(), j.c.Count != config.Rate, j.records.Freeze(), j.names, j.appendPeople(j.appendLifted(nil))}
}

// Snapshot returns the state as Restore takes it.
func (f Frozen) Snapshot() []byte {
	b := make([]byte, 0, len(title)+18*f.n+64*f.records.Len()+len(f.lifted))
	b = appendBool(append(b, title...), f.windows)
	b = binary.AppendUvarint(b, uint64(f.n))
	last := int64(0)
	for c := range f.counts.all() {
		b = binary.AppendVarint(appendKey(b, c.key), c.last-last)
		b = binary.AppendVarint(b, c.last-c.first)
		b = binary.AppendUvarint(b, uint64(c.total))
		b = binary.AppendUvarint(b, uint64(c.seen))
		b = c.appendStamps(b)
		last = c.last
	}
	b = binary.AppendUvarint(b, uint64(f.records.Len()))
	for r := range f.records.All() {
		b = appendRecord(appendKey(b, r.key), f.names[r.jail], r)
	}
	return append(b, f.lifted...)
}

// appendStamps writes the window, unless all of it is the time last.
func (c *count) appendStamps(b []byte) []byte {
	if c.stamps == nil {
		return append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(*c.stamps)))
	for _, s := range *c.stamps {
		b = binary.AppendUvarint(binary.AppendVarint(b, c.last-s.at), uint64(s.n))
	}
	return b
}

func (j *Jail) appendLifted(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(j.lifted)))
	for k, at := range j.lifted {
		b = binary.AppendVarint(appendKey(b, k), at)
	}
	return b
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendRecord(b []byte, jail string, r *record) []byte {
	b = binary.AppendUvarint(b, uint64(len(jail)))
	b = append(b, jail...)
	b = binary.AppendVarint(binary.AppendVarint(b, r.until), r.imposed)
	b = binary.AppendVarint(binary.AppendUvarint(b, r.cause), int64(r.nth))
	b = binary.AppendVarint(b, r.length)
	b = appendBool(b, r.offence)
	all := r.offences.all()
	b = binary.AppendUvarint(b, uint64(len(all)))
	for _, at := range all {
		b = binary.AppendVarint(b, at)
	}
	return b
}

// appendKey writes the bits of a subject and its address, in 4 or 16 bytes.
func appendKey(b []byte, k key) []byte {
	if k.isIPv4() && k[16] >= 96 {
		return append(append(b, k[16]-96+short), k[12:16]...)
	}
	return append(append(b, k[16]), k[:16]...)
}

// short is added to the bits of an IPv4 subject: there are 128 of IPv6.
const short = 129

// Restore puts the jail into the state of a snapshot, whatever the rules were by
// which that was made: changed rules apply to what comes next.
func (j *Jail) Restore(b []byte) error {
	fresh := New(j.c, j.forget)
	fresh.max = j.max
	if err := fresh.read(b); err != nil {
		return fmt.Errorf("jail %s: restore: %w", j.c.Name, err)
	}
	*j = *fresh
	return nil
}

func (j *Jail) read(b []byte) error {
	if !bytes.HasPrefix(b, []byte(title)) && !bytes.HasPrefix(b, []byte(second)) {
		return errors.New("the snapshot is none that this edgeban knows")
	}
	r := reader{b: b[len(title):]}
	r.counts(j)
	for range r.len() {
		if k, jail, rec := r.key(), r.take(r.len()), r.record(); !r.damaged {
			rec.key, rec.jail = k, j.jailAt(string(jail))
			*j.records.Edit(rec) = rec
		}
	}
	j.records.Pack() // first edgebans wrote them in no order
	for range r.len() {
		if k, at := r.key(), r.int(); !r.damaged {
			j.lifted[k] = at
		}
	}
	if bytes.HasPrefix(b, []byte(title)) {
		r.people(j)
	}
	if r.damaged || len(r.b) > 0 {
		return errDamaged
	}
	return nil
}

var errDamaged = errors.New("damaged snapshot")

// A reader reads what was appended. Once it cannot, it reads nothing but zeros.
type reader struct {
	b       []byte
	damaged bool
	times   []int64 // room for those of one record
}

func (r *reader) counts(j *Jail) {
	windows, last := r.uint() != 0, int64(0)
	for range r.len() {
		k := r.key()
		last += r.int()
		c := count{last: last, first: last - r.int(), total: int32(r.uint()), seen: int32(r.uint()), stamps: r.stamps(last)}
		if !r.damaged {
			j.counts.edit(k).restore(c, windows, j.c.Count)
		}
	}
}

func (r *reader) stamps(last int64) *[]stamp {
	n := r.len()
	if n == 0 {
		return nil
	}
	all := make([]stamp, n)
	for i := range all {
		all[i] = stamp{last - r.int(), int32(r.uint())}
	}
	return &all
}

// restore takes over a count, which is a window or that of a rate. Of the latter a
// window cannot say when its failures were.
func (c *count) restore(from count, window bool, how config.Count) {
	c.first, c.last = from.first, from.last
	switch {
	case how == config.Rate || window && from.stamps == nil:
		c.total, c.seen = from.total, from.seen
	case window:
		c.setWindow(*from.stamps)
	}
}

func (r *reader) record() (rec record) {
	rec.until, rec.imposed, rec.cause, rec.nth, rec.length = r.int(), r.int(), r.uint(), int32(r.int()), r.int()
	rec.offence = r.uint() != 0
	r.times = r.times[:0]
	for range r.len() {
		r.times = append(r.times, r.int())
	}
	rec.offences = offencesOf(r.times)
	return rec
}

func (r *reader) key() (k key) {
	bits := r.take(1)[0]
	if bits < short {
		copy(k[:], r.take(16))
		k[16] = bits
		return k
	}
	k[10], k[11], k[16] = 0xff, 0xff, bits-short+96
	copy(k[12:], r.take(4))
	return k
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// len reads how many follow, each of which takes a byte at least.
func (r *reader) len() int {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.fail()
		return 0
	}
	return int(n)
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.fail()
		return make([]byte, n)
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) fail() { r.b, r.damaged = nil, true }

// expire forgets what cannot matter to any event from t on.
func (j *Jail) expire(t int64) {
	const slack = int64(24 * time.Hour) // lines may be read late
	for c := range pages(j.counts.pages).all() {
		if c.last < t-int64(j.c.FindTime)-slack {
			j.counts.drop(c.key)
		}
	}
	j.forgetPeople(t - slack)
	maps.DeleteFunc(j.good, func(_ key, at int64) bool { return at < t-int64(j.c.KnownGood)-slack })
	j.records.DropFunc(func(r *record) bool {
		return r.until != math.MaxInt64 && r.until < t-slack && j.remembered(r, t-slack) == 0
	})
	for k, at := range j.lifted {
		if at < t-int64(j.c.FindTime)-slack {
			delete(j.lifted, k)
		}
	}
}
