package config

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// places is every place of a secret: a file with a hole, and what must be said
// of it so that it is right.
var places = map[string]string{
	"apikey":   "targets:\n  - opnsense:\n      url: https://fw\n      alias: bans\n      apikey: HOLE\n",
	"key":      "targets:\n  - opnsense:\n      url: https://fw\n      alias: bans\n      secret: b\n      key: HOLE\n",
	"secret":   "targets:\n  - opnsense:\n      url: https://fw\n      alias: bans\n      key: a\n      secret: HOLE\n",
	"token":    "targets:\n  - feed:\n      listen: :9098\n      token: HOLE\n",
	"ntfy":     "notify:\n  - ntfy:\n      topic: a\n      token: HOLE\n",
	"password": "notify:\n  - ntfy:\n      topic: a\n      user: me\n      password: HOLE\n",
}

const word = "HuNt3r2"

// forms is how the secret may be written there, well and badly.
var forms = []string{
	"HuNt3r2", `"HuNt3r2"`, "'HuNt3r2", `"HuNt3r2`, `"\HuNt3r2"`, "*HuNt3r2", "&HuNt3r2", "&HuNt3r2 x", "!HuNt3r2", "!HuNt3r2 x", "!!HuNt3r2 x",
	"@HuNt3r2", "%HuNt3r2", "`HuNt3r2", "[HuNt3r2]", "[HuNt3r2", "{HuNt3r2}", "{HuNt3r2", "{HuNt3r2: x}", "{key: HuNt3r2, secret: HuNt3r2}", "{token:HuNt3r2}",
	"HuNt3r2: x", "HuNt3r2:", "- HuNt3r2", "|\n  HuNt3r2", "|\nHuNt3r2", "| HuNt3r2", ">HuNt3r2", "|\n        HuNt3r2\n        HuNt3r2\n",
	"\n        HuNt3r2: x", "\n        - HuNt3r2", "\nHuNt3r2: x", "\n      HuNt3r2: x", "\n      HuNt3r2", "\n\tHuNt3r2", "\"HuNt3r2\\nHuNt3r2\"", "\"HuNt3r2\\0\"", "\"HuNt3r2\x00\"", "HuNt3r2\xff",
	"key=HuNt3r2", "secret=HuNt3r2", "key=HuNt3r2 secret=", "|\n        key=HuNt3r2\n        secret HuNt3r2\n", "|\n        key=HuNt3r2\n        secret=HuNt3r2\n",
	"\n      token:HuNt3r2", "\n      key=HuNt3r2\n      secret=HuNt3r2", "x\n      token: HuNt3r2\n      password: HuNt3r2", "x\n---\nHuNt3r2", "x\n---\n*HuNt3r2", "*HuNt3r2 : x", "? HuNt3r2", "<<: HuNt3r2",
	"env:HuNt3r2\x00", `"file:HuNt3r2\0"`,
}

// printed is every way in which a Config may get onto a screen or into a log.
func printed(t *testing.T, c Config) string {
	t.Helper()
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%t", "%08.3f", "%c", "%U", "%p"} {
		fmt.Fprintf(&b, verb+"\n", c)
		for _, target := range c.Targets {
			fmt.Fprintf(&b, verb+verb+"\n", target.OPNsense, target.Feed)
		}
		for _, n := range c.Notify {
			fmt.Fprintf(&b, verb+"\n", n.Ntfy)
		}
	}
	for _, marshal := range []func(any) ([]byte, error){json.Marshal, yaml.Marshal} {
		text, err := marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(text)
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
		log := slog.New(h)
		log.Info("config", "config", c)
		for _, n := range c.Notify {
			log.Info("secrets", "token", n.Ntfy.Token, "password", n.Ntfy.Password, "ntfy", n.Ntfy)
		}
	}
	text, err := xml.Marshal(c.Notify)
	if err != nil {
		t.Fatal(err)
	}
	b.Write(text)
	return b.String()
}

func TestNoSecretIsEverPrinted(t *testing.T) {
	right := map[string]int{}
	for place, doc := range places {
		for _, form := range forms {
			c, err := Parse("edgeban.yaml", []byte(strings.Replace(doc, "HOLE", form, 1)), room())
			text := printed(t, c)
			if err != nil {
				text = fmt.Sprintf("%v %+v %#v", err, err, err)
			} else {
				right[place]++
			}
			// A wrong file's and a wrong variable's names are told, as they must be.
			if strings.Contains(strings.ToLower(text), strings.ToLower(word)) {
				t.Errorf("%s: %q: printed: %s", place, form, text)
			}
		}
	}
	for place := range places {
		if right[place] == 0 {
			t.Errorf("%s: no form of the secret was right: the test proves nothing", place)
		}
	}
	if text := printed(t, parseFull(t)); strings.Contains(text, "the+") || strings.Contains(text, "tk_") || strings.Contains(text, "the password") || !strings.Contains(text, redacted) {
		t.Errorf("the full example printed: %s", text)
	}
}

// A URL is no place for a password, but people put one there.
func TestNoPasswordOfAURLIsTold(t *testing.T) {
	for _, url := range []string{
		"https://me:HuNt3r2@fw", "https://me:HuNt3r2/x@fw", "https://me:HuNt3r2@fw:99999", "me:HuNt3r2@fw", "https://HuNt3r2@", "https://fw/?auth=HuNt3r2",
		"https://fw:x?auth=HuNt3r2", "https://fw/#HuNt3r2", "https://me:%zzHuNt3r2@fw",
	} {
		for _, doc := range []string{
			"targets: [{opnsense: {url: \"URL\", key: a, secret: b, alias: x}}]",
			"notify: [{ntfy: {topic: a, url: \"URL\"}}]",
		} {
			_, err := Parse("edgeban.yaml", []byte(strings.Replace(doc, "URL", url, 1)), room())
			if _, ok := errors.AsType[Problems](err); !ok || strings.Contains(err.Error(), word) {
				t.Errorf("%s: got %v, want problems without the password", url, err)
			}
		}
	}
}
