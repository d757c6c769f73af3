package daemon

import (
	"cmp"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/edgeban/edgeban"
)

// However few are held at a time, each comes once, and in its place.
func TestBansComeNewestFirst(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	noon := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	var all []edgeban.Ban
	for i := range 300 {
		jail := []string{"sshd", "dovecot"}[r.IntN(2)]
		subject := netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i / 2)}), 32)
		all = append(all, edgeban.Ban{Key: edgeban.Key{Jail: jail, Subject: subject}, Since: noon.Add(time.Duration(r.IntN(20)) * time.Second), Nth: i})
	}
	want := slices.Clone(all)
	slices.SortStableFunc(want, func(x, y edgeban.Ban) int {
		return cmp.Or(y.Since.Compare(x.Since), x.Subject.Compare(y.Subject), cmp.Compare(x.Jail, y.Jail))
	})
	slices.SortFunc(all, func(x, y edgeban.Ban) int {
		return cmp.Or(x.Subject.Compare(y.Subject), cmp.Compare(x.Jail, y.Jail)) // as the ledger has them
	})
	for _, few := range []int{1, 7, 299, 300, 1000} {
		if got := slices.Collect(newest(slices.Values(all), few)); !slices.EqualFunc(got, want, func(x, y edgeban.Ban) bool { return x.Key == y.Key && x.Since.Equal(y.Since) }) {
			t.Errorf("%d at a time: got %d bans, want %d, newest first", few, len(got), len(want))
		}
	}
	for b := range newest(slices.Values(all), 7) {
		if b.Nth != want[0].Nth || b.Key != want[0].Key {
			t.Errorf("got %v first, want %v", b.Key, want[0].Key)
		}
		break // who asks may stop
	}
	if got := slices.Collect(newest(slices.Values[[]edgeban.Ban](nil), 7)); len(got) > 0 {
		t.Errorf("of none got %v", got)
	}
}
