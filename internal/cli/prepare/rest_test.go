package prepare

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/provision"
)

// What is printed to be pasted is a configuration, and means what was set up.
func TestWhatIsToBePastedIsAConfiguration(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"apikey.txt": "key=k\nsecret=s\n", "feed_token": "a-token-of-the-feed\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pin := "sha256:" + strings.Repeat("ab", 32)
	for _, tt := range []struct {
		o    config.OPNsense
		feed *provision.Feed
	}{
		{config.OPNsense{URL: "https://192.0.2.1", Pin: pin, Alias: "edgeban"}, nil},
		{config.OPNsense{URL: "https://[2001:db8::1]:8443", Alias: "edgeban"}, &provision.Feed{URL: "http://[2001:db8::2]/bans.txt"}},
		{config.OPNsense{URL: "https://192.0.2.1", Pin: pin, Alias: "x"}, &provision.Feed{URL: "http://192.0.2.2:9100/bans.txt"}},
		{config.OPNsense{URL: "https://192.0.2.1", Pin: pin, Alias: "x"}, &provision.Feed{URL: "https://192.0.2.2/bans.txt", Token: config.NewSecret("a-token-of-the-feed")}},
	} {
		lines := (&Firewall{}).yamlSteps(tt.o, provision.Wish{Alias: tt.o.Alias, Feed: tt.feed})
		text := strings.ReplaceAll(strings.Join(lines[2:], "\n"), "/run/secrets", dir)
		path := filepath.Join(dir, "edgeban.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(path)
		if err != nil {
			t.Errorf("%s\n%v", text, err)
			continue
		}
		got := c.Targets[0].OPNsense
		if got.URL != tt.o.URL || got.Pin != tt.o.Pin || got.Alias != tt.o.Alias || got.Key.Empty() || (tt.feed != nil) != (len(c.Targets) == 2) {
			t.Errorf("%s\ngives %+v", text, c.Targets)
		}
		if tt.feed == nil {
			continue
		}
		f := c.Targets[1].Feed
		if f.Token.Empty() == !tt.feed.Token.Empty() || f.Token.Empty() && len(f.Allow) != 1 || !strings.HasSuffix(f.Listen, port(tt.feed.URL)) {
			t.Errorf("%s\ngives the feed %+v", text, f)
		}
	}
}

func TestAKeyIsReadAsItIsDownloaded(t *testing.T) {
	key, secret, err := ReadKey("-", strings.NewReader("key=abc+/=\r\nsecret=def==\r\n"))
	if err != nil || key.Reveal() != "abc+/=" || secret.Reveal() != "def==" {
		t.Errorf("got %q, %q, %v", key.Reveal(), secret.Reveal(), err)
	}
	for _, text := range []string{"", "abc", "key=abc", "secret=def", "key=\nsecret=def"} {
		if _, _, err := ReadKey("-", strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), "key=... and a line secret=...") {
			t.Errorf("%q: got %v, want what it must have", text, err)
		}
	}
}
