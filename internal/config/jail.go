package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/edgeban/edgeban/internal/config/node"
	"github.com/edgeban/edgeban/internal/config/timezone"
	"github.com/edgeban/edgeban/internal/formula"
)

// JailName reads the name of a jail. Targets and notifiers are named alike, but for
// what stands for bans that no log led to.
func JailName(s string) (string, error) {
	if s == Manual || s == Adopted {
		return "", fmt.Errorf("%s stands for bans that no log led to; choose another name, and say which filter is meant", node.Quote(s))
	}
	return node.Name(s)
}

// readDefaults reads what all jails start from.
func readDefaults(base *Jail, v node.Value, b Budget) {
	v.Mapping(settings(base))
	checkIncrement(v, *base)
	checkWidth(v, *base, b)
}

// readJails reads the jails in the order of the file, those left out that are
// not enabled. Where nothing at all is said the answer is nil.
func readJails(v node.Value, base Jail, c *Config) []Jail {
	if v.Null() {
		return nil
	}
	if !v.IsMapping() {
		v.Wrong("is %s; write each jail as a key, such as sshd: {logpath: /var/log/auth.log}", v.Kind())
		return nil
	}
	all := []Jail{}
	for item := range v.Named("keep one, or give one another name and a filter:") {
		if _, err := JailName(item.Key()); err != nil {
			item.Wrong("%v", err)
			continue
		}
		if j, on := readJail(item, base, c); on {
			all = append(all, j)
		}
	}
	return all
}

// readJail reads one jail, and whether it is on.
func readJail(v node.Value, j Jail, c *Config) (Jail, bool) {
	on, r := true, NewRules()
	j.Name, j.Filter = v.Key(), v.Key()
	_, own := v.Get("failregex")
	if f, ok := v.Get("filter"); ok && f.Is(Recidive) || !ok && !own && j.Name == Recidive {
		j.overBans() // before its settings are read, and in place of the defaults of others
	}
	v.Mapping(slices.Concat([]node.Field{
		node.Key("enabled", node.Into(&on, node.As(node.Truth))),
		node.Key("filter", node.Into(&j.Filter, filter)),
		node.Key("logpath", node.Each(&j.LogPath, node.Value.Some, logPath)),
		node.Key("source", node.Each(&j.Source, node.Value.Some, from(c.Sources, c.Targets))),
		node.Key("targets", node.Each(&j.Targets, node.Value.Some, target(c.Targets))),
	}, rules(r), settings(&j)))
	settleRules(v, &j, r)

	log, has := v.Get("logpath")
	source, some := v.Get("source")
	switch over := j.Filter == Recidive; {
	case over && has:
		log.Wrong("is not for this jail, which reads the bans of the other jails; take the key out")
	case over && some:
		source.Wrong("is not for this jail, which reads the bans of the other jails; take the key out")
	case on && !over && !has && !some && (v.Null() || v.IsMapping()):
		v.Missing("logpath", "logpath: and the log to read, such as /var/log/auth.log, or source: and the name of one of sources:, or of a dovecot target")
	}
	checkIncrement(v, j)
	checkWidth(v, j, c.Budget)
	for _, key := range []string{"reset_on_success", "known_good"} {
		if x, ok := v.Get(key); ok && j.Count == Rate && (j.ResetOnSuccess || j.KnownGood > 0) {
			x.Wrong("needs failures that are counted one by one; write count: window, or take it out")
		} else if name := forgeable(j, c.Sources); ok && name != "" && (j.ResetOnSuccess || j.KnownGood > 0) {
			x.Wrong("would let whoever forges a packet to %s forgive himself: UDP tells nothing of who has sent it; let it listen on tcp:// or tls://, or take this out", node.Quote(name))
		}
	}
	if j.Increment.MaxTime > 0 {
		j.Increment.MaxTime = max(j.Increment.MaxTime, j.BanTime)
	}
	return j, on
}

// patience is how many times as many failures an address may have that is known as good.
const patience = 3

// Threshold returns how many failures are too many, for an address that is known as
// good or not.
func (j Jail) Threshold(good bool) int {
	if good && j.Count == Window && j.KnownGood > 0 {
		return patience * j.MaxRetry
	}
	return j.MaxRetry
}

// settings is what a jail and the defaults have in common.
func settings(j *Jail) []node.Field {
	return append([]node.Field{
		node.Key("maxretry", node.Into(&j.MaxRetry, node.Whole(1, 10_000))),
		node.Key("findtime", node.Into(&j.FindTime, span(time.Second, LongestTime))),
		node.Key("bantime", node.Into(&j.BanTime, node.As(BanTime))),
		node.Key("increment", func(v node.Value) { readIncrement(&j.Increment, v) }),
		node.Key("count", node.Into(&j.Count, node.OneOf(Window, Rate))),
		node.Key("ignoreip", node.Each(&j.IgnoreIP, node.Value.Words, hostOrFile)),
		node.Key("logtimezone", node.Into(&j.LogTimezone, node.As(timezone.Parse))),
		node.Key("ipv6", node.Into(&j.IPv6Prefix, node.Whole(32, 128))),
		node.Key("reset_on_success", node.Into(&j.ResetOnSuccess, node.As(node.Truth))),
		node.Key("known_good", node.Into(&j.KnownGood, span(time.Minute, LongestTime))),
		node.Key("bantime.increment", node.Into(&j.Increment.Enabled, node.As(node.Truth))),
	}, increment(&j.Increment, "bantime.")...)
}

// increment is the settings of a growing bantime, below increment: or, as
// fail2ban spells them, beside bantime.
func increment(i *Increment, prefix string) []node.Field {
	return []node.Field{
		node.Key(prefix+"factor", node.Into(&i.Factor, node.Ratio(1000))),
		node.Key(prefix+"formula", func(v node.Value) {
			node.Into(&i.Formula, node.As(Formula))(v)
			i.Multipliers = nil
		}),
		node.Key(prefix+"multipliers", func(v node.Value) {
			node.Each(&i.Multipliers, node.Value.Words, node.Whole(1, 1_000_000))(v)
			i.Formula = ""
		}),
		node.Key(prefix+"maxtime", node.Into(&i.MaxTime, node.As(ceiling))),
		node.Key(prefix+"rndtime", node.Into(&i.RandomTime, span(0, LongestTime))),
		node.Key(prefix+"overalljails", node.Into(&i.OverallJails, node.As(node.Truth))),
	}
}

// readIncrement reads a growing bantime: on, off, or on with its settings.
func readIncrement(i *Increment, v node.Value) {
	if v.IsMapping() {
		i.Enabled = true
		v.Mapping(increment(i, ""))
		return
	}
	node.Into(&i.Enabled, node.As(node.Truth))(v)
}

// Formula reads the arithmetic of a growing bantime. It is tried on the second
// ban of a subject, which is the first to grow.
func Formula(s string) (string, error) {
	const hour = 3600
	f, err := formula.Parse(s)
	if err == nil {
		_, err = f.Eval(formula.Vars{Time: hour, Count: 1, Factor: 1})
	}
	if err != nil && !errors.Is(err, formula.ErrOverflow) {
		return "", fmt.Errorf("%s cannot be computed: %w", node.Quote(s), err)
	}
	return s, nil
}

// ceiling reads the longest bantime: none is 0.
func ceiling(s string) (time.Duration, error) {
	d, err := BanTime(s)
	if d == Forever {
		d = 0
	}
	return d, err
}

// checkIncrement refuses two spellings at once, two ways to grow, and a ceiling
// below the bantime beside it.
func checkIncrement(v node.Value, j Jail) {
	nested, both := v.Get("increment")
	for _, f := range append(increment(new(Increment), "bantime."), node.Key("bantime.increment", nil)) {
		if flat, ok := v.Get(f.Name()); ok && both {
			flat.Wrong("increment: is here as well; keep one of the two spellings")
		}
	}
	_, base := v.Get("bantime")
	limit, said := v.Get("bantime.maxtime")
	grown, grows := v.Get("bantime.formula")
	_, twice := v.Get("bantime.multipliers")
	if both {
		limit, said = nested.Get("maxtime")
		grown, grows = nested.Get("formula")
		_, twice = nested.Get("multipliers")
	}
	if grows && twice {
		grown.Wrong("multipliers: is here as well; keep one of the two")
	}
	if base && said && j.Increment.Enabled && j.Increment.MaxTime > 0 && j.Increment.MaxTime < j.BanTime {
		limit.Wrong("is shorter than the bantime, %s; write that or more", FormatDuration(j.BanTime))
	}
}

// checkWidth refuses a width that no target would be sent.
func checkWidth(v node.Value, j Jail, b Budget) {
	if width, ok := v.Get("ipv6"); ok && j.IPv6Prefix < b.IPv6 {
		width.Wrong("%d is wider than budget.ipv6 lets be sent; write %d or more, or lower the budget's", j.IPv6Prefix, b.IPv6)
	}
}

// filter reads the name of a built-in filter, or the path of a file, which has
// a slash or a dot.
func filter(v node.Value) (string, bool) {
	s, ok := v.Text()
	switch {
	case !ok:
		return "", false
	case strings.ContainsAny(s, "/."):
		return v.Absolute(s), true
	}
	if _, err := node.Name(s); err != nil {
		v.Wrong("%s is neither the name of a filter nor the path of a file; write a name such as sshd, or ./my-filter.conf", node.Quote(s))
		return "", false
	}
	return s, true
}

// logPath reads a path, which may be a glob, or the word for standard input.
func logPath(v node.Value) (string, bool) {
	s, ok := v.Text()
	switch {
	case !ok:
		return "", false
	case s == Stdin || s == "stdin":
		return Stdin, true
	case strings.Contains(s, " /"):
		v.Wrong("%s is several paths; write them as a list: [/var/log/a.log, /var/log/b.log]", node.Quote(s))
		return "", false
	}
	if _, err := filepath.Match(s, ""); err != nil {
		v.Wrong(`%s has a [ without its ]; write \[ for the character itself`, node.Quote(s))
		return "", false
	}
	return v.Absolute(s), true
}

// target returns the reading of the name of one of the targets.
func target(targets []Target) func(node.Value) (string, bool) {
	names := make([]string, len(targets))
	known := map[string]bool{}
	for i, t := range targets {
		names[i], known[t.Name] = t.Name, true
	}
	return func(v node.Value) (string, bool) {
		s, ok := v.Text()
		if ok && !known[s] {
			v.Wrong("no target is called %s; %s", node.Quote(s), node.Meant(s, names))
			return "", false
		}
		return s, ok
	}
}
