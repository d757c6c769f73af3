package config

import (
	"reflect"
	"strings"
	"testing"
)

// What differs from site to site may be in the environment, so that one .env of a
// compose project holds all of it.
func TestASiteMayBeInTheEnvironment(t *testing.T) {
	vars := map[string]string{
		"URL": "https://192.168.1.1", "PIN": "sha256:" + strings.Repeat("ab", 32), "ALIAS": "bans",
		"NTFY": "http://ntfy", "TOPIC": "alerts", "NEVER": "192.168.1.0/24 home.example.org",
	}
	env := room()
	env.LookupEnv = func(name string) (string, bool) { text, ok := vars[name]; return text, ok }
	text := []byte(`targets:
  - opnsense: {url: env:URL, pin: env:PIN, key: k, secret: s, alias: env:ALIAS}
notify:
  - ntfy: {url: env:NTFY, topic: env:TOPIC}
never: env:NEVER
jails:
  sshd: {logpath: /a}
`)
	c, err := Parse("/etc/edgeban/edgeban.yaml", text, env)
	if err != nil {
		t.Fatal(err)
	}
	o, n := c.Targets[0].OPNsense, c.Notify[0].Ntfy
	got := []string{o.URL, o.Pin, o.Alias, n.URL, n.Topic, strings.Join(c.Never, " ")}
	want := []string{vars["URL"], vars["PIN"], vars["ALIAS"], vars["NTFY"], vars["TOPIC"], vars["NEVER"]}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}

	delete(vars, "ALIAS")
	vars["TOPIC"] = "a topic"
	_, err = Parse("/etc/edgeban/edgeban.yaml", text, env)
	for _, want := range []string{
		`edgeban.yaml:2:70: targets[0].opnsense.alias: the environment has no "ALIAS"; set it, or write the value itself`,
		`edgeban.yaml:4:34: notify[0].ntfy.topic: "a topic" cannot be a topic`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
