// Package prepare is the dialogue that sets a firewall up: it shows what it would do,
// asks, does it, looks again, and says what is left for people to do.
package prepare

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/edgeban/edgeban/internal/cli/term"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/api"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/provision"
)

// A Firewall is what is to be prepared, and how.
type Firewall struct {
	URL, Pin, CA    string
	KeyFile         string // - for standard input; empty to ask on a terminal
	Alias           string
	Interfaces      string // as written: all, or names with commas between them
	Out             bool
	Feed, FeedToken string // a URL, and the file of its token
	TakeOver, Apply bool
	Yes             bool            // nobody is asked
	Known           []config.Target // what the configuration says: it is asked where nothing was said

	Stdin          io.Reader
	Stdout, Stderr io.Writer

	lines *bufio.Reader // of Stdin
}

// Default is what the alias is called unless somebody says otherwise.
const Default = "edgeban"

// Run does it all, and reports whether the firewall is as it should be.
func (f *Firewall) Run(ctx context.Context) (done bool, err error) {
	f.lines = bufio.NewReader(f.Stdin)
	o, err := f.target()
	if err != nil {
		return false, err
	}
	w, err := f.wish(o)
	if err != nil {
		return false, err
	}
	if o.Key, o.Secret, err = f.key(ctx); err != nil {
		return false, err
	}
	client, plan, err := f.meet(ctx, &o, w)
	if err != nil {
		return false, err
	}
	f.preview(o, plan)
	if len(plan.Steps) > 0 {
		if ok, err := f.agreed(ctx); !ok || err != nil {
			return false, err
		}
		if err := plan.Run(ctx, func(s provision.Step) { f.say("doing: %s", s.Does) }); err != nil {
			return false, fmt.Errorf("%w; mend that and run the same again: what is done stays done (with --apply, in case it was saved and not applied)", err)
		}
		w.Apply = false
		if plan, err = provision.New(ctx, client, w); err != nil {
			return false, err
		}
		if len(plan.Steps) > 0 {
			return false, fmt.Errorf("the firewall took all of it, and still lacks this: %s; see System > Log Files > Backend there", plan.Steps[0].Does)
		}
		f.say("done, and looked at again: nothing is left to do there")
	}
	f.rest(o, w)
	return true, nil
}

func (f *Firewall) say(format string, args ...any) {
	fmt.Fprintln(f.Stdout, term.Clean(fmt.Sprintf(format, args...), 4096))
}

// target is the firewall: what was said, or else what the configuration has.
func (f *Firewall) target() (o config.OPNsense, err error) {
	var known []config.OPNsense
	for _, t := range f.Known {
		if t.OPNsense != nil && (f.URL == "" || strings.TrimSuffix(t.OPNsense.URL, "/") == strings.TrimSuffix(f.URL, "/")) {
			known = append(known, *t.OPNsense)
		}
	}
	switch {
	case f.URL == "" && len(known) != 1:
		return o, fmt.Errorf("which firewall? write edgeban setup opnsense https://192.168.1.1 (the configuration names %d)", len(known))
	case len(known) == 1:
		o = known[0]
	default:
		o = config.OPNsense{Timeout: config.DefaultTimeout}
		if o.URL, err = config.FirewallURL(f.URL); err != nil {
			return o, err
		}
	}
	if f.Pin != "" {
		if o.Pin, err = config.Pin(f.Pin); err != nil {
			return o, err
		}
		o.CA = ""
	}
	if f.CA != "" {
		o.CA, o.Pin = f.CA, ""
	}
	o.Insecure = false // this key is too good for whoever answers
	if f.Alias != "" {
		o.Alias = f.Alias
	}
	if o.Alias == "" {
		o.Alias = Default
	}
	_, err = config.AliasName(o.Alias)
	return o, err
}

func (f *Firewall) wish(o config.OPNsense) (w provision.Wish, err error) {
	w = provision.Wish{Alias: o.Alias, Out: f.Out, TakeOver: f.TakeOver, Apply: f.Apply}
	if f.Interfaces != "all" {
		for name := range strings.SplitSeq(f.Interfaces, ",") {
			if name = strings.TrimSpace(name); name != "" && !slices.Contains(w.Interfaces, name) {
				w.Interfaces = append(w.Interfaces, name)
			}
		}
		if len(w.Interfaces) == 0 {
			return w, errors.New("--interfaces names none; write wan, or all")
		}
	}
	if f.Feed == "" {
		return w, nil
	}
	u, err := url.Parse(f.Feed)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Scheme != "http" && u.Scheme != "https" {
		return w, errors.New("--feed is no URL; write http://THIS-HOST:9098/bans.txt, as the firewall reaches it")
	}
	w.Feed = &provision.Feed{URL: f.Feed}
	if f.FeedToken != "" {
		if w.Feed.Token, err = readToken(f.FeedToken); err != nil {
			return w, err
		}
	}
	return w, nil
}

// meet makes the plan. Where nobody vouches for the firewall's certificate, a person
// is asked for; until then the key goes to nobody.
func (f *Firewall) meet(ctx context.Context, o *config.OPNsense, w provision.Wish) (*api.Client, *provision.Plan, error) {
	for {
		client, err := api.Dial(*o)
		if err != nil {
			return nil, nil, err
		}
		plan, err := provision.New(ctx, client, w)
		pin, stranger := api.Stranger(err)
		if !stranger {
			return client, plan, err
		}
		if !f.talks() {
			return nil, nil, fmt.Errorf("nobody vouches for the certificate of %s; if it is your firewall's (System > Trust > Certificates, or your browser at its GUI, shows its SHA-256 fingerprint), write --pin %s", o.URL, pin)
		}
		f.say("nobody vouches for the certificate of %s. Its SHA-256 fingerprint is", o.URL)
		f.say("  %s", pin)
		if yes, err := f.ask(ctx, "Is it the one that the firewall shows (System > Trust > Certificates, or your browser at its GUI)?"); err != nil || !yes {
			return nil, nil, errors.Join(err, errors.New("then somebody stands in between; nothing was sent"))
		}
		o.Pin = pin
	}
}

// preview shows what is to be done.
func (f *Firewall) preview(o config.OPNsense, p *provision.Plan) {
	f.say("firewall %s, OPNsense %s, alias %s", o.URL, p.Version, o.Alias)
	if len(p.Steps) == 0 {
		f.say("nothing is to be done there: alias and rules are as they should be")
	} else {
		f.say("to do there:")
	}
	for i, s := range p.Steps {
		f.say("  %d. %s", i+1, s.Does)
	}
	for _, n := range p.Notes {
		f.say("note: %s", n)
	}
}

// agreed asks for leave to change the firewall.
func (f *Firewall) agreed(ctx context.Context) (bool, error) {
	if f.Yes {
		return true, nil
	}
	if !f.talks() {
		f.say("nothing was changed; the same with --yes does it")
		return false, nil
	}
	yes, err := f.ask(ctx, "Do it?")
	if err == nil && !yes {
		f.say("nothing was changed")
	}
	return yes, err
}

// host names this host's address as the firewall sees it, as far as that can be known:
// something in between may change it, and a container's own never gets there.
func host(firewall string) string {
	const unknown = "the address that the firewall sees of this host"
	for _, mark := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := os.Stat(mark); err == nil {
			return unknown
		}
	}
	u, err := url.Parse(firewall)
	if err != nil {
		return unknown
	}
	c, err := net.Dial("udp", net.JoinHostPort(u.Hostname(), "443")) // sends nothing
	if err != nil {
		return unknown
	}
	defer c.Close()
	addr, _, _ := net.SplitHostPort(c.LocalAddr().String())
	return addr + ", or what the firewall sees of this host"
}
