package oracle

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func indexOf(of []string, s string) int { return slices.Index(of, s) }

// filter writes a filter, sometimes in several files.
func (g grower) filter(tr tree, path, name string) {
	var f file
	if name != "common" && g.chance(0.6) {
		g.section(&f, "INCLUDES")
		g.option(&f, "before", g.pick([]string{"common.conf", "common.conf\nf3.conf", "./common.conf", "missing.conf\ncommon.conf"}))
		if g.chance(0.2) {
			g.option(&f, "after", g.pick([]string{"common.local", "extra.conf", "common.conf"}))
			tr["filter.d/extra.conf"] = "[Definition]\nalpha = extra\n"
		}
	}
	g.definitions(&f, name, true)
	tr[path+".conf"] = f.String()
	for _, more := range []string{path + ".local", path + ".d/x.conf", path + ".d/y.local"} {
		if g.chance(0.12) {
			var f file
			g.definitions(&f, name, false)
			tr[more] = f.String()
		}
	}
	if g.odd() {
		delete(tr, path+".conf")
	}
}

// deepest is how deep a chain of references goes: some are too deep.
const deepest = 12

func (g grower) definitions(f *file, name string, whole bool) {
	plain := []string{"foo", "bar", "x1", "é"}
	lower := []string{"beta", "gamma", "x_1", "my-opt", "p.q", "__pre"}
	tags := append([]string{"mode", "lt_<logtype>/__pre", "mdre-<mode>", "logtype", "known/alpha", "<x_1>"}, lower...)
	if whole && !g.odd() || g.chance(0.3) {
		g.section(f, "DEFAULT")
		for i, v := range varNames {
			if (whole || g.chance(0.4)) && i+1 < len(varNames) && !g.odd() {
				g.option(f, v, g.text(scope{vars: varNames[i+1:], tags: lower[min(i, 5):]}, 2))
			}
		}
		g.option(f, "_daemon", "d"+g.pick(plain))
		g.option(f, "n0", "n")
		for i := range deepest {
			g.option(f, fmt.Sprintf("n%d", i+1), fmt.Sprintf("%%(n%d)s", i))
		}
		g.option(f, varNames[len(varNames)-1], g.pick([]string{`\s*`, `(?:%(_daemon)s)?`, `<_daemon>:`, ""}))
	}
	if whole {
		for _, lt := range []string{"lt_file", "lt_journal", "lt_short"} {
			g.section(f, lt)
			g.option(f, "__pre", lt+g.pick([]string{"", "%(_daemon)s", "<_daemon>", "%(__name__)s", " "}))
		}
	}
	if !g.odd() {
		g.section(f, "Definition")
	}
	for i, v := range varNames {
		if g.chance(0.4) && i+1 < len(varNames) {
			s := scope{vars: varNames[i+1:], tags: lower[min(i, 5):], known: !whole}
			if name == "common" {
				s.sections = []string{"lt_file"}
			}
			g.option(f, v, g.text(s, 3))
		}
	}
	g.option(f, "_daemon", "daemon")
	s := scope{vars: varNames, tags: tags, known: !whole}
	options := map[string]func() string{
		"prefregex":    func() string { return "^" + g.text(s, 2) + "<F-CONTENT>.+</F-CONTENT>$" },
		"ignoreregex":  func() string { return g.pick([]string{"", "^" + g.text(s, 2), "^a\n^b"}) },
		"maxlines":     func() string { return g.pick([]string{"1", "10", "3", " 2"}) },
		"datepattern":  func() string { return g.pick([]string{"{^LN-BEG}", "%%Y-%%m-%%d\n{DEFAULT}", "%%Y<x_1>"}) },
		"journalmatch": func() string { return g.pick([]string{"_SYSTEMD_UNIT=x.service + _COMM=x", `A="b c"`, "A=<x_1>"}) },
		"usedns":       func() string { return g.pick([]string{"no", "yes"}) },
		"mode":         func() string { return g.pick([]string{"normal", "aggressive"}) },
		"logtype":      func() string { return g.pick([]string{"short", "file"}) },
		"mdre-normal":  func() string { return "^norm " + g.text(s, 1) + " <HOST>$" },
		"mdre-aggressive": func() string {
			return "%(mdre-normal)s\n^aggr " + g.text(s, 1) + " <HOST>$"
		},
	}
	for _, o := range sorted(options) {
		p := 0.12
		if o == "ignoreregex" {
			p = 0.7
		}
		if strings.HasPrefix(o, "mdre") || o == "mode" {
			p = 0.9
		}
		if g.chance(p) {
			g.option(f, o, options[o]())
		}
	}
	if whole && !g.odd() || g.chance(0.4) {
		lines := []string{"^%(__pre)s" + g.text(s, 2) + " <HOST>$"}
		if g.chance(0.1) {
			lines = append(lines, fmt.Sprintf("^%%(n%d)s <HOST>$", deepest-g.IntN(6)))
		}
		for range g.IntN(3) {
			if !whole && g.chance(0.3) {
				lines = append(lines, "%(known/failregex)s")
			}
			lines = append(lines, g.pick([]string{"<mdre-<mode>>", "^<lt_<logtype>/__pre>in <ADDR>", "^" + g.text(s, 2) + "<HOST>", "^<F-ID>x</F-ID> <F-USER>y</F-USER>$", ""}))
		}
		g.option(f, "failregex", strings.Join(lines, "\n"))
	}
	if g.chance(0.3) {
		g.section(f, g.pick([]string{"Init", "Init", "Init?family=inet6"}))
		for _, v := range []string{"alpha", "x_1", "mode", "maxlines"} {
			if g.chance(0.4) {
				g.option(f, v, g.pick([]string{"init", "%(beta)s", "<beta>", "3", "normal"}))
			}
		}
	}
}

// action writes an action.
func (g grower) action(tr tree, path string) {
	var f file
	if g.chance(0.2) {
		g.section(&f, "INCLUDES")
		g.option(&f, "before", "base.conf")
		tr["action.d/base.conf"] = "[Definition]\nactionstart = base <name>\n[Init]\nport = 1\nkey = basekey\n"
	}
	g.section(&f, "DEFAULT")
	g.option(&f, "alpha", g.pick(words))
	g.section(&f, "Definition")
	s := scope{vars: []string{"alpha", "cmd"}, tags: []string{"key", "port", "name", "ip", "known/key", "actname", "blocktype"}}
	g.option(&f, "cmd", "run <key>")
	for _, o := range []string{"actionstart", "actionban", "actionunban", "actionstop", "norestored", "actionprolong"} {
		if g.chance(0.5) {
			g.option(&f, o, g.text(s, 3))
		}
	}
	if g.chance(0.8) {
		g.section(&f, "Init")
		for _, o := range []string{"key", "secret", "port", "blocktype", "allow_insecure", "alias"} {
			if g.chance(0.5) {
				values := []string{"v", "true", "", "a b", "%(alpha)s"}
				if o != "port" {
					values = append(values, "<port>", "<known/port>")
				}
				g.option(&f, o, g.pick(values))
			}
		}
	}
	if g.chance(0.2) {
		g.section(&f, "Init?family=inet6")
		g.option(&f, "blocktype", "six")
	}
	tr[path+".conf"] = f.String()
	if g.chance(0.2) {
		tr[path+".local"] = "[Init]\nkey = localkey\n"
	}
	if g.odd() {
		delete(tr, path+".conf")
	}
}
