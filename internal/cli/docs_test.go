package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/filter"
)

// What the documents show must work as it stands, with what is commented out as well.
func TestTheExampleConfigurationIsTrue(t *testing.T) {
	b, err := os.ReadFile("../../edgeban.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(`(?m)^( *)# (state|socket|listen|states|ignoreip|logtimezone|multipliers|click): `).ReplaceAllString(string(b), "$1$2: ")
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
