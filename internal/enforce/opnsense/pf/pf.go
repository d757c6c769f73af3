// Package pf reads what an OPNsense firewall lists of its packet filter: states,
// which are connections that it lets pass without asking a rule, and tables. It asks
// nothing.
package pf

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A State is a row of the API's query_states.
type State struct {
	ID  string `json:"id"`
	Src string `json:"src_addr"` // who began it, as pf writes addresses
	Dst string `json:"dst_addr"` // whom it is with
	Age string `json:"age"`      // hours, minutes and seconds, as in 00:01:20
}

// From reports whether an address began it.
func (s State) From(a netip.Addr) bool {
	src, err := netip.ParseAddr(s.Src)
	return err == nil && src.Unmap() == a.Unmap()
}

// number is what the firewall calls a state by: two hexadecimal numbers.
var number = regexp.MustCompile(`^[0-9a-fA-F]+/[0-9a-fA-F]+$`)

// Of returns those of some states that have an end in p. One whose ID is none is
// left out: it goes into a URL.
func Of(all []State, p netip.Prefix) (of []State) {
	in := func(text string) bool {
		a, err := netip.ParseAddr(text)
		return err == nil && p.Contains(a.Unmap())
	}
	for _, s := range all {
		if (in(s.Src) || in(s.Dst)) && number.MatchString(s.ID) {
			of = append(of, s)
		}
	}
	return of
}

// For returns how long it has been there; ok is false if that is not said.
func (s State) For() (d time.Duration, ok bool) {
	parts := strings.Split(s.Age, ":")
	if len(parts) != 3 {
		return 0, false
	}
	for _, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 {
			return 0, false
		}
		d = d*60 + time.Duration(n)*time.Second
	}
	return d, true
}

// Older returns how many of some states an address began so long ago.
func Older(all []State, a netip.Addr, age time.Duration) (n int) {
	for _, s := range all {
		if d, ok := s.For(); ok && s.From(a) && d >= age {
			n++
		}
	}
	return n
}

// Behind returns the first interface, other than the outside one, whose network is
// among tables: for each the firewall keeps one, such as __lan_network. It returns
// "" if none is.
func Behind(tables []string, outside string) string {
	for _, t := range tables {
		name, own := strings.CutPrefix(t, "__")
		name, network := strings.CutSuffix(name, "_network")
		if own && network && name != outside && !strings.HasPrefix(name, "lo") {
			return name
		}
	}
	return ""
}
