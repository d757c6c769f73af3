package provision

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/edgeban/edgeban/internal/enforce/opnsense"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/api"
)

// alias plans the alias that the daemon keeps.
func (p *Plan) alias(ctx context.Context) error {
	name := p.w.Alias
	item, err := p.api.Item(ctx, name)
	if err != nil {
		return err
	}
	if item == nil {
		p.step(fmt.Sprintf("make alias %s, type External (advanced), with counters", name), func(ctx context.Context) error {
			return p.create(ctx, name, map[string]string{
				"enabled": "1", "name": name, "type": opnsense.External, "counters": "1",
				"description": "addresses banned by edgeban",
			})
		})
		return nil
	}
	set := map[string]string{}
	switch {
	case item.Type == opnsense.External:
	case (item.Type == opnsense.Host || item.Type == opnsense.Network) && p.w.TakeOver:
		p.step(fmt.Sprintf("make alias %s, now of type %s, External (advanced); its entries stay until they are removed or the firewall reboots", name, item.TypeName),
			func(ctx context.Context) error { return p.takeOver(ctx, item) })
	case item.Type == opnsense.Host || item.Type == opnsense.Network:
		p.note("alias %s is of type %s and stays so: each ban then rewrites the firewall's configuration; --take-over makes it External (advanced), with its entries and rules", name, item.TypeName)
	default:
		return fmt.Errorf("the firewall has an alias %s of type %s already, which cannot hold bans; write --alias and another name", name, p.api.Clean(item.TypeName))
	}
	if !item.Enabled {
		set["enabled"] = "1"
		p.change(item, "enable alias "+name, set)
		set = map[string]string{}
	}
	if !item.Counters {
		set["counters"] = "1"
		p.change(item, "let alias "+name+" count packets", set)
	}
	if len(p.Steps) == 0 && !slices.Contains(p.tables, name) {
		p.step("alias "+name+" was saved and never applied", nothing)
	}
	return nil
}

func (p *Plan) change(item *api.Item, does string, set map[string]string) {
	p.step(does, func(ctx context.Context) error {
		return p.save(ctx, "firewall/alias/set_item/"+item.UUID, "alias", set)
	})
}

// create makes an alias. That there is one of its name afterwards is what counts: the
// answer to a call that was sent twice is that there is one already.
func (p *Plan) create(ctx context.Context, name string, fields map[string]string) error {
	err := p.save(ctx, "firewall/alias/add_item", "alias", fields)
	if err == nil {
		return nil
	}
	if made, e := p.api.Item(ctx, name); e == nil && made != nil && made.Type == fields["type"] {
		return nil
	}
	return err
}

// takeOver makes an alias an external one, in place: its rules know it by its name.
// Tables of pf keep what they hold when their alias becomes external; what is lost
// all the same is added again.
func (p *Plan) takeOver(ctx context.Context, item *api.Item) error {
	before, err := p.list(ctx, item.Name)
	if err != nil {
		return err
	}
	set := map[string]string{"type": opnsense.External, "content": "", "counters": "1"}
	if err := p.save(ctx, "firewall/alias/set_item/"+item.UUID, "alias", set); err != nil {
		return err
	}
	if err := p.apply(ctx); err != nil {
		return err
	}
	after, err := p.list(ctx, item.Name)
	if err != nil {
		return err
	}
	for _, entry := range before {
		if slices.Contains(after, entry) || strings.HasPrefix(entry, "!") {
			continue
		}
		var answer struct{ Status string }
		if err := p.api.Post(ctx, "firewall/alias_util/add/"+item.Name, map[string]string{"address": entry}, &answer); err != nil {
			return err
		}
		if answer.Status != "done" {
			return fmt.Errorf("entry %s: %s", p.api.Clean(entry), p.api.Clean(answer.Status))
		}
	}
	return nil
}

// list returns what pf holds for an alias, as pf spells it.
func (p *Plan) list(ctx context.Context, alias string) (entries []string, err error) {
	var answer struct{ Rows []struct{ IP string } }
	err = p.api.Post(ctx, "firewall/alias_util/list/"+alias, map[string]int{"current": 1, "rowCount": -1}, &answer)
	for _, row := range answer.Rows {
		entries = append(entries, row.IP)
	}
	return entries, err
}

// feedAlias is the name of the alias that pulls the list.
func (w Wish) feedAlias() string { return w.Alias + "_feed" }

// minute is how often a list is fetched, in days: the firewall looks once a minute.
const minute = "0.0007"

// feed plans the alias that pulls a list.
func (p *Plan) feed(ctx context.Context) error {
	if p.w.Feed == nil {
		return nil
	}
	name := p.w.feedAlias()
	if len(name) > 31 {
		return fmt.Errorf("the list's alias would be called %s, which is longer than 31; write --alias and a shorter name", name)
	}
	want, err := p.feedFields()
	if err != nil {
		return err
	}
	item, err := p.api.Item(ctx, name)
	switch {
	case err != nil:
		return err
	case item == nil:
		p.step(fmt.Sprintf("make alias %s, type URL Table (IPs), which fetches %s every minute", name, p.w.Feed.URL), func(ctx context.Context) error {
			return p.create(ctx, name, want)
		})
	case item.Type != want["type"]:
		return fmt.Errorf("the firewall has an alias %s of type %s already; rename it, or write --alias and another name", name, p.api.Clean(item.TypeName))
	case !item.Enabled || !item.Counters || item.UpdateFreq != minute || strings.TrimSpace(item.Content) != want["content"] || item.Password != want["password"]:
		p.change(item, fmt.Sprintf("let alias %s fetch %s every minute", name, p.w.Feed.URL), want)
	}
	if strings.HasPrefix(p.w.Feed.URL, "https:") {
		p.note("the firewall does not verify the certificate of %s unless told to: Firewall > Settings > Advanced: Verify HTTPS certificates when downloading alias URLs", p.w.Feed.URL)
	} else {
		p.note("%s is fetched in clear: whoever stands in between can change what is blocked", p.w.Feed.URL)
	}
	return nil
}

// feedFields are those of the list's alias. Before 25.7 a token could only stand in
// the URL.
func (p *Plan) feedFields() (map[string]string, error) {
	f := map[string]string{
		"enabled": "1", "name": p.w.feedAlias(), "type": "urltable", "counters": "1", "updatefreq": minute,
		"content": p.w.Feed.URL, "description": "addresses banned by edgeban, as a list",
	}
	if p.w.Feed.Token.Empty() {
		return f, nil
	}
	if !p.Version.Before(25, 7) {
		f["authtype"], f["password"] = "Bearer", p.w.Feed.Token.Reveal()
		return f, nil
	}
	u, err := url.Parse(p.w.Feed.URL)
	if err != nil {
		return nil, errors.New("the list has no URL")
	}
	q := u.Query()
	q.Set("token", p.w.Feed.Token.Reveal())
	u.RawQuery = q.Encode()
	f["content"] = u.String()
	return f, nil
}
