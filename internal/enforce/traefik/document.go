package traefik

import (
	"bytes"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeban/edgeban/internal/config"
)

const (
	priority = "9000000" // above what any rule's length gives
	nobody   = "edgeban-nobody"
	forbid   = "edgeban-403"
	title    = "# Written by edgeban, which overwrites changes. Banned:\n"
)

// A router is one of the document, on entry points that are alike.
type router struct {
	name   string // without the provider
	kind   string // tcp or http, as in Traefik's API
	points []string
	tls    string // what stands after tls: or "" for none
}

// routers are those of a configuration: never one without entry points.
func routers(c config.Traefik) []router {
	return slices.DeleteFunc([]router{
		{"edgeban-tcp", "tcp", c.TCP, ""},
		{"edgeban-tls", "tcp", c.TLS, "{passthrough: true}"},
		{"edgeban-http", "http", c.HTTP, ""},
		{"edgeban-https", "http", c.HTTPS, "{}"},
	}, func(r router) bool { return len(r.points) == 0 })
}

// rule matches the clients in ps, as Traefik's version 3 writes rules: ClientIP takes
// one address or network.
func (r router) rule(ps []netip.Prefix) string {
	var b strings.Builder
	if r.kind == "tcp" {
		b.WriteString("HostSNI(`*`) && (")
	}
	for i, p := range ps {
		if i > 0 {
			b.WriteString(" || ")
		}
		b.WriteString("ClientIP(`" + spell(p) + "`)")
	}
	if r.kind == "tcp" {
		b.WriteByte(')')
	}
	return b.String()
}

// clients returns whom a rule matches: what stands in its ClientIP.
func clients(rule string) (ps []netip.Prefix) {
	for _, part := range strings.Split(rule, "ClientIP(`")[1:] {
		word, _, ended := strings.Cut(part, "`)")
		if p, ok := parse(word); ok && ended {
			ps = append(ps, p)
		}
	}
	return ps
}

// spell writes a single host without its length.
func spell(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// parse reads what spell wrote.
func parse(s string) (netip.Prefix, bool) {
	if a, err := netip.ParseAddr(s); err == nil {
		p := netip.PrefixFrom(a, a.BitLen())
		return p, fits(p)
	}
	p, err := netip.ParsePrefix(s)
	return p, err == nil && fits(p)
}

// fits reports whether Traefik reads p: any canonical address or network, but never
// the whole internet.
func fits(p netip.Prefix) bool {
	return p.IsValid() && p.Bits() > 0 && p == p.Masked() && !p.Addr().Is4In6()
}

// render writes the document that bans entries, which are canonical and sorted. It is
// YAML, which both of Traefik's providers read. The entries stand in its comment as
// they are; rules name as few networks as match the same.
func render(c config.Traefik, entries []netip.Prefix) []byte {
	var b bytes.Buffer
	b.WriteString(title)
	for _, p := range entries {
		b.WriteString("# " + spell(p) + "\n")
	}
	all, few := routers(c), aggregate(entries)
	for _, kind := range []string{"tcp", "http"} {
		of := slices.DeleteFunc(slices.Clone(all), func(r router) bool { return r.kind != kind })
		if len(of) == 0 {
			continue
		}
		b.WriteString(kind + ":\n")
		if len(few) > 0 { // a router needs a rule
			b.WriteString("  routers:\n")
			for _, r := range of {
				r.write(&b, few)
			}
		}
		if kind == "tcp" {
			b.WriteString("  services:\n    " + nobody + ":\n      loadBalancer:\n        servers: []\n")
		} else {
			// An empty sourceRange is refused. Nobody comes from the broadcast address.
			b.WriteString("  middlewares:\n    " + forbid + ":\n      ipAllowList:\n        sourceRange: [255.255.255.255/32]\n")
		}
	}
	return b.Bytes()
}

func (r router) write(b *bytes.Buffer, few []netip.Prefix) {
	b.WriteString("    " + r.name + ":\n      entryPoints: [")
	for i, p := range r.points {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Quote(p)) // config lets plain names through only
	}
	b.WriteString("]\n      rule: " + strconv.Quote(r.rule(few)) + "\n      priority: " + priority + "\n")
	if r.kind == "tcp" {
		b.WriteString("      service: " + nobody + "\n")
	} else {
		b.WriteString("      service: noop@internal\n      middlewares: [" + forbid + "]\n")
	}
	if r.tls != "" {
		b.WriteString("      tls: " + r.tls + "\n")
	}
}

// named returns the entries in the comment of a document, whatever else is in it.
func named(text []byte) (entries []netip.Prefix) {
	for line := range strings.Lines(string(text)) {
		word, is := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "# ")
		if p, ok := parse(word); is && ok {
			entries = append(entries, p)
		}
	}
	return canonical(entries)
}

// canonical returns what fits of ps, masked, sorted, each once.
func canonical(ps []netip.Prefix) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(ps))
	for _, p := range ps {
		if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
		}
		if p = p.Masked(); fits(p) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, netip.Prefix.Compare)
	return slices.Compact(out)
}

// aggregate returns the fewest networks that hold what ps do, and nothing else. A
// connection is compared with one after the other.
func aggregate(ps []netip.Prefix) (out []netip.Prefix) {
	for _, p := range ps { // sorted: wider ones and lower halves come first
		if n := len(out); n > 0 && out[n-1].Overlaps(p) {
			continue
		}
		out = append(out, p)
		for len(out) > 1 {
			low, high := out[len(out)-2], out[len(out)-1]
			both := netip.PrefixFrom(low.Addr(), low.Bits()-1).Masked()
			if low.Bits() != high.Bits() || low.Bits() < 2 || low == high || !both.Contains(low.Addr()) || !both.Contains(high.Addr()) {
				break
			}
			out = append(out[:len(out)-2], both)
		}
	}
	return out
}
