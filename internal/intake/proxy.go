package intake

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/never"
)

// A Hiding is how a log comes to show another address in place of its clients.
// To ban that would lock them all out, and says nothing of anybody.
type Hiding uint8

// The ways. A log that shows real clients knows none of them.
const (
	clients  Hiding = iota // who is shown is who did it
	ProxyOff               // the address of a proxy, which does not send the PROXY protocol
	Bridge                 // Docker's bridge: docker-proxy carries the connections
	Edge                   // a router or the firewall: NAT reflection
	Unasked                // the proxy sends the PROXY protocol, and it is not expected
	Unsent                 // the PROXY protocol is expected, and the proxy does not send it
)

// A Hidden is an address that stands for others in the logs of a jail.
type Hidden struct {
	How       Hiding
	Addr      netip.Addr
	Count     int  // lines with it
	Everybody bool // no line showed a client
}

// A vantage is where a jail's clients seem to come from.
type vantage struct {
	mu      sync.Mutex
	direct  bool                   // some client was shown as it is
	places  map[netip.Addr]*Hidden // addresses that stand, or may stand, for others
	proxies map[netip.Addr]bool    // where clients were received that came from elsewhere
	learned int                    // matches that were asked for that
	settled atomic.Bool            // a client changes nothing any more
	probes  Probes
	signs   signs
}

// These are the ranges that container networks are made of: of IPv4 unless told otherwise.
// Before 27 Docker forwards no IPv6 by itself, and docker-proxy connects from the bridge.
var (
	containers = netip.MustParsePrefix("172.16.0.0/12")
	unique     = netip.MustParsePrefix("fc00::/7")
)

// Probe begins the names with which the doctor fails to log in. It does so from where
// edgeban runs, often through the proxy: that is no client whom the log hides.
const Probe = "edgeban-doctor-"

// Probes are the addresses that the doctor was seen to fail from.
type Probes []netip.Addr

// Left reports whether the doctor has left m in a log: a failure with its name, or one
// without any from where it came.
func (p *Probes) Left(m *edgeban.Match) bool {
	named, known := strings.HasPrefix(m.User, Probe), slices.Contains(*p, m.Addr)
	if named && !known && len(*p) < maxPlaces {
		*p = append(*p, m.Addr)
	}
	return named || known && m.User == ""
}

const (
	maxPlaces = 64
	maxLearn  = 1000
)

// look takes a match in, and says why it does not count, or returns "". Role is
// what its address is to this host, and inside whether it is a private one.
func (v *vantage) look(m *edgeban.Match, role never.Role, inside bool) string {
	how := clients
	if inside || role != never.Stranger {
		how = hidingOf(m.Addr, role)
	}
	if how == clients && v.settled.Load() {
		return ""
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if how == clients {
		v.direct = true
		v.learn(m.Text)
		v.settled.Store(v.learned == maxLearn)
		return ""
	}
	if how == ProxyOff && v.probes.Left(m) {
		return "a login of edgeban's doctor, by way of " + m.Addr.String()
	}
	if v.places[m.Addr] == nil && len(v.places) >= maxPlaces {
		return ""
	}
	p := v.place(how, m.Addr)
	p.Count += max(1, m.Count)
	switch how {
	case Bridge:
		return m.Addr.String() + " is Docker's bridge, not a client"
	case Edge:
		return m.Addr.String() + " is a router, not a client"
	}
	if !v.hides(p) {
		return ""
	}
	if v.direct {
		return m.Addr.String() + " is a proxy, not a client"
	}
	return "all clients of this log come from " + m.Addr.String() + ", which looks like a proxy"
}

// place returns what is known of an address that may stand for others.
func (v *vantage) place(how Hiding, a netip.Addr) *Hidden {
	p := v.places[a]
	if p == nil {
		p = &Hidden{How: how, Addr: a}
		if v.places == nil {
			v.places = map[netip.Addr]*Hidden{}
		}
		v.places[a] = p
	}
	return p
}

// hides reports whether an address stands for others. One of a container may be
// a container that attacks, or a client where 172.16.0.0/12 is a LAN, unless
// nobody else is ever seen, or clients are known to be received there.
func (v *vantage) hides(p *Hidden) bool {
	if p.How != ProxyOff || v.proxies[p.Addr] {
		return true
	}
	others := 0
	for _, q := range v.places {
		if q.How == ProxyOff {
			others++
		}
	}
	return !v.direct && others == 1
}

// hidingOf says for whom an address may stand, by what it is to this host and else
// by its shape: a router is the first or the last of its network.
func hidingOf(a netip.Addr, role never.Role) Hiding {
	inContainers := containers.Contains(a)
	bridge := inContainers && a.As4()[3] == 1 || unique.Contains(a) && a == netip.PrefixFrom(a, 64).Masked().Addr().Next() // this host's own where edgeban runs beside Docker, not in it
	switch {
	case bridge && role == never.Own:
		return Bridge
	case role == never.Own, a.IsLoopback():
		return ProxyOff
	case role == never.Gateway && (inContainers || bridge):
		return Bridge
	case role == never.Gateway, role == never.Peer && !inContainers:
		return Edge
	case bridge:
		return Bridge
	case !a.Is4() || !never.Private(a):
		return clients
	}
	last := a.As4()[3]
	switch {
	case inContainers:
		return ProxyOff
	case last == 1 || last == 254:
		return Edge
	}
	return clients
}

// learn takes in where a client was received: Dovecot says it. Behind a proxy with
// the PROXY protocol that is the proxy's address. What a client says comes before.
func (v *vantage) learn(text string) {
	if v.learned == maxLearn {
		return
	}
	v.learned++
	_, rest, ok := cutLast(text, ", lip=")
	if !ok {
		return
	}
	end := strings.IndexAny(rest, ", ")
	if end < 0 {
		return
	}
	if a, err := netip.ParseAddr(rest[:end]); err == nil && hidingOf(a, never.Stranger) == ProxyOff {
		v.knowProxy(a)
	}
}

func (v *vantage) knowProxy(a netip.Addr) {
	if v.proxies == nil {
		v.proxies = map[netip.Addr]bool{}
	}
	if len(v.proxies) < maxPlaces {
		v.proxies[a] = true
	}
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// add takes in what was seen in another log.
func (v *vantage) add(o *vantage) {
	v.direct = v.direct || o.direct
	for a, q := range o.places {
		v.place(q.How, a).Count += q.Count
	}
	for a := range o.proxies {
		v.knowProxy(a)
	}
	v.signs.add(o.signs)
}

// hidden returns the addresses that stand for others: of those in matches that
// came enough times, of those in signs that came as often as is sure.
func (v *vantage) hidden(enough, sure int) (all []Hidden) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, p := range v.places {
		if p.Count >= enough && v.hides(p) {
			h := *p
			h.Everybody = !v.direct
			all = append(all, h)
		}
	}
	for s, n := range v.signs.seen {
		worked := v.direct // what works for others is set up right; who comes without it is a check of health
		if s.how == Unasked {
			worked = v.places[s.addr] != nil
		}
		if n >= sure && !worked {
			all = append(all, Hidden{s.how, s.addr, n, true})
		}
	}
	slices.SortFunc(all, func(a, b Hidden) int { return cmp.Or(cmp.Compare(a.How, b.How), a.Addr.Compare(b.Addr)) })
	return all
}
