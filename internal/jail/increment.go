package jail

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
)

// duration returns how long the nth offence is banned for. As in fail2ban the
// first offence gets the plain bantime, the growth is capped by maxtime, and the
// random part comes on top of the cap. The random part is derived from the key
// and the cause, so that every replay agrees on it.
func duration(c config.Jail, k edgeban.Key, cause edgeban.Seq, nth int) time.Duration {
	if c.BanTime == config.Forever {
		return config.Forever
	}
	in := c.Increment
	if !in.Enabled {
		return c.BanTime
	}
	d := float64(c.BanTime)
	if before := nth - 1; before > 0 {
		grown := d * in.Factor * math.Pow(2, float64(min(before, 20)))
		if len(in.Multipliers) > 0 {
			grown = d * in.Factor * float64(in.Multipliers[min(before, len(in.Multipliers)-1)])
		}
		d = max(d, grown)
	}
	if in.MaxTime > 0 {
		d = min(d, float64(in.MaxTime))
	}
	d += float64(in.RandomTime) * fraction(k, cause)
	return time.Duration(min(d, float64(maxBan)))
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
