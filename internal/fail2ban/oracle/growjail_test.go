package oracle

import (
	"fmt"
	"strings"
)

// jails writes jail.conf and everything around it.
func (g grower) jails(tr tree) {
	var base file
	if g.chance(0.5) {
		g.section(&base, "INCLUDES")
		g.option(&base, "before", g.pick([]string{"paths.conf", "paths.conf\nmissing.conf", "sub/paths.conf", "%(inc)s.conf"}))
		if g.chance(0.3) {
			g.option(&base, "after", "after.conf")
		}
		tr["paths.conf"] = g.paths("paths")
		tr["sub/paths.conf"] = g.paths("sub")
		tr["after.conf"] = g.paths("after")
		if g.chance(0.4) {
			tr["paths.local"] = g.paths("local")
		}
	}
	g.section(&base, "DEFAULT")
	g.option(&base, "inc", "paths")
	g.defaults(&base)
	sections := jailNames[:2+g.IntN(len(jailNames)-1)]
	for _, name := range sections {
		g.jail(&base, name, true)
	}
	tr["jail.conf"] = base.String()
	if g.odd() {
		delete(tr, "jail.conf")
	}
	for _, name := range []string{"jail.local", "jail.d/10-x.conf", "jail.d/9-y.conf", "jail.d/B.local", "jail.d/a.local", "jail.d/.hid.conf"} {
		if !g.chance(0.3) {
			continue
		}
		var f file
		if g.chance(0.2) {
			g.section(&f, "INCLUDES")
			g.option(&f, g.pick([]string{"before", "after"}), g.pick([]string{"paths.conf", "../paths.conf", "../after.conf", "jail.conf", "../jail.conf"}))
		}
		if g.chance(0.5) {
			g.section(&f, "DEFAULT")
			g.defaults(&f)
		}
		for _, name := range sections {
			if g.chance(0.4) {
				g.jail(&f, name, false)
			}
		}
		tr[name] = f.String()
	}
	for name, text := range tr {
		if g.chance(0.02) && !strings.HasPrefix(name, "log/") {
			tr[name] = strings.ReplaceAll(text, "\n", "\r\n")
		}
		if g.chance(g.wild * g.wild) {
			tr[name] = g.pick([]string{"\ufeff", "stray\n", "\xff"}) + text
		}
	}
}

// paths writes a file of variables, as distributions have one.
func (g grower) paths(word string) string {
	var f file
	g.section(&f, "DEFAULT")
	for _, v := range varNames {
		if g.chance(0.3) {
			g.option(&f, v, word+g.text(scope{vars: varNames}, 2))
		}
	}
	g.option(&f, "logs", "%(fail2ban_confpath)s/log")
	return f.String()
}

var times = []string{"600", "10m", "1h", "1d12h30m", "5min 30s", "1.5h", "1h-10m", "2*60", "-1", "1w", "1mo", "2 weeks", "1y", "10 m", "1H"}

func (g grower) defaults(f *file) {
	s := scope{vars: varNames, tags: []string{"alpha", "mode"}}
	for _, v := range varNames {
		if !g.odd() {
			depth := 1
			if g.chance(0.5) {
				depth = 3
			}
			// Refer only to what comes later in the list, so that most trees resolve.
			i := indexOf(varNames, v)
			own := s
			if own.vars = varNames[i+1:]; len(own.vars) == 0 {
				g.option(f, v, g.pick(words))
				continue
			}
			g.option(f, v, g.text(own, depth))
		}
	}
	options := map[string][]string{
		"maxretry": {"5", "3", "%(tries)s"}, "findtime": times, "bantime": times, "usedns": {"warn", "no", "yes", "raw", "No"},
		"backend": {"auto", "polling", "systemd", "pyinotify"}, "mode": {"normal", "aggressive"}, "enabled": {"false", "true"},
		"ignoreip": {"127.0.0.1/8 ::1", "192.0.2.0/24, 198.51.100.7", "192.0.2.1\n192.0.2.2", "host.example"},
		"filter":   {"%(__name__)s[mode=%(mode)s]", "f1[mode=%(mode)s]", "f2", "f3[mode=%(mode)s]"}, "bantime.increment": {"true", "false"}, "ignoreself": {"true", "false"},
		"logtimezone": {"UTC", "UTC+0200"}, "logencoding": {"utf-8", "auto", "latin1"}, "port": {"0:65535", "ssh"}, "tries": {"7", "2"},
		"bantime.factor": {"1", "2", "1.5"}, "bantime.maxtime": {"5w", "1d"}, "bantime.multipliers": {"1 2 4 8 16"}, "bantime.rndtime": {"10", "1m"},
		"maxmatches": {"%(maxretry)s", "4"}, "bantime.overalljails": {"true", "no"},
		"chain": {"<known/chain>", "INPUT"}, "protocol": {"tcp"}, "banaction": {"a1", "a2[k=%(alpha)s]", "opnsense[firewall=\"192.0.2.9\",key=\"k\"]"},
		"action_": {"%(banaction)s[port=\"%(port)s\", protocol=\"%(protocol)s\", chain=\"%(chain)s\"]"},
		"action":  {"%(action_)s", "a1", "a1[x=1]\na2[y='2']"},
	}
	must := map[string]bool{"maxretry": true, "action": true, "action_": true, "banaction": true, "port": true, "protocol": true, "chain": true, "mode": true, "filter": true, "tries": true, "ignoreip": true}
	for _, name := range sorted(options) {
		if must[name] && !g.odd() || g.chance(0.25) {
			g.option(f, name, g.pick(options[name]))
		}
	}
}

func (g grower) jail(f *file, name string, first bool) {
	g.section(f, name)
	if !first || g.chance(0.85) {
		g.option(f, "enabled", g.pick([]string{"true", "true", "true", "1", "yes", "TRUE", "on", "false", "y"}))
	}
	s := scope{vars: varNames, tags: []string{"alpha", "mode"}, sections: []string{"one", "two", "Three"}, known: true}
	if first && g.chance(0.9) || g.chance(0.2) {
		g.option(f, "logpath", g.logpath())
	}
	if first && g.chance(0.8) || g.chance(0.3) {
		g.option(f, "filter", g.filterRef(name))
	}
	if g.chance(0.3) {
		g.option(f, "action", g.actionRef())
	}
	options := map[string]string{
		"maxretry": g.pick([]string{"1", "4", "%(tries)s", "3 ", "2"}), "findtime": g.pick(times), "bantime": g.pick(times),
		"usedns": g.pick([]string{"no", "warn", "maybe"}), "mode": g.pick([]string{"aggressive", "normal", "typo"}),
		"ignoreip": g.pick([]string{"%(known/ignoreip)s 192.0.2.5", "10.0.0.0/8,::1", ""}), "port": "22,%(known/port)s",
		"failregex":   g.pick([]string{"%(known/failregex)s\n^extra <HOST>$", "^own <HOST>$", "^%(alpha)s <HOST>$\n\n^two <ADDR>"}),
		"ignoreregex": g.pick([]string{"^skip", "%(known/ignoreregex)s", ""}), "maxlines": g.pick([]string{"2", "4", "1"}), "prefregex": "^p <F-CONTENT>.+</F-CONTENT>$",
		"datepattern": g.pick([]string{"%%Y-%%m-%%d", "{^LN-BEG}"}), "journalmatch": g.pick([]string{"_SYSTEMD_UNIT=x.service + _COMM='a b'", "A=1\nB=2"}),
		"backend": g.pick([]string{"systemd", "auto", "polling"}), "banaction": g.pick([]string{"a2", "opnsense"}),
		"bantime.increment": g.pick([]string{"true", "1", "no"}), "ignorecommand": "",
	}
	for _, name := range sorted(options) {
		if g.chance(0.13) {
			g.option(f, name, options[name])
		}
	}
	for _, v := range varNames {
		if g.chance(0.15) {
			g.option(f, v, g.text(s, 2))
		}
	}
}

func (g grower) logpath() string {
	return g.pick([]string{
		"%(fail2ban_confpath)s/log/a.log", "%(fail2ban_confpath)s/log/*.log", "%(fail2ban_confpath)s/log/a.log tail\n%(fail2ban_confpath)s/log/b.log",
		"%(fail2ban_confpath)s/log/[ab].log head", "%(fail2ban_confpath)s/log/none.log", "%(fail2ban_confpath)s/log/c d.log head", "%(fail2ban_confpath)s/log/b.log",
	})
}

func (g grower) filterRef(jail string) string {
	name := g.pick([]string{"f1", "f2", "f3"})
	if strings.HasPrefix(jail, "f") && len(jail) == 2 {
		name = "%(__name__)s"
	}
	if g.odd() {
		name = g.pick([]string{"missing", "", "common", "f1 ", "f1]"})
	}
	return name + g.params([]string{"mode", "alpha", "x_1", "my-opt", "logtype", "p.q", "_daemon", "maxlines", "known/alpha"})
}

func (g grower) actionRef() string {
	var items []string
	for range 1 + g.IntN(3) {
		name := g.pick([]string{"a1", "a2", "opnsense", "%(action_)s"})
		if g.odd() {
			name = g.pick([]string{"missing", "a1,", "smtp.py", "a1 ", "%(nosuch)s"})
		}
		if name == "%(action_)s" {
			items = append(items, name)
			continue
		}
		items = append(items, name+g.params([]string{"key", "secret", "name", "actname", "alpha", "x_1", "timeout", "port"}))
	}
	return strings.Join(items, g.pick([]string{"\n", "\n", " "}))
}

// params writes the list of parameters behind a name.
func (g grower) params(names []string) string {
	if g.chance(0.35) {
		return ""
	}
	var b strings.Builder
	open := "["
	if g.odd() {
		open = " ["
	}
	b.WriteString(open)
	for i := range g.IntN(4) {
		if i > 0 {
			sep := g.pick([]string{", ", ",", "][", "] [", ",\n"})
			if g.odd() {
				sep = g.pick([]string{" , ", ",,", " ", "]x["})
			}
			b.WriteString(sep)
		}
		name := g.pick(names)
		value := g.pick([]string{"normal", "aggressive", "1", "a b", "2", "v.w", "x-y", "no", "%(alpha)s", "<alpha>", "%%", ""})
		switch g.IntN(4) {
		case 0:
			fmt.Fprintf(&b, "%s=%s", name, value)
		case 1:
			fmt.Fprintf(&b, "%s='%s'", name, value)
		case 2:
			fmt.Fprintf(&b, `%s="%s"`, name, g.pick([]string{value, "a, b", "x]y", "it's", "two\n  lines"}))
		case 3:
			if g.odd() {
				b.WriteString(g.pick([]string{"x", "=1", `x= "1"`, `x="1`, "a b=2", `k?family=inet6="v"`}))
				continue
			}
			fmt.Fprintf(&b, `%s="%s"`, name, value)
		}
	}
	if g.chance(0.05) {
		b.WriteString(",")
	}
	b.WriteString("]")
	if g.odd() {
		b.WriteString(g.pick([]string{"x", " ", "]"}))
	}
	return b.String()
}
