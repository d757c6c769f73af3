// Package provision makes what an OPNsense firewall needs to hold bans: an alias, and
// rules that block what is in it. It looks first and says what it would do; only Run
// changes anything, and what is as it should be is left alone. It needs a key that may
// do more than that of the daemon, which never gets to see it.
package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/api"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/rules"
)

// A Wish is what the firewall is to have.
type Wish struct {
	Alias      string
	Interfaces []string // keys such as wan, where banned addresses are blocked; empty for all
	Out        bool     // own hosts may not talk to banned addresses either
	Feed       *Feed    // nil for no list
	TakeOver   bool     // an alias of type Host(s) or Network(s) becomes an External one
	Apply      bool     // put it all in force even if nothing is to be changed
}

// A Feed is a list that the firewall pulls, into an alias of its own.
type Feed struct {
	URL   string // where the firewall reaches it
	Token config.Secret
}

// A Plan is what is to be done.
type Plan struct {
	Version api.Version
	Steps   []Step
	Notes   []string // what a person may want to know, a sentence each

	api    *api.Client
	w      Wish
	rules  []rules.Rule
	tables []string
	ifaces []string // where is blocked
	all    []string // every interface of the firewall
}

// A Step is one change.
type Step struct {
	Does string // what it does, for people
	do   func(ctx context.Context) error
}

// New looks at the firewall and returns what is to be done to make w true.
func New(ctx context.Context, client *api.Client, w Wish) (*Plan, error) {
	p := &Plan{api: client, w: w}
	for _, look := range []func(context.Context) error{p.look, p.interfaces, p.alias, p.feed, p.block} {
		if err := look(ctx); err != nil {
			return nil, err
		}
	}
	if len(p.Steps) > 0 || w.Apply {
		p.step("put aliases and rules in force (Apply; with whatever others have saved and not applied)", p.apply)
	}
	return p, nil
}

// Run does it all, and tells before each step.
func (p *Plan) Run(ctx context.Context, told func(Step)) error {
	for _, s := range p.Steps {
		told(s)
		if err := s.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.Does, err)
		}
	}
	return nil
}

func (p *Plan) step(does string, do func(context.Context) error) {
	p.Steps = append(p.Steps, Step{does, do})
}

func (p *Plan) note(format string, args ...any) {
	p.Notes = append(p.Notes, fmt.Sprintf(format, args...))
}

// once is note, but for what was said already.
func (p *Plan) once(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(p.Notes, text) {
		p.Notes = append(p.Notes, text)
	}
}

// look finds out what the key may do, which version this is, and what is there.
func (p *Plan) look(ctx context.Context) (err error) {
	// Asked without a body this changes nothing, and tells whether the key may.
	var answer any
	err = p.api.Get(ctx, "firewall/alias/reconfigure", &answer)
	missing := []string{}
	lacks := func(err error, name string) error {
		if api.Denied(err) {
			missing = append(missing, name)
			return nil
		}
		return err
	}
	if err = lacks(err, "Firewall: Alias: Edit"); err != nil {
		return err
	}
	p.rules, err = p.api.Rules(ctx)
	if err = lacks(err, "Firewall: Rules [new] (before 26.1: Firewall: Automation: Filter)"); err != nil {
		return err
	}
	err = p.api.Get(ctx, "firewall/alias_util/aliases", &p.tables)
	if err = lacks(err, "Diagnostics: PF Table IP addresses"); err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf("the key may not do what setup needs; System > Access > Users: give its user the privileges %s", strings.Join(missing, ", "))
	}
	p.Version, err = p.api.Version(ctx)
	if err == nil && p.Version.Before(25, 1) {
		return fmt.Errorf("this is OPNsense %s, and setup knows 25.1 and later; update it, or set the alias and the rule up by hand (README.md)", p.Version)
	}
	return err
}

// interfaces finds where is to be blocked, and knows every interface of the firewall.
func (p *Plan) interfaces(ctx context.Context) error {
	var answer map[string]struct {
		Items []struct{ Value, Label, Type string }
	}
	if err := p.api.Get(ctx, "firewall/filter/get_interface_list", &answer); err != nil {
		return err
	}
	known := []string{}
	for _, item := range answer["interfaces"].Items {
		p.all = append(p.all, item.Value)
		known = append(known, fmt.Sprintf("%s (%s)", item.Value, p.api.Clean(item.Label)))
	}
	slices.Sort(p.all)
	slices.Sort(known)
	for _, name := range p.w.Interfaces {
		if !slices.Contains(p.all, name) {
			return fmt.Errorf("the firewall has no interface %q; write --interfaces with some of %s, or all", p.api.Clean(name), strings.Join(known, ", "))
		}
	}
	p.ifaces = p.w.Interfaces
	if len(p.ifaces) == 0 {
		p.ifaces = p.all
	}
	return nil
}

// apply puts what is saved in force: aliases first, for rules refer to them.
func (p *Plan) apply(ctx context.Context) error {
	for _, action := range []string{"firewall/alias/reconfigure", "firewall/filter/apply"} {
		var answer struct{ Status string }
		if err := p.api.Post(ctx, action, struct{}{}, &answer); err != nil {
			return err
		}
		if !strings.EqualFold(strings.TrimSpace(answer.Status), "ok") {
			return fmt.Errorf("%s was answered with %q", action, p.api.Clean(answer.Status))
		}
	}
	return nil
}

// save sets the fields of a thing.
func (p *Plan) save(ctx context.Context, action, kind string, fields map[string]string) error {
	var answer struct {
		Result      string
		Validations map[string]any
	}
	if err := p.api.Post(ctx, action, map[string]any{kind: fields}, &answer); err != nil {
		return err
	}
	if answer.Result == "saved" {
		return nil
	}
	var why []string
	for field, says := range answer.Validations {
		why = append(why, p.api.Clean(fmt.Sprintf("%s: %v", field, says)))
	}
	slices.Sort(why)
	if len(why) == 0 {
		why = []string{"it gives no reason"}
	}
	return errors.New("the firewall refuses it: " + strings.Join(why, "; "))
}
