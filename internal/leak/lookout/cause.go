package lookout

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/edgeban/edgeban/internal/enforce"
	"github.com/edgeban/edgeban/internal/leak"
)

// A cause is being looked for.
type cause struct {
	*Lookout
	leak    leak.Leak
	keepers []*enforce.Keeper // of the targets that hold the entry
}

// A finding is why an entry leaks.
type finding struct {
	cause leak.Cause
	why   string
}

const (
	lines    = 200         // of an address that are looked at for its connections
	patience = time.Minute // for what targets are asked
)

// proved reports whether every target has listed the entry since the lines came
// that are the evidence: one that has lost it, as a firewall that reboots, leaks
// nothing.
func (c cause) proved() bool {
	for _, k := range c.keepers {
		if s := k.Status(); s.Err != nil || !s.Looked.After(c.leak.Proof) {
			return false
		}
	}
	return len(c.keepers) == len(c.leak.At)
}

// gaps are what the gaps of targets mean, the first that explains most.
var gaps = []struct {
	gap   enforce.GapKind
	cause leak.Cause
}{
	{enforce.Behind, leak.Inside},
	{enforce.NoRule, leak.Rule},
	{enforce.NoIPv6, leak.IPv6},
	{enforce.Unfetched, leak.Unfetched},
	{enforce.OpenState, leak.Session},
}

// ways are what is left where nothing is wrong at the target.
const ways = "Look for a port forward that passes without a rule, another uplink, a VPN, or a proxy that brings others in."

// find works out why an entry leaks: it asks what this host knows, then the targets,
// then the lines. With an error the finding is what can be said all the same.
func (c cause) find(ctx context.Context) (finding, error) {
	if p, ok := c.near(); ok && !c.atDoor() {
		return finding{leak.Inside, fmt.Sprintf("%s is in %s, like this host: its packets need not cross %s. Look at the device.", c.leak.Addr, p, c.targets())}, nil
	}
	found, asked, err := c.ask(ctx)
	if _, refused := found[enforce.Refusing]; refused {
		return finding{cause: leak.Refused}, nil
	}
	for _, g := range gaps {
		if text, ok := found[g.gap]; ok {
			return finding{g.cause, text}, nil
		}
	}
	rec, lost := c.Ledger.About(ctx, c.leak.Entry, lines)
	switch {
	case lost == nil && c.leak.Continues(rec.Matches, c.Grace()):
		if c.atDoor() {
			return finding{leak.Session, "A connection from before the ban goes on: end it at the service. doveadm: at a dovecot target ends those to Dovecot at each ban."}, nil
		}
		return finding{leak.Session, "A connection from before the ban goes on: a firewall lets its packets pass until it ends. " +
			"states: kill ends those of an IPv4 address at each ban; end this one at the service."}, nil
	case err != nil:
		return finding{leak.Elsewhere, fmt.Sprintf("Why is not known: %v. %s", err, ways)}, err
	case asked:
		return finding{leak.Elsewhere, "The rules there are as they should be, so it comes another way. " + ways}, nil
	}
	return finding{leak.Elsewhere, "It comes another way. " + ways}, nil
}

// atDoor reports whether a target holds the entry that everybody passes.
func (c cause) atDoor() bool {
	return slices.ContainsFunc(c.keepers, func(k *enforce.Keeper) bool { _, door := k.Target.(enforce.Door); return door })
}

// ask asks the targets that hold the entry why it leaks. Asked reports whether any
// could be.
func (c cause) ask(ctx context.Context) (found map[enforce.GapKind]string, asked bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found = map[enforce.GapKind]string{}
	for _, k := range c.keepers {
		p, ok := k.Target.(enforce.Prober)
		if !ok {
			continue
		}
		asked = true
		gap, failed := p.Gap(ctx, c.leak.Addr, c.leak.Since)
		switch {
		case failed != nil:
			err = cmp.Or(err, fmt.Errorf("%s: %w", k.Name, failed))
		case gap.Kind != enforce.NoGap:
			found[gap.Kind] = strings.TrimSpace(gap.Text)
		}
	}
	return found, asked, err
}

// near returns the network that this host shares with the address: packets between
// the two cross no firewall.
func (c cause) near() (netip.Prefix, bool) {
	networks, err := c.Networks()
	if err != nil {
		return netip.Prefix{}, false
	}
	i := slices.IndexFunc(networks, func(p netip.Prefix) bool { return !p.IsSingleIP() && p.Contains(c.leak.Addr) })
	if i < 0 {
		return netip.Prefix{}, false
	}
	return networks[i].Masked(), true
}
