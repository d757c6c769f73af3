package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config/node"
)

func readNotifiers(dst *[]Notifier, v node.Value) {
	kinds := []edgeban.NoticeKind{edgeban.NoticeBan, edgeban.NoticeUnban, edgeban.NoticeInside, edgeban.NoticeLeak, edgeban.NoticeTrouble}
	names := map[string]bool{}
	for _, item := range v.Items() {
		var n Notifier
		on := kinds
		item.Mapping([]node.Field{
			node.Key("name", node.Into(&n.Name, node.As(node.Name))),
			node.Key("on", node.Each(&on, node.Value.Some, node.OneOf(kinds...))),
			node.Key("jails", node.Each(&n.Jails, node.Value.Some, node.As(node.Name))),
			node.Key("ntfy", func(v node.Value) { n.Ntfy = readNtfy(v) }),
		})
		for _, k := range on {
			if !slices.Contains(n.On, string(k)) {
				n.On = append(n.On, string(k))
			}
		}
		named(item, &n.Name, names, "ntfy")
		*dst = append(*dst, n)
	}
}

// checkJails refuses a notifier's jail that the file does not know.
func checkJails(notifiers node.Value, known []string) {
	for _, n := range notifiers.Items() {
		jails, ok := n.Get("jails")
		if !ok {
			continue
		}
		for _, j := range jails.Items() {
			s, ok := node.As(node.Name)(j)
			if ok && !slices.Contains(known, s) {
				j.Wrong("no jail is called %s; %s", node.Quote(s), node.Meant(s, known))
			}
		}
	}
}

func readNtfy(v node.Value) *Ntfy {
	n := &Ntfy{URL: DefaultNtfy}
	v.Mapping([]node.Field{
		node.Key("url", node.FromEnv(node.Into(&n.URL, node.As(ServerURL)))),
		node.Need("topic", node.FromEnv(node.Into(&n.Topic, node.As(Topic))), "topic: and the name that your phone subscribes to"),
		node.Key("token", node.Into(&n.Token, secret)),
		node.Key("user", node.Into(&n.User, node.Value.Text)),
		node.Key("password", node.Into(&n.Password, secret)),
		node.Key("priority", node.Into(&n.Priority, node.As(priority))),
		node.Key("click", node.Into(&n.Click, node.As(click))),
	})
	if !v.IsMapping() {
		return n
	}
	_, token := v.Get("token")
	_, user := v.Get("user")
	_, password := v.Get("password")
	switch {
	case token && (user || password):
		v.Wrong("has a token: and a user: or password: as well; keep the token")
	case user && !password:
		v.Wrong("has a user: without a password:; write both, or token: file:PATH")
	case password && !user:
		v.Wrong("has a password: without a user:; write both, or token: file:PATH")
	}
	return n
}

var topicRule = regexp.MustCompile(`^[-_A-Za-z0-9]{1,64}$`)

// Topic reads the name of an ntfy topic. The server keeps some for itself.
func Topic(s string) (string, error) {
	switch s {
	case "docs", "static", "file", "app", "metrics", "account", "settings", "signup", "login", "v1":
		return "", fmt.Errorf("%s is a page of the ntfy server; choose another name", node.Quote(s))
	}
	if !topicRule.MatchString(s) {
		return "", fmt.Errorf("%s cannot be a topic; ntfy takes up to 64 letters, digits, _ and -", node.Quote(s))
	}
	return s, nil
}

// priority reads an ntfy priority, by its number or its name.
func priority(s string) (int, error) {
	names := []string{"min", "low", "default", "high", "max", "urgent"}
	if n, err := strconv.Atoi(s); err == nil && n >= 1 && n <= 5 {
		return n, nil
	}
	if i := slices.Index(names, s); i >= 0 {
		return min(i+1, 5), nil
	}
	return 0, fmt.Errorf("%s is not a priority; write 1 to 5, or %s", node.Quote(s), strings.Join(names, ", "))
}

// click reads the URL that a tap on the message opens.
func click(s string) (string, error) {
	_, err := parseURL(strings.ReplaceAll(s, "{ip}", "192.0.2.1"))
	return s, err
}
