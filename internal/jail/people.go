package jail

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
)

// maxPeople is of how many subjects it is known whose logins failed, or that somebody
// has logged in. What is not known is not forgiven.
const maxPeople = 1 << 16

// An attempt is a failure of one user, which a login of his forgives.
type attempt struct {
	user uint64
	at   int64
	n    int32
}

// userOf returns a number for a name. Nobody can look for a name that has the number
// of another: it would let one user forgive what was tried on another's mailbox.
func userOf(name string) uint64 {
	sum := sha256.Sum256([]byte(name))
	return binary.BigEndian.Uint64(sum[:8])
}

// heals reports whether logins forgive failures.
func (j *Jail) heals() bool { return j.c.ResetOnSuccess && j.c.Count == config.Window }

// enough returns how many failures of a subject are too many at t.
func (j *Jail) enough(k key, t int64) int {
	at, ok := j.good[k]
	return j.c.Threshold(ok && at <= t && t-at < int64(j.c.KnownGood))
}

// tried remembers whose login failed, as long as the window does.
func (j *Jail) tried(f *failure, n int32) {
	if !j.heals() || f.user == "" {
		return
	}
	all := j.people[f.key]
	if all == nil && len(j.people) >= maxPeople && !j.sweep(f.time) {
		return
	}
	all = slices.DeleteFunc(all, func(a attempt) bool { return a.at <= f.time-int64(j.c.FindTime) })
	all = append(all, attempt{userOf(f.user), f.time, n})
	if over := len(all) - j.c.Threshold(true); over > 0 { // the window has no more either
		all = slices.Delete(all, 0, over)
	}
	j.people[f.key] = all
}

// sweep makes room at t, and reports whether there is any. It goes through all, so it
// does that a few times in a window only.
func (j *Jail) sweep(t int64) bool {
	if t-j.swept < int64(j.c.FindTime)/4 && t >= j.swept {
		return false
	}
	j.swept = t
	j.forgetPeople(t)
	maps.DeleteFunc(j.good, func(_ key, at int64) bool { return t-at >= int64(j.c.KnownGood) })
	return len(j.people) < maxPeople && len(j.good) < maxPeople
}

// forgetPeople forgets those of subjects that have no failure in the window before t.
func (j *Jail) forgetPeople(t int64) {
	for k := range j.people {
		if c := j.counts.find(k); c == nil || c.last <= t-int64(j.c.FindTime) {
			delete(j.people, k)
		}
	}
}

// succeed takes in a login: the address is known as good for a while, and the failures
// of that user, from there and before, are forgotten. Those of others count on.
func (j *Jail) succeed(m *edgeban.Match) {
	if m.Jail != j.c.Name || m.Ignored != "" || j.over {
		return
	}
	k, t := keyOf(m.Subject), m.Time.UnixNano()
	if j.c.KnownGood > 0 {
		j.know(k, t)
	}
	if j.heals() && m.User != "" {
		j.forgive(k, userOf(m.User), t)
	}
}

// know remembers that somebody has logged in from a subject.
func (j *Jail) know(k key, t int64) {
	if _, known := j.good[k]; !known && len(j.good) >= maxPeople && !j.sweep(t) {
		return
	}
	j.good[k] = max(j.good[k], t)
}

// forgive takes the failures of a user out of a window.
func (j *Jail) forgive(k key, user uint64, t int64) {
	all := j.people[k]
	mine := func(a attempt) bool { return a.user == user && a.at <= t }
	if !slices.ContainsFunc(all, mine) {
		return
	}
	if c := j.counts.find(k); c != nil {
		window := slices.Clone(c.window())
		for _, a := range all {
			i := slices.IndexFunc(window, func(s stamp) bool { return s.at == a.at })
			if mine(a) && i >= 0 {
				window[i].n -= min(a.n, window[i].n)
			}
		}
		window = slices.DeleteFunc(window, func(s stamp) bool { return s.n == 0 })
		if len(window) == 0 {
			j.counts.drop(k)
		} else {
			j.counts.edit(k).setWindow(window)
		}
	}
	if all = slices.DeleteFunc(all, mine); len(all) == 0 {
		delete(j.people, k)
	} else {
		j.people[k] = all
	}
}

// appendPeople writes whose logins failed, and from where somebody has logged in.
func (j *Jail) appendPeople(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(j.people)))
	for k, all := range j.people {
		b = binary.AppendUvarint(appendKey(b, k), uint64(len(all)))
		for _, a := range all {
			b = binary.AppendUvarint(binary.AppendVarint(binary.AppendUvarint(b, a.user), a.at), uint64(a.n))
		}
	}
	b = binary.AppendUvarint(b, uint64(len(j.good)))
	for k, at := range j.good {
		b = binary.AppendVarint(appendKey(b, k), at)
	}
	return b
}

func (r *reader) people(j *Jail) {
	for range r.len() {
		k, n := r.key(), r.len()
		all := make([]attempt, 0, n)
		for range n {
			all = append(all, attempt{r.uint(), r.int(), int32(r.uint())})
		}
		if !r.damaged {
			j.people[k] = all
		}
	}
	for range r.len() {
		if k, at := r.key(), r.int(); !r.damaged {
			j.good[k] = at
		}
	}
}
