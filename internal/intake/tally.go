package intake

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/edgeban/edgeban"
)

// An Ignored is somebody whose matches did not count, and why.
type Ignored struct {
	Addr netip.Addr
	Why  string
}

// maxIgnored bounds how many a trial remembers.
const maxIgnored = 1000

func (t *Trial) ignore(m edgeban.Match) {
	k := Ignored{m.Addr, m.Ignored}
	if _, known := t.ignored[k]; known || len(t.ignored) < maxIgnored {
		t.ignored[k] += int64(m.Count)
	}
}

// Ignored returns whose matches did not count, and how many each has, most first.
func (t *Trial) Ignored() (who []Ignored, n []int64) {
	for k := range t.ignored {
		who = append(who, k)
	}
	slices.SortFunc(who, func(a, b Ignored) int {
		return cmp.Or(cmp.Compare(t.ignored[b], t.ignored[a]), a.Addr.Compare(b.Addr), strings.Compare(a.Why, b.Why))
	})
	for _, k := range who {
		n = append(n, t.ignored[k])
	}
	return who, n
}
