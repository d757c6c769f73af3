package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/edgeban/edgeban"
)

func readNotifiers(dst *[]Notifier, v value) {
	kinds := []edgeban.NoticeKind{edgeban.NoticeBan, edgeban.NoticeUnban, edgeban.NoticeInside, edgeban.NoticeTrouble}
	names := map[string]bool{}
	for _, item := range v.items() {
		var n Notifier
		on := kinds
		item.mapping([]field{
			{"name", into(&n.Name, as(name)), ""},
			{"on", each(&on, value.some, oneOf(kinds...)), ""},
			{"ntfy", func(v value) { n.Ntfy = readNtfy(v) }, ""},
		})
		for _, k := range on {
			if !slices.Contains(n.On, string(k)) {
				n.On = append(n.On, string(k))
			}
		}
		item.named(&n.Name, names, "ntfy")
		*dst = append(*dst, n)
	}
}

func readNtfy(v value) *Ntfy {
	n := &Ntfy{URL: "https://ntfy.sh"}
	v.mapping([]field{
		{"url", into(&n.URL, as(server)), ""},
		{"topic", into(&n.Topic, as(topic)), "topic: and the name that your phone subscribes to"},
		{"token", into(&n.Token, value.secret), ""},
		{"user", into(&n.User, value.text), ""},
		{"password", into(&n.Password, value.secret), ""},
		{"priority", into(&n.Priority, as(priority)), ""},
		{"click", into(&n.Click, as(click)), ""},
	})
	if v.node.Kind != yaml.MappingNode {
		return n
	}
	_, token := v.get("token")
	_, user := v.get("user")
	_, password := v.get("password")
	switch {
	case token && (user || password):
		v.wrong("has a token: and a user: or password: as well; keep the token")
	case user && !password:
		v.wrong("has a user: without a password:; write both, or token: file:PATH")
	case password && !user:
		v.wrong("has a password: without a user:; write both, or token: file:PATH")
	}
	return n
}

var topicRule = regexp.MustCompile(`^[-_A-Za-z0-9]{1,64}$`)

// topic reads the name of an ntfy topic. The server keeps some for itself.
func topic(s string) (string, error) {
	switch s {
	case "docs", "static", "file", "app", "metrics", "account", "settings", "signup", "login", "v1":
		return "", fmt.Errorf("%s is a page of the ntfy server; choose another name", quote(s))
	}
	if !topicRule.MatchString(s) {
		return "", fmt.Errorf("%s cannot be a topic; ntfy takes up to 64 letters, digits, _ and -", quote(s))
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
	return 0, fmt.Errorf("%s is not a priority; write 1 to 5, or %s", quote(s), strings.Join(names, ", "))
}

// click reads the URL that a tap on the message opens.
func click(s string) (string, error) {
	_, err := parseURL(strings.ReplaceAll(s, "{ip}", "192.0.2.1"))
	return s, err
}
