package setup

import (
	"reflect"
	"slices"
	"testing"

	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/fail2ban"
)

func wall(name, url, alias string) config.Target {
	return config.Target{Name: name, OPNsense: &config.OPNsense{URL: url, Alias: alias, Key: config.NewSecret("of " + name)}}
}

func topic(name, topic string, jails ...string) config.Notifier {
	return config.Notifier{Name: name, Jails: jails, Ntfy: &config.Ntfy{URL: "https://ntfy.example.org", Topic: topic}}
}

func jail(name string, targets ...string) config.Jail {
	return config.Jail{Name: name, Filter: "sshd", Targets: targets}
}

func jailNames(c config.Config) (names []string) {
	for _, j := range c.Jails {
		names = append(names, j.Name)
	}
	return names
}

func targetNames(c config.Config) (names []string) {
	for _, t := range c.Targets {
		names = append(names, t.Name)
	}
	return names
}

// Somebody may write what is the default, or name it: it is his then, and does not
// give way to a firewall of the folder.
func TestAFeedThatSomebodyAskedForStays(t *testing.T) {
	firewall := fail2ban.Result{Config: config.Config{Targets: []config.Target{wall("opnsense", "https://c", "x")}}}
	nobody := config.Config{Targets: config.Default().Targets}
	named := config.Config{Targets: config.Default().Targets, Jails: []config.Jail{jail("mine", "feed")}}
	written := config.Config{Targets: []config.Target{{Name: "feed", Feed: &config.Feed{Listen: config.DefaultFeed}}}}
	for _, tt := range []struct {
		what string
		own  config.Config
		want []string
	}{
		{"nobody asked", nobody, []string{"opnsense"}},
		{"a jail names it", named, []string{"feed", "opnsense"}},
		{"the file has it", written, []string{"feed", "opnsense"}},
	} {
		if c, _ := Merge(tt.own, firewall); !slices.Equal(targetNames(c), tt.want) {
			t.Errorf("%s: got %q, want %q", tt.what, targetNames(c), tt.want)
		}
	}
}

// A ban must not go to the wrong firewall because two have one name.
func TestNamesThatCollideLeadToTheRightFirewall(t *testing.T) {
	own := config.Config{Targets: []config.Target{wall("opnsense", "https://a", "x"), wall("opnsense-2", "https://b", "x")}}
	tree := config.Config{
		Targets: []config.Target{wall("opnsense", "https://c", "x"), wall("opnsense-2", "https://d", "x")},
		Jails:   []config.Jail{jail("sshd", "opnsense"), jail("web", "opnsense-2", "opnsense"), jail("all")},
	}
	c, notes := Merge(own, fail2ban.Result{Config: tree})
	if len(notes) > 0 {
		t.Errorf("notes %v, want none", notes)
	}
	urls := map[string]string{}
	for _, x := range c.Targets {
		urls[x.Name] = x.OPNsense.URL
	}
	want := map[string]string{"opnsense": "https://a", "opnsense-2": "https://b", "opnsense-3": "https://c", "opnsense-2-2": "https://d"}
	if !reflect.DeepEqual(urls, want) {
		t.Errorf("targets %v, want %v", urls, want)
	}
	if got, want := c.Jails[0].Targets, []string{"opnsense-3"}; !slices.Equal(got, want) {
		t.Errorf("sshd goes to %v, want %v", got, want)
	}
	if got, want := c.Jails[1].Targets, []string{"opnsense-2-2", "opnsense-3"}; !slices.Equal(got, want) {
		t.Errorf("web goes to %v, want %v", got, want)
	}
	if got := c.Jails[2].Targets; got != nil {
		t.Errorf("a jail that names no target goes to %v, want all", got)
	}
	if got := tree.Jails[0].Targets[0]; got != "opnsense" {
		t.Errorf("the tree itself was changed: %s", got)
	}
}

// One alias must not have two keepers; its pin and its key are edgeban.yaml's.
func TestOneAliasIsOneTarget(t *testing.T) {
	mine := wall("edge", "https://192.0.2.1", "block")
	mine.OPNsense.Pin = "sha256:00"
	theirs := wall("opnsense", "https://192.0.2.1:443", "block")
	theirs.OPNsense.Insecure = true
	c, _ := Merge(
		config.Config{Targets: []config.Target{mine}},
		fail2ban.Result{Config: config.Config{
			Targets: []config.Target{theirs, wall("other", "https://192.0.2.1", "trap")},
			Jails:   []config.Jail{jail("sshd", "opnsense"), jail("web", "other")},
		}},
	)
	if got, want := targetNames(c), []string{"edge", "other"}; !slices.Equal(got, want) {
		t.Fatalf("targets %v, want %v", got, want)
	}
	if !reflect.DeepEqual(c.Targets[0], mine) {
		t.Errorf("the target is %+v, want edgeban.yaml's", c.Targets[0].OPNsense)
	}
	if got, want := c.Jails[0].Targets, []string{"edge"}; !slices.Equal(got, want) {
		t.Errorf("sshd goes to %v, want %v", got, want)
	}
}

func TestOfTwoJailsOfOneNameTheYAMLsRuns(t *testing.T) {
	own := config.Config{Path: "edgeban.yaml", Targets: config.Default().Targets, Jails: []config.Jail{{Name: "sshd", MaxRetry: 3}}}
	own.Jails = append(own.Jails, config.Jail{Name: "mended"})
	c, notes := Merge(own, fail2ban.Result{
		Config: config.Config{Jails: []config.Jail{{Name: "sshd", MaxRetry: 9}, {Name: "web"}}},
		Notes:  []fail2ban.Note{{Jail: "mended", Level: fail2ban.Broken}, {Jail: "sshd", Level: fail2ban.Warning}},
	})
	if got, want := jailNames(c), []string{"sshd", "mended", "web"}; !slices.Equal(got, want) {
		t.Errorf("jails %v, want %v", got, want)
	}
	if got := c.Jails[0].MaxRetry; got != 3 {
		t.Errorf("sshd bans after %d, want 3", got)
	}
	if len(notes) != 1 || notes[0].Jail != "sshd" || notes[0].File != "edgeban.yaml" || notes[0].Level != fail2ban.Info {
		t.Errorf("notes %+v, want one: that edgeban.yaml has it", notes)
	}
}

// The port of a feed that nobody asked for is not opened beside a firewall.
func TestTheFeedStandsInOnlyForAFirewall(t *testing.T) {
	tree := config.Config{Targets: []config.Target{wall("opnsense", "https://a", "x")}}
	other := []config.Target{{Name: "feed", Feed: &config.Feed{Listen: "127.0.0.1:1"}}}
	for name, c := range map[string]struct {
		own, tree config.Config
		want      []string
	}{
		"a firewall in the tree":         {config.Default(), tree, []string{"opnsense"}},
		"none at all":                    {config.Default(), config.Config{}, []string{"feed"}},
		"the same feed in both":          {config.Default(), config.Default(), []string{"feed"}},
		"a feed of the user's":           {config.Config{Targets: other}, tree, []string{"feed", "opnsense"}},
		"no feed in the tree for theirs": {config.Config{Targets: tree.Targets}, config.Default(), []string{"opnsense"}},
	} {
		got, _ := Merge(c.own, fail2ban.Result{Config: c.tree})
		if !slices.Equal(targetNames(got), c.want) {
			t.Errorf("%s: targets %v, want %v", name, targetNames(got), c.want)
		}
		if got.Jails == nil {
			t.Errorf("%s: jails would be found that nobody asked for", name)
		}
	}
}

// A phone that both know buzzes once, and for every jail that either names.
func TestOneTopicIsToldOnce(t *testing.T) {
	for name, c := range map[string]struct {
		own, tree []config.Notifier
		want      []config.Notifier
	}{
		"another topic":      {[]config.Notifier{topic("ntfy", "a")}, []config.Notifier{topic("ntfy", "b")}, []config.Notifier{topic("ntfy", "a"), topic("ntfy-2", "b")}},
		"both of some jails": {[]config.Notifier{topic("me", "a", "web", "sshd")}, []config.Notifier{topic("ntfy", "a", "sshd", "mail")}, []config.Notifier{topic("me", "a", "mail", "sshd", "web")}},
		"mine of all":        {[]config.Notifier{topic("me", "a")}, []config.Notifier{topic("ntfy", "a", "sshd")}, []config.Notifier{topic("me", "a")}},
		"theirs of all":      {[]config.Notifier{topic("me", "a", "web")}, []config.Notifier{topic("ntfy", "a")}, []config.Notifier{topic("me", "a")}},
	} {
		got, _ := Merge(config.Config{Notify: c.own}, fail2ban.Result{Config: config.Config{Notify: c.tree}})
		if !reflect.DeepEqual(got.Notify, c.want) {
			t.Errorf("%s: got %+v, want %+v", name, got.Notify, c.want)
		}
	}
}

// What protects the owner is said in edgeban.yaml.
func TestTheRestStaysTheYAMLs(t *testing.T) {
	own := config.Default()
	own.Never, own.Forget, own.State, own.Budget.Entries = []string{"192.0.2.1"}, 1, "state", 7
	c, _ := Merge(own, fail2ban.Result{Config: config.Config{Never: []string{"203.0.113.9"}, Forget: 2, State: "other"}})
	c.Jails, own.Jails = nil, nil
	if !reflect.DeepEqual(c, own) {
		t.Errorf("got %+v, want %+v", c, own)
	}
}

// fail2ban's files do not know where a journal is served, and edgeban.yaml does.
func TestTheJournalIsReadWhereItIsServed(t *testing.T) {
	part := func(name, url string) config.Source {
		return config.Source{Name: name, Journal: &config.Journal{URL: url, Match: []string{"_COMM=" + name}}}
	}
	tree := fail2ban.Result{Config: config.Config{
		Sources: []config.Source{part("journal-a", ""), part("journal-b", "")},
		Jails:   []config.Jail{{Name: "a", Source: []string{"journal-a/*"}}, {Name: "b", Source: []string{"journal-b/*"}}},
	}}
	for url, own := range map[string][]config.Source{
		"":            {{Name: "journal-b", Docker: &config.Docker{}}},
		"http://host": {{Name: "journal-b", Journal: &config.Journal{URL: "http://host"}}},
	} {
		c, _ := Merge(config.Config{Sources: own}, tree)
		if len(c.Sources) != 3 || c.Sources[1].Journal.URL != url || c.Sources[2].Journal.URL != url || c.Sources[2].Name != "journal-b-2" {
			t.Errorf("sources are %+v, want those of the jails at %q", c.Sources, url)
		}
		if got := [2]string{c.Jails[0].Source[0], c.Jails[1].Source[0]}; got != [2]string{"journal-a/*", "journal-b-2/*"} {
			t.Errorf("the jails read %q", got)
		}
		if tree.Config.Sources[0].Journal.URL != "" || tree.Config.Jails[1].Source[0] != "journal-b/*" {
			t.Error("the tree was changed")
		}
	}
}
