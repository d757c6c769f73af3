package jail

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
)

// What was made ready for a batch must not be another's count by the time it is used:
// bans drop counts, and their places are taken by others.
func TestBatchesMadeReadyDecideAsMatchesOneByOne(t *testing.T) {
	for _, how := range []config.Count{config.Rate, config.Window} {
		c := rules(func(c *config.Jail) { c.Count, c.BanTime = how, time.Minute })
		ready, plain := New(c, forget), New(c, forget)
		r := rand.New(rand.NewPCG(3, 4))
		lastOf := map[string]uint64{} // the mark of the last failure that counts, until a ban
		bans, chained := 0, 0
		var n edgeban.Seq
		for round := range 2000 {
			var ms []edgeban.Match
			for range r.IntN(12) {
				m := failing(fmt.Sprintf("198.51.100.%d", r.IntN(40)), time.Duration(round)*20*time.Second)
				if r.IntN(8) == 0 {
					m.Ignored = "it is a friend"
				}
				ms = append(ms, m)
			}
			if r.IntN(4) > 0 {
				ready.Near(ms)
			}
			for k := range ms {
				n++
				b, before := ready.Match(n, &ms[k], uint64(n))
				got, ok := edgeban.Ban{}, b != nil
				if ok {
					got = *b
				}
				want, should := plain.Observe(edgeban.Event{Seq: n, Fact: ms[k]})
				if got != want || ok != should {
					t.Fatalf("%v, match %d: got %+v, want %+v", how, n, got, want)
				}
				who := ms[k].Addr.String()
				if before != 0 && before != lastOf[who] {
					t.Fatalf("%v, match %d: before it is %d, want %d", how, n, before, lastOf[who])
				}
				if before != 0 {
					chained++
				}
				if ms[k].Ignored == "" {
					lastOf[who] = uint64(n)
				}
				if ok {
					bans++
				}
			}
		}
		if bans < 100 || chained < 100 {
			t.Errorf("%v: %d bans, %d failures that know the one before", how, bans, chained)
		}
	}
}
