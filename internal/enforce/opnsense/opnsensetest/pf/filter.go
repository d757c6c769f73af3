// Package pf is a small packet filter: the tables, the rules and the states of
// pf(4), as far as bans are concerned. What a rule set does to a packet follows
// pf.conf(5); it was not recorded. It knows nothing of the firewall's
// configuration.
package pf

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// A Filter is pf in the kernel. It is not safe for use by many goroutines.
type Filter struct {
	Limit  int // of the entries of all tables together
	Tables map[string]*Table
	Rules  []Rule
	States []State

	made int // states so far
}

// New returns a Filter that lets nothing be known: no table, no rule, no state.
func New(limit int) *Filter { return &Filter{Limit: limit, Tables: map[string]*Table{}} }

// Reset is what a reboot does.
func (f *Filter) Reset() {
	clear(f.Tables)
	f.Rules, f.States = nil, nil
}

// Names lists the tables, in the product's order without case: "_" comes last.
func (f *Filter) Names() []string {
	return slices.SortedFunc(maps.Keys(f.Tables), func(a, b string) int {
		return strings.Compare(strings.ToUpper(a), strings.ToUpper(b))
	})
}

// Used returns the number of entries of all tables.
func (f *Filter) Used() int {
	n := 0
	for _, t := range f.Tables {
		n += len(t.Entries)
	}
	return n
}

// Declare makes the table exist and returns it. What it holds stays.
func (f *Filter) Declare(name string) *Table {
	if f.Tables[name] == nil {
		f.Tables[name] = &Table{Entries: map[string]*Entry{}}
	}
	return f.Tables[name]
}

// Add does what `pfctl -T add` does, and reports whether pf took the entry.
func (f *Filter) Add(name, item string) bool {
	if _, ok := Parse(strings.TrimPrefix(item, "!")); !ok || f.Used() >= f.Limit {
		return false
	}
	f.Declare(name).Put(item)
	return true
}

// Replace does what `pfctl -T replace` does, which needs room for what was there
// and what will be. Entries that stay keep their age.
func (f *Filter) Replace(name string, items []string) bool {
	if f.Used()+len(items) > f.Limit {
		return false
	}
	t := f.Declare(name)
	old := t.Entries
	t.Entries = make(map[string]*Entry, len(items))
	for _, item := range items {
		t.Put(item)
	}
	for text := range t.Entries {
		if old[text] != nil {
			t.Entries[text] = old[text]
		}
	}
	return true
}

// Expire does what `pfctl -T expire` does: entries that were added longer than
// age ago go, whether they matched or not.
func (f *Filter) Expire(name string, age time.Duration) {
	if t := f.Tables[name]; t != nil {
		maps.DeleteFunc(t.Entries, func(_ string, e *Entry) bool { return time.Since(e.Added) >= age })
	}
}
