package setup

import (
	"fmt"
	"slices"
	"strings"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/fail2ban"
)

// Merge adds what fail2ban's files say to what edgeban.yaml says, whose word goes
// first: of two jails of one name its own runs, and a target or notifier that is
// the same place is its own, with its settings. Whatever else has a name that is
// taken gets another. The feed that stands in for a firewall where edgeban.yaml
// names none gives way to a target of fail2ban's files.
func Merge(own config.Config, tree fail2ban.Result) (config.Config, []fail2ban.Note) {
	has := func(name string) bool {
		return slices.ContainsFunc(own.Jails, func(j config.Jail) bool { return j.Name == name })
	}
	c, notes := own, slices.DeleteFunc(slices.Clone(tree.Notes), func(n fail2ban.Note) bool { return has(n.Jail) })
	named := map[string]string{} // the targets of the tree, and what they are called here
	c.Targets = mergeTargets(own, tree.Config.Targets, named)
	c.Notify = mergeNotifiers(own.Notify, tree.Config.Notify)
	read := map[string]string{} // the sources of the tree likewise
	c.Sources = mergeSources(own.Sources, tree.Config.Sources, read)
	c.Jails = append([]config.Jail{}, own.Jails...) // never nil: nothing is to be found
	for _, j := range tree.Config.Jails {
		if has(j.Name) {
			notes = append(notes, fail2ban.Note{File: own.Path, Jail: j.Name, Text: "of the two jails of this name the one of this file runs"})
			continue
		}
		j.Targets = slices.Clone(j.Targets)
		for i, t := range j.Targets {
			j.Targets[i] = named[t]
		}
		j.Source = slices.Clone(j.Source)
		for i, s := range j.Source {
			name, glob, _ := strings.Cut(s, "/")
			j.Source[i] = read[name] + "/" + glob
		}
		c.Jails = append(c.Jails, j)
	}
	return c, notes
}

// mergeTargets also writes down in named what each target of the tree is called.
func mergeTargets(own config.Config, tree []config.Target, named map[string]string) []config.Target {
	standIn := func(t config.Target) bool { return t.Feed != nil && t.Feed.StandIn }
	tree = slices.DeleteFunc(slices.Clone(tree), standIn)
	all := slices.Clone(own.Targets)
	if len(tree) > 0 {
		all = slices.DeleteFunc(all, func(t config.Target) bool {
			asked := slices.ContainsFunc(own.Jails, func(j config.Jail) bool { return slices.Contains(j.Targets, t.Name) })
			return standIn(t) && !asked
		})
	}
	for _, t := range tree {
		i := slices.IndexFunc(all, func(o config.Target) bool { return samePlace(o, t) })
		if i < 0 {
			i, all = len(all), append(all, t)
			all[i].Name = unused(t.Name, func(name string) bool {
				return slices.ContainsFunc(all[:i], func(o config.Target) bool { return o.Name == name })
			})
		}
		named[t.Name] = all[i].Name
	}
	return all
}

// mergeSources reads the journal where edgeban.yaml says that one is served: fail2ban's
// files know no such place.
func mergeSources(own, tree []config.Source, named map[string]string) []config.Source {
	all := slices.Clone(own)
	served := slices.IndexFunc(own, func(s config.Source) bool { return s.Journal != nil && s.Journal.URL != "" })
	for _, s := range tree {
		if served >= 0 {
			j := *s.Journal
			j.URL, j.CA = own[served].Journal.URL, own[served].Journal.CA
			s.Journal = &j
		}
		name := s.Name
		s.Name = unused(name, func(name string) bool {
			return slices.ContainsFunc(all, func(o config.Source) bool { return o.Name == name })
		})
		named[name] = s.Name
		all = append(all, s)
	}
	return all
}

func samePlace(a, b config.Target) bool {
	host := func(url string) string { return strings.TrimSuffix(url, ":443") }
	return a.OPNsense != nil && b.OPNsense != nil &&
		host(a.OPNsense.URL) == host(b.OPNsense.URL) && a.OPNsense.Alias == b.OPNsense.Alias
}

// mergeNotifiers lets a topic that both know be told once of each ban, of all
// jails that either names.
func mergeNotifiers(own, tree []config.Notifier) []config.Notifier {
	all := slices.Clone(own)
	for _, n := range tree {
		i := slices.IndexFunc(all, func(o config.Notifier) bool {
			return o.Ntfy != nil && n.Ntfy != nil && o.Ntfy.URL == n.Ntfy.URL && o.Ntfy.Topic == n.Ntfy.Topic
		})
		switch {
		case i < 0:
			n.Name = unused(n.Name, func(name string) bool {
				return slices.ContainsFunc(all, func(o config.Notifier) bool { return o.Name == name })
			})
			all = append(all, n)
		case len(n.Jails) == 0:
			all[i].Jails = nil
		case len(all[i].Jails) > 0:
			all[i].Jails = slices.Compact(slices.Sorted(slices.Values(slices.Concat(all[i].Jails, n.Jails))))
		}
	}
	return all
}

// unused returns name, or name-2 and so on where that is taken.
func unused(name string, taken func(string) bool) string {
	for free, n := name, 2; ; n++ {
		if !taken(free) {
			return free
		}
		free = fmt.Sprintf("%s-%d", name, n)
	}
}
