package pf

import (
	"net/netip"
	"strconv"
)

// A Packet is about to pass an interface. One that is forwarded passes two: in
// on one, out on the other.
type Packet struct {
	From, To         netip.Addr
	FromPort, ToPort uint16
	Protocol         string // tcp, udp, ...; empty for one that no rule names
	Interface        string // a device
	Out              bool
	Bytes            int
}

func (p Packet) port() string { return strconv.Itoa(int(p.ToPort)) }

// A Verdict is what became of a packet, and why.
type Verdict struct {
	Passed bool
	State  bool   // let through by a state: no rule was asked
	Label  string // of the rule that decided, or made the state
	By     string // its description
}

// Packet sends a packet through pf: a state lets it pass, or else the last rule
// that matches decides, the first with quick. What passes by a rule makes a
// state. Without any rule all pass.
func (f *Filter) Packet(p Packet) Verdict {
	p.From, p.To = p.From.Unmap(), p.To.Unmap()
	for i := range f.States {
		if s := &f.States[i]; s.carries(p) {
			s.count(p)
			return Verdict{Passed: true, State: true, Label: s.Label, By: s.Description}
		}
	}
	var decides *Rule
	for i := range f.Rules {
		r := &f.Rules[i]
		if !f.matches(r, p) {
			continue
		}
		if decides = r; r.Quick {
			break
		}
	}
	if decides == nil {
		return Verdict{Passed: true}
	}
	decides.packets++
	decides.bytes += p.Bytes
	v := Verdict{Passed: decides.Action == "pass", Label: decides.Label, By: decides.Description}
	f.count(decides.From.Table, p.From, p, v.Passed)
	f.count(decides.To.Table, p.To, p, v.Passed)
	if v.Passed {
		decides.states++
		f.establish(p, decides)
	}
	return v
}

// count is what pf does for each table of the rule that decided.
func (f *Filter) count(table string, a netip.Addr, p Packet, passed bool) {
	t := f.Tables[table]
	if t == nil {
		return
	}
	t.Traffic.add(p, passed)
	if e := t.Find(a); e != nil && t.Counters {
		e.Traffic.add(p, passed)
	}
}
