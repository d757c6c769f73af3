package fail2ban

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/fail2ban/ini"
	"github.com/edgeban/edgeban/internal/fail2ban/value"
	"github.com/edgeban/edgeban/internal/filter/compat"
)

// A jail is one section of the jail document that is being read.
type jail struct {
	*reader
	name     string
	at       ini.Place
	filter   *definition // nil before it was read, and for none
	out      config.Jail
	resolved Resolved
	notes    []Note
	unread   []unread // lines of logpath
	journal  *config.Source
	unused   []error // what is wrong with actions that name a firewall
	targets  []target
	ntfys    []ntfy
}

// note says something of the jail, which is kept if the jail works.
func (j *jail) note(level Level, at ini.Place, format string, args ...any) {
	j.notes = append(j.notes, note(level, j.at, wrong(at, format, args...)))
}

// get returns an option as the tree says it.
func (j *jail) get(option string) (ini.Text, bool, error) {
	return j.jails.Get(j.name, option, func(name string) (ini.Text, bool, error) {
		known, ok := strings.CutPrefix(name, "known/")
		if !ok || j.filter == nil {
			return ini.Text{}, false, nil
		}
		return j.filter.earlier(known)
	})
}

// truth returns an option that is on or off. As upstream has it, whatever does not
// say that it is on is off.
func (j *jail) truth(option string) (bool, error) {
	t, ok, err := j.get(option)
	return err == nil && ok && isTrue(t.String()), err
}

func isTrue(s string) bool {
	switch strings.ToLower(s) {
	case "1", "on", "true", "yes":
		return true
	}
	return false
}

// time returns an option that is a time, or what is meant where nobody says it.
func (j *jail) time(option string, usual time.Duration) (time.Duration, ini.Place, error) {
	t, ok, err := j.get(option)
	if err != nil || !ok {
		return usual, j.at, err
	}
	d, err := value.Time(t.String())
	if err != nil {
		return 0, t.Place(), unlike(option, t, err.Error())
	}
	return d, t.Place(), nil
}

// unlike says what is wrong with a value, or why it is: most often because the
// option below it is indented.
func unlike(option string, t ini.Text, what string) error {
	if at, ok := continued(t); ok {
		return wrong(at, "%s: line %d is indented, and so continues the value of line %d; write it at the begin of its line", option, at.Line, t.Place().Line)
	}
	return wrong(t.Place(), "%s: %s", option, what)
}

// continued returns where a value goes on with what looks like another option.
func continued(t ini.Text) (ini.Place, bool) {
	for _, line := range t.Trim().Lines()[1:] {
		if strings.ContainsAny(line.String(), "=:") {
			return line.At(0), true
		}
	}
	return ini.Place{}, false
}

// read reads an enabled jail.
func (j *jail) read() error {
	backend, said, err := j.get("backend")
	if err != nil {
		return err
	}
	j.resolved.Backend = backend.String()
	if !said {
		j.resolved.Backend = "auto"
	}
	noFilter := j.readFilter()
	j.out = config.Jail{Name: j.name, Count: config.Rate, IPv6Prefix: 128}
	j.remember()
	err = errors.Join(noFilter, j.checkName(), j.readPace(), j.readIncrement(), j.readIgnoreIP(), j.readIgnore(), j.readLog())
	var at places
	if noFilter == nil { // else nobody knows what the jail would look for
		var e error
		at, e = j.readRules()
		err = errors.Join(err, e)
	}
	err = errors.Join(err, j.readActions())
	if path.Base(j.resolved.Filter) == config.Recidive && noFilter == nil {
		j.out.Filter, j.out.LogPath, j.out.Rules = config.Recidive, nil, nil
		j.note(Info, j.at, "reads edgeban's own bans in place of fail2ban's log; nothing to do")
		return err
	}
	err = errors.Join(err, j.checkLog(backend))
	if j.out.Rules != nil {
		err = errors.Join(err, j.checkRules(at))
	}
	return err
}

// checkName leaves out a jail whose name cannot be one here.
func (j *jail) checkName() error {
	if _, err := config.JailName(j.name); err != nil {
		return wrong(j.at, "rename the section: %v", err)
	}
	return nil
}

// readFilter reads the filter that the jail names.
func (j *jail) readFilter() error {
	t, ok, err := j.get("filter")
	if err != nil || !ok || t.String() == "" {
		return err
	}
	it, err := ini.OneItem(t)
	if err != nil {
		return err
	}
	j.resolved.Filter = it.Name
	f, err := j.openFilter(it.Name, it.Place, it.Params, j.resolved.Backend)
	if err != nil {
		return err
	}
	f.jail, f.early = j.option, j.earlyOption
	j.filter = f
	return nil
}

// jailOptions are what a filter and an action see of their jail, beside those that
// a filter has too. Those with true are on or off.
var jailOptions = map[string]bool{
	"enabled": true, "backend": false, "maxretry": false, "maxmatches": false, "findtime": false, "bantime": false,
	"bantime.increment": true, "bantime.factor": false, "bantime.formula": false, "bantime.multipliers": false,
	"bantime.maxtime": false, "bantime.rndtime": false, "bantime.overalljails": true, "ignorecommand": false,
	"ignoreself": true, "ignoreip": false, "ignorecache": false, "filter": false, "logtimezone": false, "logencoding": false,
	"logpath": false, "skip_if_nologs": true, "systemd_if_nologs": true, "action": false,
}

// remember keeps what the tree says, before anything of it is judged.
func (j *jail) remember() {
	for option, truth := range jailOptions {
		t, ok, err := j.get(option)
		if err != nil || !ok || option == "action" {
			continue
		}
		if s := t.String(); truth {
			j.resolved.Options[option] = strconv.FormatBool(isTrue(s))
		} else {
			j.resolved.Options[option] = s
		}
	}
}

func (j *jail) option(name string) (ini.Text, bool, error) {
	if _, ok := jailOptions[name]; !ok && !slices.Contains(filterOptions, name) {
		return ini.Text{}, false, nil
	}
	if name == "enabled" {
		return ini.NewText("True", j.at), true, nil
	}
	t, ok, err := j.get(name)
	if err == nil && !ok && name == "backend" {
		return ini.NewText("auto", j.at), true, nil
	}
	return t, ok, err
}

func (j *jail) earlyOption(name string) (ini.Text, bool, error) {
	if name != "enabled" && name != "backend" && name != "filter" {
		return ini.Text{}, false, nil
	}
	return j.option(name)
}

// readPace reads how many failures in which time ban for how long. Where the tree
// says nothing, the numbers are those of fail2ban's server.
func (j *jail) readPace() error {
	j.out.MaxRetry = 3
	t, ok, wrongRetry := j.get("maxretry")
	if wrongRetry == nil && ok {
		n, err := strconv.Atoi(strings.TrimSpace(t.String()))
		if err != nil {
			wrongRetry = unlike("maxretry", t, value.Quote(t.String())+" is not a number; write one such as 5")
		} else {
			j.resolved.Options["maxretry"] = strconv.Itoa(n)
		}
		j.out.MaxRetry = max(n, 1)
	}
	find, at, wrongFind := j.time("findtime", 10*time.Minute)
	if wrongFind == nil && find < time.Second {
		wrongFind = wrong(at, "findtime: is no time at all; write one such as 10m")
	}
	ban, at, wrongBan := j.time("bantime", 10*time.Minute)
	switch {
	case wrongBan != nil:
	case ban == 0:
		wrongBan = wrong(at, "bantime: 0 bans nobody; write one such as 10m, or -1 for ever")
	case ban < 0, ban > config.LongestTime:
		ban = config.Forever
	}
	j.out.FindTime, j.out.BanTime = min(find, config.LongestTime), ban
	return errors.Join(wrongRetry, wrongFind, wrongBan)
}

// readRules reads the patterns, and where they stand.
func (j *jail) readRules() (places, error) {
	said := map[string]ini.Text{}
	for _, opt := range filterOptions {
		t, ok, err := j.get(opt)
		if err != nil {
			return places{}, err
		}
		if !ok {
			continue
		}
		if _, err := strconv.Atoi(strings.TrimSpace(t.String())); opt == "maxlines" && err != nil {
			j.note(Warning, t.Place(), "maxlines: %s is not a number, and 1 is taken; write one such as 1", value.Quote(t.String()))
		}
		said[opt] = t
	}
	rules, at, err := rulesOf(j.filter, said)
	if err != nil {
		return at, err
	}
	if t, ok, err := j.get("logencoding"); err != nil {
		return at, err
	} else if ok && t.String() != "" {
		if rules.LogEncoding, err = config.LogEncoding(t.String()); err != nil {
			return at, wrong(t.Place(), "logencoding: %v", err)
		}
	}
	if t, ok := said["usedns"]; ok && j.own(t.Place()) {
		switch rules.UseDNS {
		case config.Yes:
			j.note(Info, t.Place(), "usedns = yes: an attacker chooses what his name resolves to, and so who is banned; write usedns = no unless the log has nothing but names")
		case config.Warn, config.Raw:
			j.note(Info, t.Place(), "usedns = %s: a host's name in a log bans nobody here; usedns = yes would ban the addresses that it has", rules.UseDNS)
		}
	}
	j.resolved.Rules, j.out.Rules = rules, &rules
	return at, nil
}

// checkRules leaves out a jail whose patterns cannot be matched. A pattern that
// cannot because of a tag in it that stands for nothing is told by what the tag
// was made of.
func (j *jail) checkRules(at places) error {
	if len(j.out.Rules.FailRegex) == 0 {
		return errors.New("has no failregex; write one, or a filter that has one")
	}
	idle := j.idleTags(at)
	var all []error
	_, err := compat.Compile(*j.out.Rules)
	for _, err := range each(err) {
		if e := (*compat.Error)(nil); errors.As(err, &e) {
			if idle.explain(e.Key, e.Index) {
				continue
			}
			text := fmt.Sprintf("%s[%d]", e.Key, e.Index+1)
			if e.Offset > 0 {
				text += fmt.Sprintf(", byte %d", e.Offset+1)
			}
			err = wrong(at.of(e.Key, e.Index), "%s: %s", text, e.Msg)
		}
		all = append(all, err)
	}
	for _, t := range idle {
		if t.fatal {
			all = append(all, t.err)
		} else {
			j.notes = append(j.notes, note(t.level, j.at, t.err))
		}
	}
	return errors.Join(all...)
}

// of returns where a line of an option stands.
func (p places) of(key string, i int) ini.Place {
	lines := map[string][]ini.Place{"prefregex": {p.prefix}, "failregex": p.fail, "ignoreregex": p.ignore, "datepattern": p.day}[key]
	if i < len(lines) {
		return lines[i]
	}
	return ini.Place{}
}
