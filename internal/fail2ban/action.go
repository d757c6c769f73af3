package fail2ban

import (
	"errors"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/fail2ban/ini"
	"github.com/edgeban/edgeban/internal/fail2ban/value"
)

// An action is one that a jail names, with what its file says.
type action struct {
	*definition
	name string
	at   ini.Place
	used []string // the parameters in brackets, as they were written
}

// readActions reads what the jail does with those whom it bans. That an action is
// missing or cannot be understood is no reason to ban nobody; that its parameters
// are written wrong is one for upstream, and here too.
func (j *jail) readActions() error {
	t, ok, err := j.get("action")
	if err != nil {
		n := note(Problem, j.at, err)
		n.Text = "action: " + n.Text + "; until then the bans go to every target"
		j.notes = append(j.notes, n)
		return nil
	}
	items, err := ini.Items(t)
	if err != nil {
		return err
	}
	if !ok || len(items) == 0 {
		j.note(Warning, j.at, "has no action, and its bans go to every target all the same; write enabled = false if it is not to ban")
	}
	for _, it := range items {
		if err := j.readAction(it); err != nil {
			return err
		}
	}
	return nil
}

func (j *jail) readAction(it ini.Item) error {
	if b := it.Params["blocktype"]; strings.EqualFold(b.String(), "RETURN") || strings.EqualFold(b.String(), "ACCEPT") {
		at := it.Place
		if t, ok, err := j.get("blocktype"); ok && err == nil {
			at = t.Place()
		}
		return wrong(at, "action %s: opens the firewall for those whom the jail finds, and edgeban only closes it; take the jail out", it.Name)
	}
	if strings.HasSuffix(it.Name, ".py") {
		j.addAction(it, it.Params)
		j.translate(&action{name: it.Name, at: it.Place})
		return nil
	}
	params := maps.Clone(it.Params)
	if _, ok := params["name"]; !ok {
		params["name"] = ini.NewText(j.name, it.Place)
	}
	if _, ok := params["actname"]; !ok {
		actname := it.Name
		if n := params["name"].String(); n != j.name {
			if rest, ok := strings.CutPrefix(n, j.name); ok {
				actname += rest
			} else {
				actname += "-" + n
			}
		}
		params["actname"] = ini.NewText(actname, it.Place)
	}
	doc, err := j.document("action.d/" + it.Name)
	if err != nil {
		n := note(Warning, it.Place, err)
		if n.Text = "action " + it.Name + ": " + n.Text; slices.Contains(native, it.Name) {
			n.Level = Problem
		}
		j.notes = append(j.notes, n)
	}
	file := doc
	if doc == nil {
		file = j.tree.Empty()
	}
	d, err := newDefinition(j.tree, file, nil, params)
	if err != nil {
		return err
	}
	d.jail, d.early = j.option, j.option
	for _, tag := range []string{"timeout", "bantime"} {
		d.skip[tag] = true
	}
	a := &action{d, it.Name, it.Place, it.Keys}
	values := map[string]ini.Text{}
	for _, given := range []map[string]ini.Text{a.init, a.params} {
		for k, raw := range given {
			if values[k] = raw; !strings.HasPrefix(k, "known/") {
				if v, err := a.get(k); err == nil {
					values[k] = v
				}
			}
		}
	}
	j.addAction(it, values)
	if !j.translate(a) && doc == nil {
		j.missing(it)
	}
	return nil
}

// missing says that an action has no file, and is none that needs none.
func (j *jail) missing(it ini.Item) {
	way := "write one that is there, or one of " + strings.Join(native, ", ")
	near := value.Near(it.Name, native)
	if near != "" {
		way = "did you mean " + near + "?"
	}
	err := wrong(it.Place, "action %s: there is no action.d/%[1]s.conf; %s", it.Name, way)
	if near == "ntfy" {
		j.notes = append(j.notes, note(Problem, it.Place, err))
	} else {
		j.unused = append(j.unused, err)
	}
}

// native are the actions that edgeban does itself.
var native = []string{"opnsense", "opnsense-alias", "ntfy"}

// addAction remembers an action and what it is given.
func (j *jail) addAction(it ini.Item, given map[string]ini.Text) {
	a := Action{Name: it.Name, Params: map[string]config.Secret{}}
	for k, v := range given {
		if !strings.HasPrefix(k, "known/") {
			a.Params[k] = config.NewSecret(v.String())
		}
	}
	j.resolved.Actions = append(j.resolved.Actions, a)
}

// get returns a parameter with its tags replaced, empty where nobody gives it.
func (a *action) get(name string) (ini.Text, error) {
	t, ok := a.given(name)
	if !ok {
		return ini.Text{}, nil
	}
	t, err := a.replace(name, t, final)
	if f := (*fault)(nil); errors.As(err, &f) {
		f.text = "action " + a.name + ": " + f.text
	}
	return t, err
}

// ignorable are parameters that mean nothing at an edge, or that every action
// gets.
var ignorable = []string{
	"port", "protocol", "chain", "name", "actname", "bantime", "timeout", "blocktype", "returntype",
	"actionstart_on_demand", "actionrepair_on_unban", "norestored", "lockingopt", "iptables", "curlopts", "debug",
}

// unknown says which parameters a native action does not know.
func (j *jail) unknown(a *action, known ...string) {
	for _, k := range a.used {
		if !slices.Contains(known, k) && !slices.Contains(ignorable, k) {
			if near := value.Near(k, known); near != "" {
				j.note(Problem, a.at, "action %s: knows no option %s; did you mean %s?", a.name, value.Quote(k), near)
				continue
			}
			j.note(Warning, a.at, "action %s: knows no option %s; take it out, or write one of %s", a.name, value.Quote(k), strings.Join(known, ", "))
		}
	}
}

// A reply is what is said of an action that is not native.
type reply struct {
	level Level
	text  string
}

const (
	useFeed   = "edgeban serves the list of bans over HTTP (a target feed: in edgeban.yaml), which it may fetch"
	useNotify = "edgeban tells people by ntfy; write ntfy[ntfyurl=...,ntfytopic=...] as an action, or notify: in edgeban.yaml"
)

// replies are by the names of actions, of which a last * stands for anything. The
// first that fits counts.
var replies = []struct {
	names []string
	reply
}{
	{[]string{
		"iptables*", "nftables*", "ufw*", "shorewall*", "firewallcmd*", "firewalld*", "route", "hostsdeny", "ipfw", "bsd-ipfw", "ipfilter",
		"pf", "pf-*", "npf", "apf", "osx-*", "nginx-block-map", "symbiosis-blacklist-allports", "blackhole*", "ipset*", "csf*",
	}, reply{Info, "the edge enforces in place of this machine; nothing to do"}},
	{[]string{"dummy", "noop", "none"}, reply{Info, "does nothing, here too"}},
	{[]string{"abuseipdb*", "blocklist_de", "ipthreat*", "dshield", "mynetwatchman", "complain", "xarf-*", "badips*"}, reply{Warning, "edgeban reports to nobody but its people; " + useNotify}},
	{[]string{"mail", "mail-*", "sendmail*", "smtp*", "mwl", "mw"}, reply{Warning, "edgeban sends no mail; " + useNotify}},
	{[]string{"apprise*", "gotify*", "pushover*", "telegram*", "slack*", "discord*", "matrix*", "mattermost*", "webhook*", "pushbullet*", "signal*"}, reply{Warning, useNotify}},
	{[]string{"cloudflare*", "netscaler*", "nsupdate*", "mikrotik*", "routeros*", "pfsense*", "unifi*", "fortigate*", "aws*", "vultr*", "hetzner*", "bunny*"}, reply{Warning, "is not told of the bans; " + useFeed}},
	{[]string{"*.py"}, reply{Warning, "is a program in Python, and edgeban runs none; " + useFeed}},
}

// translate takes what edgeban does itself, and says what becomes of the rest. It
// reports whether it knows the action.
func (j *jail) translate(a *action) bool {
	switch a.name {
	case "opnsense", "opnsense-alias":
		j.opnsense(a)
		return true
	case "ntfy":
		j.ntfy(a)
		return true
	}
	for _, r := range replies {
		for _, name := range r.names {
			if ok, _ := path.Match(name, a.name); ok {
				j.note(r.level, a.at, "action %s: %s", a.name, r.text)
				return true
			}
		}
	}
	if a.definition == nil || len(a.doc.Files()) == 0 {
		return false
	}
	if strings.Contains(strings.ToLower(a.name), "opnsense") {
		j.unused = append(j.unused, wrong(a.at, "action %s: runs commands, and edgeban runs none; write opnsense[firewall=..., key=..., secret=..., alias=...] in its place", a.name))
	} else {
		j.note(Warning, a.at, "action %s: runs commands, and edgeban runs none, so that it is not told of the bans", a.name)
	}
	return true
}
