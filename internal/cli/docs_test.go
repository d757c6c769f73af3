package cli

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/edgeban/edgeban/internal/cli/setup"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/fail2ban"
	"github.com/edgeban/edgeban/internal/filter"
)

// What the documents show must work as it stands, with what is commented out as well.
func TestTheExampleConfigurationIsTrue(t *testing.T) {
	b, err := os.ReadFile("../../edgeban.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(`(?m)^( *)# (state|socket|listen|states|ignoreip|logtimezone|multipliers|click|fail2ban|jails|journalmatch|url|allow|tarpit): `).ReplaceAllString(string(b), "$1$2: ")
	for name, text := range map[string]string{"as it stands": string(b), "with every setting": all} {
		path := filepath.Join(t.TempDir(), "edgeban.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		j := config.NewJail("dovecot")
		if got := c.Jails[0]; got.MaxRetry != j.MaxRetry || got.FindTime != j.FindTime || got.BanTime != j.BanTime || got.Increment.MaxTime != j.Increment.MaxTime || got.Count != j.Count {
			t.Errorf("%s: the defaults that it shows are %+v, the real ones %+v", name, got, j)
		}
		if c.Budget != config.Default().Budget || c.Forget != config.Default().Forget {
			t.Errorf("%s: it shows budget %+v and forget %v, the defaults are others", name, c.Budget, c.Forget)
		}
	}
}

// The guide to zones and doors is a configuration that works.
func TestTheGuideToTheInsideIsTrue(t *testing.T) {
	text := section(t, "../../docs/inside.md", "yaml")
	text = strings.NewReplacer("file:/run/secrets/apikey.txt", "env:KEY", "file:/run/secrets/policy_token", "env:TOKEN", "file:/run/secrets/doveadm_key", "env:TOKEN").Replace(text)
	t.Setenv("KEY", "key=k\nsecret=s\n")
	t.Setenv("TOKEN", "a long word")
	path := filepath.Join(t.TempDir(), "edgeban.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Targets) != 4 || len(c.Zones) != 4 || len(c.Jails) != 2 || c.Jails[1].OverBans() {
		t.Errorf("it gives %d targets, %d zones and %d jails", len(c.Targets), len(c.Zones), len(c.Jails))
	}
}

func TestTheSourcesOfTheGuideAreUnderstood(t *testing.T) {
	b, err := os.ReadFile("../../docs/sources.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?ms)^```yaml\n(sources:.*?)^```").FindAllStringSubmatch(string(b), -1)
	if len(blocks) != 2 {
		t.Errorf("%d configurations, want 2", len(blocks))
	}
	for _, m := range blocks {
		c, err := config.Parse("edgeban.yaml", []byte(m[1]), config.Env{})
		if err != nil {
			t.Errorf("%v in\n%s", err, m[1])
		}
		for _, s := range c.Sources {
			if len(c.Reading(s.Name)) == 0 {
				t.Errorf("no jail reads %s in\n%s", s.Name, m[1])
			}
		}
	}
}

func TestTheFilterOfTheGuideWorks(t *testing.T) {
	b, err := os.ReadFile("../../docs/filters.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(b), "```yaml\ndescription")
	text, _, ok := strings.Cut(text, "```")
	if !ok {
		t.Fatal("the guide has no filter")
	}
	f, err := filter.Parse("wiki.yaml", []byte("description"+text))
	if err != nil {
		t.Fatal(err)
	}
	results := f.Test()
	if len(results) != 3 {
		t.Errorf("%d samples ran, want 3", len(results))
	}
	for _, r := range results {
		if r.Err != nil {
			t.Errorf("%s: %v", r.Line, r.Err)
		}
	}
}

// Every command that the documents show is one, and takes the flags that they show.
func TestTheCommandsOfTheDocumentsExist(t *testing.T) {
	fence, line, inline := regexp.MustCompile("(?ms)^ *```sh\n(.*?)^ *```"), regexp.MustCompile(`(?m)^edgeban ([^#>\n]+)`), regexp.MustCompile("`edgeban ([^`>]+)[`>]")
	for _, name := range []string{"../../README.md", "../../docs/fail2ban.md", "../../docs/filters.md", "../../docs/firewall.md", "../../docs/certs.md", "../../docs/inside.md"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found := inline.FindAllStringSubmatch(fence.ReplaceAllString(string(b), ""), -1)
		for _, block := range fence.FindAllStringSubmatch(string(b), -1) {
			found = append(found, line.FindAllStringSubmatch(block[1], -1)...)
		}
		for _, m := range found {
			e := &env{stdout: io.Discard, stderr: io.Discard}
			args := append(strings.Fields(m[1]), "-h")
			if err := e.command(t.Context(), args); !errors.Is(err, errHelp) {
				t.Errorf("%s: edgeban %s: %v", name, m[1], err)
			}
		}
		if len(found) < 3 {
			t.Errorf("%s: %d commands found, want 3 at least", name, len(found))
		}
	}
}

// section returns what a document shows in a block of a language, without the
// indentation of the block.
func section(t *testing.T, name, language string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?ms)^( *)```" + language + "\n(.*?)^ *```").FindStringSubmatch(string(b))
	if m == nil {
		t.Fatalf("%s has no %s", name, language)
	}
	return regexp.MustCompile("(?m)^"+m[1]).ReplaceAllString(m[2], "")
}

func TestTheGuideFromFail2banIsTrue(t *testing.T) {
	const guide = "../../docs/fail2ban.md"
	dir := t.TempDir()
	pin := "sha256:" + strings.Repeat("0", 64)
	local := strings.ReplaceAll(section(t, guide, "ini"), `pin="sha256:…"`, `pin="`+pin+`"`)
	for name, text := range map[string]string{
		"jail.conf":          folder["jail.conf"] + "\n[sshd]\nlogpath = /var/log/auth.log\n",
		"paths-here.conf":    folder["paths-here.conf"],
		"jail.local":         local,
		"filter.d/sshd.conf": "[Definition]\nfailregex = ^no <HOST>$\n",
		"edgeban.yaml":       strings.ReplaceAll(section(t, guide, "yaml"), "/etc/fail2ban", dir),
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, notes, err := setup.Files{Default: filepath.Join(dir, "none"), Fail2ban: dir}.Read()
	if err != nil || len(c.Jails) != 1 || len(c.Targets) != 1 || len(c.Notify) != 1 {
		t.Fatalf("jail.local gives %+v, %v, %v; want a jail, a target and a topic", c, notes, err)
	}
	if o := c.Targets[0].OPNsense; o.URL != "https://192.168.123.1" || o.Pin != pin || o.Insecure || c.Notify[0].Ntfy.Priority != 5 {
		t.Errorf("jail.local gives %+v and %+v", o, c.Notify[0].Ntfy)
	}
	t.Setenv("KEY", "k")
	t.Setenv("SECRET", "s")
	c, notes, err = setup.Files{Config: filepath.Join(dir, "edgeban.yaml")}.Read()
	if err != nil || len(c.Jails) != 1 || len(c.Targets) != 1 || len(c.Notify) != 1 || len(c.Never) != 2 {
		t.Fatalf("edgeban.yaml gives %+v, %v, %v; want the folder's jail and topic, and one target", c, notes, err)
	}
	for _, n := range notes {
		if n.Level != fail2ban.Info {
			t.Errorf("%+v", n)
		}
	}
}
