package config

import (
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// readDefaults reads what all jails start from.
func readDefaults(base *Jail, v value, b Budget) {
	v.mapping(settings(base))
	v.checkIncrement(*base)
	v.checkWidth(*base, b)
}

// readJails reads the jails in the order of the file, those left out that are
// not enabled. Where nothing at all is said the answer is nil.
func readJails(v value, base Jail, c *Config) []Jail {
	if v.null() {
		return nil
	}
	if v.node.Kind != yaml.MappingNode {
		v.wrong("is %s; write each jail as a key, such as sshd: {logpath: /var/log/auth.log}", v.kind())
		return nil
	}
	all := []Jail{}
	taken := map[string]bool{}
	for k, node := range v.pairs() {
		item := v.r.value(node, k, join(v.path, k.Value))
		switch _, err := name(k.Value); {
		case err != nil:
			v.r.wrong(k, v.path, err.Error())
		case taken[k.Value]:
			v.r.wrong(k, item.path, "is here a second time; keep one, or give one another name and a filter:")
		default:
			taken[k.Value] = true
			if j, on := readJail(item, base, c); on {
				all = append(all, j)
			}
		}
	}
	return all
}

// readJail reads one jail, and whether it is on.
func readJail(v value, j Jail, c *Config) (Jail, bool) {
	on := true
	j.Name, j.Filter = v.key.Value, v.key.Value
	if f, ok := v.get("filter"); ok && f.node.Value == Recidive || !ok && j.Name == Recidive {
		j.overBans() // before its settings are read, and in place of the defaults of others
	}
	v.mapping(append([]field{
		{"enabled", into(&on, as(truth)), ""},
		{"filter", into(&j.Filter, filter), ""},
		{"logpath", each(&j.LogPath, value.some, logPath), ""},
		{"targets", each(&j.Targets, value.some, target(c.Targets)), ""},
	}, settings(&j)...))

	log, has := v.get("logpath")
	switch over := j.Filter == Recidive; {
	case over && has:
		log.wrong("is not for this jail, which reads the bans of the other jails; take the key out")
	case on && !over && !has && (v.null() || v.node.Kind == yaml.MappingNode):
		v.missing("logpath", "logpath: and the log to read, such as /var/log/auth.log")
	}
	v.checkIncrement(j)
	v.checkWidth(j, c.Budget)
	if j.Increment.MaxTime > 0 {
		j.Increment.MaxTime = max(j.Increment.MaxTime, j.BanTime)
	}
	return j, on
}

// settings is what a jail and the defaults have in common.
func settings(j *Jail) []field {
	return append([]field{
		{"maxretry", into(&j.MaxRetry, whole(1, 10_000)), ""},
		{"findtime", into(&j.FindTime, span(time.Second, longest)), ""},
		{"bantime", into(&j.BanTime, as(endless)), ""},
		{"increment", func(v value) { readIncrement(&j.Increment, v) }, ""},
		{"count", into(&j.Count, oneOf(Window, Rate)), ""},
		{"ignoreip", each(&j.IgnoreIP, value.words, hostOrFile), ""},
		{"logtimezone", into(&j.LogTimezone, as(timezone)), ""},
		{"ipv6", into(&j.IPv6Prefix, whole(32, 128)), ""},
		{"bantime.increment", into(&j.Increment.Enabled, as(truth)), ""},
	}, increment(&j.Increment, "bantime.")...)
}

// increment is the settings of a growing bantime, below increment: or, as
// fail2ban spells them, beside bantime.
func increment(i *Increment, prefix string) []field {
	return []field{
		{prefix + "factor", into(&i.Factor, ratio(1000)), ""},
		{prefix + "multipliers", each(&i.Multipliers, value.words, whole(1, 1_000_000)), ""},
		{prefix + "maxtime", into(&i.MaxTime, as(ceiling)), ""},
		{prefix + "rndtime", into(&i.RandomTime, span(0, longest)), ""},
		{prefix + "overalljails", into(&i.OverallJails, as(truth)), ""},
	}
}

// readIncrement reads a growing bantime: on, off, or on with its settings.
func readIncrement(i *Increment, v value) {
	if v.node.Kind == yaml.MappingNode {
		i.Enabled = true
		v.mapping(increment(i, ""))
		return
	}
	into(&i.Enabled, as(truth))(v)
}

// ceiling reads the longest bantime: none is 0.
func ceiling(s string) (time.Duration, error) {
	d, err := endless(s)
	if d == Forever {
		d = 0
	}
	return d, err
}

// checkIncrement refuses two spellings at once, and a ceiling below the bantime
// beside it.
func (v value) checkIncrement(j Jail) {
	nested, both := v.get("increment")
	for _, f := range append(increment(new(Increment), "bantime."), field{key: "bantime.increment"}) {
		if flat, ok := v.get(f.key); ok && both {
			flat.wrong("increment: is here as well; keep one of the two spellings")
		}
	}
	_, base := v.get("bantime")
	limit, said := v.get("bantime.maxtime")
	if both {
		limit, said = nested.get("maxtime")
	}
	if base && said && j.Increment.Enabled && j.Increment.MaxTime > 0 && j.Increment.MaxTime < j.BanTime {
		limit.wrong("is shorter than the bantime, %s; write that or more", FormatDuration(j.BanTime))
	}
}

// checkWidth refuses a width that no target would be sent.
func (v value) checkWidth(j Jail, b Budget) {
	if width, ok := v.get("ipv6"); ok && j.IPv6Prefix < b.IPv6 {
		width.wrong("%d is wider than budget.ipv6 lets be sent; write %d or more, or lower the budget's", j.IPv6Prefix, b.IPv6)
	}
}

// filter reads the name of a built-in filter, or the path of a file, which has
// a slash or a dot.
func filter(v value) (string, bool) {
	s, ok := v.text()
	switch {
	case !ok:
		return "", false
	case strings.ContainsAny(s, "/."):
		return v.r.absolute(s), true
	case !nameRule.MatchString(s):
		v.wrong("%s is neither the name of a filter nor the path of a file; write a name such as sshd, or ./my-filter.conf", quote(s))
		return "", false
	}
	return s, true
}

// logPath reads a path, which may be a glob, or the word for standard input.
func logPath(v value) (string, bool) {
	s, ok := v.text()
	switch {
	case !ok:
		return "", false
	case s == Stdin || s == "stdin":
		return Stdin, true
	case strings.Contains(s, " /"):
		v.wrong("%s is several paths; write them as a list: [/var/log/a.log, /var/log/b.log]", quote(s))
		return "", false
	}
	if _, err := filepath.Match(s, ""); err != nil {
		v.wrong(`%s has a [ without its ]; write \[ for the character itself`, quote(s))
		return "", false
	}
	return v.r.absolute(s), true
}

// target returns the reading of the name of one of the targets.
func target(targets []Target) func(value) (string, bool) {
	names := make([]string, len(targets))
	known := map[string]bool{}
	for i, t := range targets {
		names[i], known[t.Name] = t.Name, true
	}
	return func(v value) (string, bool) {
		s, ok := v.text()
		if ok && !known[s] {
			v.wrong("no target is called %s; %s", quote(s), meant(s, names))
			return "", false
		}
		return s, ok
	}
}
