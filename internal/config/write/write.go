// Package write prints a Config as the file that package config reads it from.
//
// It touches no file and knows no secret but by its Options: what stands for one
// in the file is the caller's to say.
package write

import (
	"io"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
)

// Options say what a Config does not.
type Options struct {
	// Comment returns the lines that stand above a key: "" is the head of the
	// file, others are such as notify.0.ntfy, jails.sshd, jails.sshd.failregex.3.
	// Nil for none.
	Comment func(path string) []string

	// Secret returns the text that stands for a secret: file:PATH, env:NAME or,
	// as Reveal does, the secret itself. Nil writes a placeholder.
	Secret func(path string, s config.Secret) string
}

// Reveal is the Options.Secret that writes secrets out.
func Reveal(_ string, s config.Secret) string { return s.Reveal() }

// YAML writes c. What config.Parse makes of it is c again, but for Path and for
// what stands for secrets. Settings that are the default are left out. The error
// is w's, or names the setting that no file can hold, such as one of two lines.
func YAML(w io.Writer, c config.Config, o Options) error {
	p := &printer{options: o}
	root := block{p: p}
	root.comments()
	if p.out.Len() > 0 {
		p.out.WriteByte('\n')
	}
	writeConfig(root, c)
	if p.out.Len() == 0 {
		p.out.WriteString("{}\n")
	}
	if p.err != nil {
		return p.err
	}
	_, err := p.out.WriteTo(w)
	return err
}

func writeConfig(root block, c config.Config) {
	usual := config.Default()
	root.text("state", c.State)
	if c.State == "" || c.Socket != filepath.Join(c.State, config.SocketName) {
		root.text("socket", c.Socket)
	}
	root.text("listen", c.Listen)
	if !reflect.DeepEqual(c.Targets, usual.Targets) {
		writeTargets(root, c.Targets)
	}
	if len(c.Zones) > 0 {
		zones := root.section("zones")
		for _, z := range c.Zones {
			writeZone(zones.under(z.Name), z)
		}
	}
	if len(c.Notify) > 0 {
		list := root.section("notify")
		for i, n := range c.Notify {
			writeNotifier(list.item(i), n)
		}
	}
	writeSources(root, c.Sources)
	root.words("never", c.Never)
	if c.Budget != usual.Budget {
		b := root.section("budget")
		b.number("per_minute", c.Budget.PerMinute, usual.Budget.PerMinute)
		b.number("entries", c.Budget.Entries, usual.Budget.Entries)
		b.number("ipv4", c.Budget.IPv4, usual.Budget.IPv4)
		b.number("ipv6", c.Budget.IPv6, usual.Budget.IPv6)
	}
	root.duration("forget", c.Forget, usual.Forget)
	root.duration("leak_grace", c.Grace, usual.Grace)
	root.text("fail2ban", c.Fail2ban)
	switch {
	case len(c.Jails) > 0:
		jails := root.section("jails")
		for _, j := range c.Jails {
			writeJail(jails, j, c.Budget)
		}
	case c.Jails != nil && c.Fail2ban == "":
		root.raw("jails", "{}")
	}
}

func writeZone(b block, z config.Zone) {
	b.networks("networks", z.Networks)
	b.list("targets", z.Targets)
	b.list("escalate", z.Escalate)
	b.unless("policy", string(z.Policy), "")
	b.text("look", z.Look)
}

func writeTargets(root block, targets []config.Target) {
	if len(targets) == 0 {
		root.raw("targets", "[]")
		return
	}
	list := root.section("targets")
	for i, t := range targets {
		item := list.item(i)
		switch {
		case t.OPNsense != nil:
			item.unless("name", t.Name, "opnsense")
			writeOPNsense(item.under("opnsense"), *t.OPNsense)
		case t.Feed != nil:
			item.unless("name", t.Name, "feed")
			writeFeed(item.under("feed"), *t.Feed)
		case t.Traefik != nil:
			item.unless("name", t.Name, "traefik")
			writeTraefik(item.under("traefik"), *t.Traefik)
		case t.Dovecot != nil:
			item.unless("name", t.Name, "dovecot")
			writeDovecot(item.under("dovecot"), *t.Dovecot)
		case t.Postfix != nil:
			item.unless("name", t.Name, "postfix")
			p := item.under("postfix")
			p.text("listen", t.Postfix.Listen)
			p.networks("allow", t.Postfix.Allow)
		}
	}
}

func writeOPNsense(b block, o config.OPNsense) {
	b.text("url", o.URL)
	b.text("pin", o.Pin)
	b.text("ca", o.CA)
	b.truth("allow_insecure", o.Insecure)
	b.secret("key", o.Key)
	b.secret("secret", o.Secret)
	b.text("alias", o.Alias)
	b.truth("exclusive", o.Exclusive)
	if o.States {
		b.text("states", "kill")
	}
	b.duration("timeout", o.Timeout, config.DefaultTimeout)
}

func writeFeed(b block, f config.Feed) {
	b.text("listen", f.Listen)
	b.secret("token", f.Token)
	b.networks("allow", f.Allow)
}

func writeTraefik(b block, t config.Traefik) {
	b.text("file", t.File)
	b.text("listen", t.Listen)
	b.secret("token", t.Token)
	b.networks("allow", t.Allow)
	b.text("cert", t.Cert)
	b.text("key", t.Key)
	b.words("tcp", t.TCP)
	b.words("tls", t.TLS)
	b.words("http", t.HTTP)
	b.words("https", t.HTTPS)
	b.text("api", t.API)
	b.text("api_user", t.User)
	b.secret("api_password", t.Password)
}

func writeDovecot(b block, d config.Dovecot) {
	b.text("listen", d.Listen)
	b.secret("token", d.Token)
	b.networks("allow", d.Allow)
	b.duration("tarpit", d.Tarpit, 0)
	b.text("doveadm", d.Doveadm)
	b.secret("doveadm_key", d.DoveadmKey)
}

func writeNotifier(b block, n config.Notifier) {
	b.unless("name", n.Name, "ntfy")
	if y := n.Ntfy; y != nil {
		n := b.under("ntfy")
		n.unless("url", y.URL, config.DefaultNtfy)
		n.text("topic", y.Topic)
		n.secret("token", y.Token)
		n.text("user", y.User)
		n.secret("password", y.Password)
		n.number("priority", y.Priority, 0)
		n.text("click", y.Click)
	}
	all := []string{string(edgeban.NoticeBan), string(edgeban.NoticeUnban), string(edgeban.NoticeInside), string(edgeban.NoticeLeak), string(edgeban.NoticeTrouble)}
	if !slices.Equal(n.On, all) {
		b.list("on", n.On)
	}
	b.list("jails", n.Jails)
}

func writeJail(jails block, j config.Jail, budget config.Budget) {
	b, usual := jails.under(j.Name), config.NewJail(j.Filter)
	usual.IPv6Prefix = max(usual.IPv6Prefix, budget.IPv6)
	if j.Rules == nil {
		b.unless("filter", j.Filter, j.Name)
	}
	b.list("logpath", j.LogPath)
	b.list("source", j.Source)
	b.number("maxretry", j.MaxRetry, usual.MaxRetry)
	b.duration("findtime", j.FindTime, usual.FindTime)
	b.duration("bantime", j.BanTime, usual.BanTime)
	writeIncrement(b, j, usual.Increment)
	b.unless("count", string(j.Count), string(usual.Count))
	b.words("ignoreip", j.IgnoreIP)
	if j.LogTimezone != nil {
		b.zone("logtimezone", j.LogTimezone)
	}
	b.number("ipv6", j.IPv6Prefix, usual.IPv6Prefix)
	b.truth("reset_on_success", j.ResetOnSuccess)
	b.duration("known_good", j.KnownGood, 0)
	b.list("targets", j.Targets)
	if j.Rules != nil {
		writeRules(b, *j.Rules)
	}
}

// writeIncrement writes a growing bantime below increment:, or in fail2ban's
// spelling one that is off and has settings all the same.
func writeIncrement(b block, j config.Jail, usual config.Increment) {
	i := j.Increment
	usual.MaxTime = max(usual.MaxTime, j.BanTime) // as the reader has it
	same := i
	same.Enabled = true
	plain := reflect.DeepEqual(same, usual)
	prefix := ""
	switch {
	case plain && i.Enabled:
		return
	case plain:
		b.raw("increment", "no")
		return
	case i.Enabled:
		b = b.under("increment")
	default:
		prefix = "bantime."
		b.raw("bantime.increment", "no")
	}
	if i.Factor != usual.Factor {
		b.raw(prefix+"factor", strconv.FormatFloat(i.Factor, 'g', -1, 64))
	}
	b.text(prefix+"formula", i.Formula)
	var multipliers []string
	for _, m := range i.Multipliers {
		multipliers = append(multipliers, strconv.Itoa(m))
	}
	if len(multipliers) > 0 {
		b.raw(prefix+"multipliers", flow(multipliers, "!!int"))
	}
	if i.MaxTime == 0 {
		b.raw(prefix+"maxtime", "-1")
	} else {
		b.duration(prefix+"maxtime", i.MaxTime, usual.MaxTime)
	}
	b.duration(prefix+"rndtime", i.RandomTime, usual.RandomTime)
	if i.OverallJails {
		b.truth(prefix+"overalljails", true)
	}
}

func writeRules(b block, r config.Rules) {
	usual := config.NewRules()
	b.number("maxlines", r.MaxLines, usual.MaxLines)
	b.unless("usedns", string(r.UseDNS), string(usual.UseDNS))
	b.unless("logencoding", r.LogEncoding, usual.LogEncoding)
	b.patterns("journalmatch", r.JournalMatch)
	b.patterns("datepattern", r.DatePattern)
	b.pattern("prefregex", r.PrefRegex)
	b.patterns("failregex", r.FailRegex)
	b.patterns("ignoreregex", r.IgnoreRegex)
}
