package opnsensetest

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest/pf"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest/system"
)

// What another administrator does in the GUI, or sees at the console.

// Apply does what the Apply button of the rules does: pf gets the configured
// rules. Every table keeps what it has, and states stay.
func (f *Firewall) Apply() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sys.Load(new(system.Commands))
}

// Reconfigure does what the Apply button of the aliases does: every enabled alias
// gets its table, and all but external ones get their content. External entries
// stay.
func (f *Firewall) Reconfigure() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sys.Reconfigure(new(system.Commands))
}

// BreakRules makes the rule set one that pf refuses, until it is called with
// false: loading it changes nothing, and is answered as if it had.
func (f *Firewall) BreakRules(broken bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sys.BadRule = broken
}

// Refresh does what the firewall's cron jobs do each minute: host and network
// tables get back what the configuration says, external ones lose what expired.
// Url tables are left alone until their time, before 26.1 refilled.
func (f *Firewall) Refresh() {
	f.fetch(false)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sys.Cron(new(system.Commands))
}

// Reboot empties pf and restores what a boot restores: external tables are
// there, and empty. What else was not declared is gone, as are all states. Then
// url tables are fetched; what they had stays if they cannot be.
func (f *Firewall) Reboot() {
	f.mu.Lock()
	f.sys.Boot(new(system.Commands))
	f.mu.Unlock()
	if f.fetch(true) {
		f.Refresh()
	}
}

// fetch gets the lists of url tables whose time has come, or of all, and reports
// whether there were any.
func (f *Firewall) fetch(all bool) bool {
	f.mu.Lock()
	due := f.sys.Due(all)
	f.mu.Unlock()
	for _, a := range due {
		lines, err := f.sys.Download(a)
		f.mu.Lock()
		f.sys.Store(a, lines, err)
		f.mu.Unlock()
	}
	return len(due) > 0
}

// AddAlias saves an alias; its table appears with Reconfigure or the first add.
func (f *Firewall) AddAlias(a Alias) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sys.Conf.PutAlias(a)
}

// RemoveAlias deletes an alias and its table.
func (f *Firewall) RemoveAlias(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sys.Conf.RemoveAlias(name)
	delete(f.sys.PF.Tables, name)
}

// Alias returns an alias as it is configured; ok is false if there is none.
func (f *Firewall) Alias(name string) (a Alias, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if have := f.sys.Conf.Alias(name); have != nil {
		return *have, true
	}
	return Alias{}, false
}

// AddRule saves a rule, in the place of one with its UUID; it acts after Apply.
func (f *Firewall) AddRule(r Rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sys.Conf.PutRule(r)
}

// RemoveRule deletes a rule; it acts until Apply.
func (f *Firewall) RemoveRule(uuid string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sys.Conf.RemoveRule(uuid)
}

// Rules returns the rules that people made, in their order of evaluation.
func (f *Firewall) Rules() (out []Rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.sys.Conf.Ordered() {
		if !r.Automatic {
			out = append(out, Rule{UUID: r.UUID, Legacy: r.Legacy, Fields: maps.Clone(r.Fields)})
		}
	}
	return out
}

// PutUser saves a user, in the place of one with that name.
func (f *Firewall) PutUser(u User) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.o.Users = slices.DeleteFunc(slices.Clone(f.o.Users), func(have User) bool { return have.Name == u.Name })
	f.o.Users = append(f.o.Users, u)
}

// Insert puts entries into an alias as another administrator would. Anything
// that pf would not show as it is (a name, a range) is shown as given.
func (f *Firewall) Insert(alias string, items ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.sys.PF.Declare(alias)
	a := f.sys.Conf.Alias(alias)
	for _, item := range items {
		t.Put(item)
		if a != nil && a.InConfiguration() {
			a.Content = append(a.Content, item)
		}
	}
}

// Remove takes entries out of an alias as another administrator would.
func (f *Firewall) Remove(alias string, items ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, item := range items {
		if t := f.sys.PF.Tables[alias]; t != nil {
			delete(t.Entries, item)
		}
		if a := f.sys.Conf.Alias(alias); a != nil {
			a.Content = slices.DeleteFunc(a.Content, func(s string) bool { return s == item })
		}
	}
}

// SetContent replaces what the configuration lists for an alias, without applying it.
func (f *Firewall) SetContent(alias string, items ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sys.Conf.Alias(alias).Content = slices.Clone(items)
}

// Content returns what the configuration lists for an alias.
func (f *Firewall) Content(alias string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.sys.Conf.Alias(alias).Content)
}

// Entries returns the addresses and networks that pf holds for an alias, sorted.
func (f *Firewall) Entries(alias string) []netip.Prefix {
	f.mu.Lock()
	defer f.mu.Unlock()
	var ps []netip.Prefix
	if t := f.sys.PF.Tables[alias]; t != nil {
		for text, e := range t.Entries {
			if e.Prefix.IsValid() && !strings.HasPrefix(text, "!") {
				ps = append(ps, e.Prefix)
			}
		}
	}
	slices.SortFunc(ps, netip.Prefix.Compare)
	return ps
}

// Table returns pf's table as pf spells it, sorted as text; nil if there is none.
func (f *Firewall) Table(alias string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.sys.PF.Tables[alias]
	if t == nil {
		return nil
	}
	return slices.AppendSeq([]string{}, slices.Values(slices.Sorted(maps.Keys(t.Entries))))
}

// RulesText returns the rule set that pf has loaded, a line for each rule.
func (f *Firewall) RulesText() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var text strings.Builder
	for _, r := range f.sys.PF.Rules {
		text.WriteString(r.String() + "\n")
	}
	return text.String()
}

// A Packet is one that passes an interface, named by its key in the
// configuration. Zero values stand for what no rule asks.
type Packet struct {
	From, To         string // addresses; To is the firewall's own if empty
	FromPort, ToPort uint16
	Protocol         string // tcp if empty
	Interface        string // wan, lan, opt1
	Out              bool   // leaves by the interface
	Bytes            int    // 60 if zero
}

// Packet sends p through the loaded rules, with all that this changes: a packet
// that passes makes a state, what a table decides is counted. It panics if p
// names no interface or no address.
func (f *Firewall) Packet(p Packet) Verdict {
	f.mu.Lock()
	defer f.mu.Unlock()
	i, ok := f.sys.Conf.Interface(p.Interface)
	if !ok {
		panic("no interface " + p.Interface)
	}
	in := pf.Packet{
		From: netip.MustParseAddr(p.From).Unmap(), FromPort: p.FromPort, ToPort: p.ToPort, Protocol: p.Protocol,
		Interface: i.Device, Out: p.Out, Bytes: p.Bytes,
	}
	if p.To != "" {
		in.To = netip.MustParseAddr(p.To)
	}
	for _, own := range i.Addresses {
		if p.To == "" && own.Addr().BitLen() == in.From.BitLen() {
			in.To = own.Addr()
		}
	}
	if in.Protocol == "" {
		in.Protocol = "tcp"
	}
	if in.Bytes == 0 {
		in.Bytes = 60
	}
	return f.sys.PF.Packet(in)
}

// SetStates replaces pf's state table.
func (f *Firewall) SetStates(states ...State) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sys.PF.States = slices.Clone(states)
}

// States returns pf's state table.
func (f *Firewall) States() []State {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.sys.PF.States)
}

// Interfaces lists the keys of the firewall's interfaces.
func (f *Firewall) Interfaces() (keys []string) {
	for _, i := range f.o.Interfaces {
		keys = append(keys, i.Key)
	}
	return keys
}
