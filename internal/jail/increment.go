package jail

import (
	"encoding/binary"
	"errors"
	"hash/fnv"
	"math"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/formula"
)

// mostDoublings is where fail2ban's doubling ends.
const mostDoublings = 20

// duration returns how long an offence is banned for that has so many before it.
// As in fail2ban the first gets the plain bantime, the growth of the others is
// capped by maxtime, and the random part comes on top of the cap. The random part
// is derived from the key and the cause, so that every replay agrees on it.
func (j *Jail) duration(k edgeban.Key, cause edgeban.Seq, before int) time.Duration {
	plain, in := j.c.BanTime, j.c.Increment
	if plain == config.Forever || !in.Enabled || before == 0 {
		return plain
	}
	d, ok := j.grown(before)
	if !ok {
		return plain
	}
	if in.MaxTime > 0 {
		d = min(d, float64(in.MaxTime))
	}
	d += float64(in.RandomTime) * fraction(k, cause)
	return time.Duration(min(d, float64(maxBan)))
}

// grown returns the bantime after so many offences, in nanoseconds, before it is
// capped. Only a list of multipliers may make it shorter. It is not ok where the
// formula has no value, or the ban no length.
func (j *Jail) grown(before int) (d float64, ok bool) {
	plain, in := float64(j.c.BanTime), j.c.Increment
	switch {
	case len(in.Multipliers) > 0:
		d = plain * in.Factor * float64(in.Multipliers[min(before, len(in.Multipliers)-1)])
	case in.Formula != "":
		if j.grow == nil {
			return 0, false
		}
		s, err := j.grow.Eval(formula.Vars{Time: j.c.BanTime.Seconds(), Count: before, Factor: in.Factor})
		if errors.Is(err, formula.ErrOverflow) { // it has grown out of all numbers
			return float64(maxBan), true
		}
		if err != nil || math.IsNaN(s) {
			return 0, false
		}
		d = max(plain, s*float64(time.Second))
	default:
		d = max(plain, plain*in.Factor*math.Pow(2, float64(min(before, mostDoublings))))
	}
	return d, d > 0
}

// maxBan keeps the end of a ban within what a time can hold in nanoseconds.
const maxBan = 100 * 365 * 24 * time.Hour

// fraction returns a number in [0, 1) that depends on the key and the cause only.
func fraction(k edgeban.Key, cause edgeban.Seq) float64 {
	h := fnv.New64a()
	h.Write([]byte(k.Jail))
	kk := keyOf(k.Subject)
	h.Write(kk[:])
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(cause)))
	x := h.Sum64()
	x ^= x >> 33 // FNV's low bits are better mixed than its high ones
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return float64(x>>11) / (1 << 53)
}
