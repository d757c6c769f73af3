package pf

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// The rule that blocks what no other rule passes, and that states are ascribed to
// whose rule is gone.
const (
	DefaultDeny      = "02f4bab031b57d1e30553ce08e0ec131"
	DefaultDenyWords = "Default deny / state violation rule"
)

// A State is a connection that pf lets through without asking its rules.
// Addresses and ports are as the API shows them.
type State struct {
	ID                         string // "number/creator"
	Src, Dst                   string // addresses
	NAT, Gateway               string // addresses; may be empty
	SrcPort, DstPort, NATPort  string
	Protocol                   string // tcp if empty
	Out                        bool   // made by a packet that left
	Since                      time.Time
	InPackets, OutPackets      int // with its direction, and against it
	InBytes, OutBytes          int
	Label, Description, Status string // of the rule that made it; ESTABLISHED:ESTABLISHED
}

func (f *Filter) establish(p Packet, by *Rule) {
	f.made++
	s := State{
		ID:  fmt.Sprintf("%016x/%08x", 0x6a00000000000000+int64(f.made), 0x6a000000),
		Src: p.From.String(), Dst: p.To.String(), SrcPort: fmt.Sprint(p.FromPort), DstPort: fmt.Sprint(p.ToPort),
		Protocol: p.Protocol, Out: p.Out, Since: time.Now(), Label: by.Label, Description: by.Description,
	}
	s.count(p)
	f.States = append(f.States, s)
}

// carries reports whether p belongs to s: the same way in the same direction, or
// the other way in the other. States are of every interface.
func (s *State) carries(p Packet) bool {
	from, to := p.From.String(), p.To.String()
	fromPort, toPort := fmt.Sprint(p.FromPort), fmt.Sprint(p.ToPort)
	if p.Out != s.Out {
		from, to, fromPort, toPort = to, from, toPort, fromPort
	}
	same := func(a, b string) bool { return a == b || a == "" }
	return s.Src == from && s.Dst == to && same(s.SrcPort, fromPort) && same(s.DstPort, toPort)
}

func (s *State) count(p Packet) {
	if p.Out == s.Out {
		s.InPackets, s.InBytes = s.InPackets+1, s.InBytes+p.Bytes
	} else {
		s.OutPackets, s.OutBytes = s.OutPackets+1, s.OutBytes+p.Bytes
	}
}

func (s *State) addresses() []string { return []string{s.Src, s.Dst, s.NAT, s.Gateway} }

// Matches looks for a word as the product does: an address is one of the
// state's, a network holds one of them, anything else is a part of one if parts
// are looked at.
func (s *State) Matches(word string, parts bool) bool {
	if p, ok := Parse(word); ok {
		return slices.ContainsFunc(s.addresses(), func(text string) bool {
			a, err := netip.ParseAddr(text)
			return err == nil && p.Contains(a)
		})
	}
	return slices.ContainsFunc(s.addresses(), func(text string) bool {
		return text == word || parts && strings.Contains(text, word)
	})
}

// Kill ends the states that drop holds for and returns their IDs.
func (f *Filter) Kill(drop func(*State) bool) (killed []string) {
	f.States = slices.DeleteFunc(f.States, func(s State) bool {
		if !drop(&s) {
			return false
		}
		killed = append(killed, s.ID)
		return true
	})
	return killed
}

// Row is a state as the API shows it.
func (s *State) Row() map[string]any {
	or := func(text, otherwise string) string {
		if text == "" {
			return otherwise
		}
		return text
	}
	null := func(text string) any {
		if text == "" {
			return nil
		}
		return text
	}
	family, direction := "ipv6", "in"
	if a, err := netip.ParseAddr(s.Src); err == nil && a.Is4() {
		family = "ipv4"
	}
	if s.Out {
		direction = "out"
	}
	return map[string]any{
		"label": or(s.Label, DefaultDeny), "descr": or(s.Description, DefaultDenyWords),
		"nat_addr": null(s.NAT), "nat_port": null(s.NATPort), "gateway": null(s.Gateway),
		"iface": "all", "interface": "all", "proto": or(s.Protocol, "tcp"), "ipproto": family, "flags": []any{}, "direction": direction,
		"src_addr": s.Src, "src_port": s.SrcPort, "dst_addr": s.Dst, "dst_port": s.DstPort,
		"state": or(s.Status, "ESTABLISHED:ESTABLISHED"), "age": clock(time.Since(s.Since)), "expires": "23:59:58",
		"pkts": []int{s.InPackets, s.OutPackets}, "bytes": []int{s.InBytes, s.OutBytes}, "id": s.ID,
	}
}

func clock(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d:%02d", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
}
