package opnsense

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce"
	"github.com/edgeban/edgeban/internal/enforce/enforcetest"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
)

const alias = opnsensetest.AliasName

// firewall returns a fake with one alias of a type, whose user may do what the
// tables need and the given privileges more.
func firewall(kind string, more ...string) *opnsensetest.Firewall { return release("", kind, more...) }

// release is firewall of another version.
func release(version, kind string, more ...string) *opnsensetest.Firewall {
	return opnsensetest.New(opnsensetest.Options{
		Version: version,
		Aliases: []opnsensetest.Alias{{Name: alias, Type: kind}},
		Users: []opnsensetest.User{{
			Name: "edgeban", Key: opnsensetest.Key, Secret: opnsensetest.Secret, Privileges: append(more, opnsensetest.Tables),
		}},
	})
}

func reach(t *testing.T, f *opnsensetest.Firewall, change ...func(*config.OPNsense)) *Alias {
	t.Helper()
	c := f.Config()
	for _, do := range change {
		do(&c)
	}
	a, err := NewWithTransport(c, f.Client())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func prefixes(texts ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range texts {
		if !strings.Contains(text, "/") {
			addr := netip.MustParseAddr(text)
			out = append(out, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

// sequence returns n single addresses.
func sequence(n int) []netip.Prefix {
	addr := netip.MustParseAddr("198.18.0.0")
	var out []netip.Prefix
	for range n {
		addr = addr.Next()
		out = append(out, netip.PrefixFrom(addr, 32))
	}
	return out
}

func apply(t *testing.T, a *Alias, add, remove []netip.Prefix) {
	t.Helper()
	if err := a.Apply(t.Context(), enforce.Diff{Add: add, Remove: remove}); err != nil {
		t.Fatalf("Apply: %v", err)
	}
}

func held(t *testing.T, a *Alias, want ...netip.Prefix) {
	t.Helper()
	got, err := a.Held(t.Context())
	if err != nil {
		t.Fatalf("Held: %v", err)
	}
	slices.SortFunc(want, netip.Prefix.Compare)
	if !slices.Equal(got, want) {
		t.Errorf("held %v, want %v", got, want)
	}
}

func TestConformance(t *testing.T) {
	for _, kind := range []string{External, Network, Host} {
		for _, rights := range []string{"", opnsensetest.AliasView} {
			for _, version := range []string{"25.1", "25.7.11", opnsensetest.DefaultVersion} {
				t.Run(kind+rights+version, func(t *testing.T) {
					enforcetest.Run(t, func(t *testing.T) (enforce.Target, enforcetest.Control) {
						f := release(version, kind, rights)
						return reach(t, f), enforcetest.Control{
							Entries: func() []netip.Prefix { return f.Entries(alias) },
							Insert:  func(p netip.Prefix) { f.Insert(alias, p.String()) },
							Break:   func() { f.Fail(opnsensetest.Refused, -1) },
							Mend:    f.Heal,
						}
					})
				})
			}
		}
	}
}

func TestKindIsReadWhereTheKeyMay(t *testing.T) {
	for _, kind := range []string{External, Network, Host} {
		a := reach(t, firewall(kind, opnsensetest.AliasView))
		held(t, a)
		if got := a.Kind(); got != kind {
			t.Errorf("kind %s, want %s", got, kind)
		}
		if got := a.Fits(netip.MustParsePrefix("198.51.100.0/24")); got != (kind != Host) {
			t.Errorf("%s: a network fits: %v", kind, got)
		}
		hint := strings.Contains(strings.Join(a.Notes(), "\n"), "External (advanced)")
		if hint != (kind != External) {
			t.Errorf("%s: the notes are %q", kind, a.Notes())
		}
	}
	f := firewall(External)
	a := reach(t, f)
	held(t, a)
	held(t, a)
	if a.Kind() != Unknown || f.Count("get_alias_u_u_i_d") != 1 {
		t.Errorf("without the privilege: kind %s after %d questions, want unknown after 1", a.Kind(), f.Count("get_alias_u_u_i_d"))
	}
}

func TestTypesThatLoseEntriesAreRefused(t *testing.T) {
	for _, kind := range []string{"urltable", "port", "geoip"} {
		_, err := reach(t, firewall(kind, opnsensetest.AliasView)).Held(t.Context())
		if !edgeban.IsPermanent(err) || !strings.Contains(err.Error(), "External (advanced)") {
			t.Errorf("%s: %v", kind, err)
		}
	}
	f := firewall(External, opnsensetest.AliasView)
	f.AddAlias(opnsensetest.Alias{Name: alias, Disabled: true})
	if _, err := reach(t, f).Held(t.Context()); !edgeban.IsPermanent(err) || !strings.Contains(err.Error(), "disabled") {
		t.Errorf("disabled: %v", err)
	}
}

// A key with the least privilege cannot read that the alias is of type Host(s).
func TestHostAliasIsFoundOutByItsRefusal(t *testing.T) {
	f := firewall(Host)
	a := reach(t, f)
	network := netip.MustParsePrefix("2001:db8:7::/64")
	if !a.Fits(network) {
		t.Fatal("nothing is known yet, and a network does not fit")
	}
	add := append([]netip.Prefix{network}, sequence(3)...)
	err := a.Apply(t.Context(), enforce.Diff{Add: add})
	if err == nil || edgeban.IsPermanent(err) || !strings.Contains(err.Error(), "Host(s)") {
		t.Errorf("got %v, want an error that names the type and lets the next attempt come soon", err)
	}
	if a.Kind() != Host || a.Fits(network) || !a.Fits(sequence(1)[0]) {
		t.Errorf("kind %s, a network fits: %v", a.Kind(), a.Fits(network))
	}
	held(t, a, sequence(3)...)
}

func TestOneFailureDoesNotMakeAHostAlias(t *testing.T) {
	f := firewall(External)
	a := reach(t, f)
	held(t, a)
	network := prefixes("198.51.100.0/24")
	a.listedAt = time.Now()
	f.Fail(opnsensetest.ServerError, 1)
	apply(t, a, network, nil)
	if a.Kind() != Unknown {
		t.Errorf("kind %s after one passing failure", a.Kind())
	}
	a = reach(t, f)
	held(t, a, network...)
	f.Fail(opnsensetest.ServerError, -1)
	if err := a.Apply(t.Context(), enforce.Diff{Add: prefixes("192.0.2.0/24")}); err == nil {
		t.Error("no error from a firewall that fails")
	}
	if a.Kind() != Unknown || !a.Fits(network[0]) {
		t.Errorf("kind %s after the whole firewall failed", a.Kind())
	}
}

// The product appends its first entry again on every add.
func TestHostAliasIsNeverGivenWhatItLists(t *testing.T) {
	for _, rights := range []string{"", opnsensetest.AliasView} {
		f := firewall(Host, rights)
		a := reach(t, f)
		ps := sequence(3)
		for range 4 {
			apply(t, a, ps, nil)
		}
		if got := f.Content(alias); len(got) != 3 {
			t.Errorf("config.xml lists %q, want each address once", got)
		}
		if got := f.ConfigWrites(); got != 3 {
			t.Errorf("config.xml was written %d times for 3 bans", got)
		}
		apply(t, a, nil, ps)
		if got := f.ConfigWrites(); got != 6 {
			t.Errorf("config.xml was written %d times for 3 bans and their ends, want 6", got)
		}
	}
}

func TestWhatSomebodyElseAddedMeanwhileIsNotDoubled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := firewall(Host)
		a := reach(t, f)
		held(t, a)
		f.Insert(alias, "203.0.113.20")
		time.Sleep(time.Minute)
		apply(t, a, prefixes("203.0.113.20", "203.0.113.21"), nil)
		if got := f.Content(alias); !slices.Equal(got, []string{"203.0.113.20", "203.0.113.21"}) {
			t.Errorf("config.xml lists %q", got)
		}
	})
}

// A list that was on its way while a ban was added does not know of it.
func TestAnAddDuringAListIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := firewall(Host)
		a := reach(t, f)
		first := prefixes("203.0.113.20")
		apply(t, a, nil, first)
		f.Slow(3 * time.Second) // an answer takes 3s after what it tells of
		var list sync.WaitGroup
		list.Go(func() { _, _ = a.Held(t.Context()) })
		synctest.Wait()
		f.Heal()
		a.mu.Lock()
		a.listedAt = time.Now()
		a.mu.Unlock()
		apply(t, a, first, nil)
		list.Wait()
		apply(t, a, first, nil)
		if got := f.Content(alias); len(got) != 1 {
			t.Errorf("config.xml lists %q", got)
		}
	})
}

func TestAChangedTypeIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := firewall(External, opnsensetest.AliasView)
		a := reach(t, f)
		held(t, a)
		f.AddAlias(opnsensetest.Alias{Name: alias, Type: Host})
		time.Sleep(2 * time.Hour)
		held(t, a)
		if a.Kind() != Host {
			t.Errorf("kind %s two hours after it became host", a.Kind())
		}
	})
}

// What another tool doubled goes for good, even if it comes back at each refresh.
func TestUnbanSticksOnAHostAlias(t *testing.T) {
	for _, copies := range []int{1, 2, 5} {
		synctest.Test(t, func(t *testing.T) {
			f := firewall(Host)
			a := reach(t, f)
			first := prefixes("203.0.113.20")
			f.Insert(alias, slices.Repeat([]string{"203.0.113.20"}, copies)...)
			f.Insert(alias, "203.0.113.21")
			apply(t, a, nil, first)
			for range 4 {
				time.Sleep(time.Minute)
				f.Refresh()
				held(t, a, prefixes("203.0.113.21")...)
			}
			if got := f.Content(alias); !slices.Equal(got, []string{"203.0.113.21"}) {
				t.Errorf("of %d copies config.xml still lists %q", copies, got)
			}
		})
	}
}

func TestWhatSomebodyElseAddsLaterStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := firewall(Host)
		a := reach(t, f)
		ps := prefixes("203.0.113.20")
		apply(t, a, ps, nil)
		apply(t, a, nil, ps)
		time.Sleep(10 * time.Minute)
		f.Insert(alias, "203.0.113.20")
		held(t, a, ps...)
		// And our own new ban of it is not undone by the memory of the old one's end.
		apply(t, a, nil, ps)
		apply(t, a, ps, nil)
		held(t, a, ps...)
	})
}

func TestRebootEmptiesAnExternalAliasWithoutAnError(t *testing.T) {
	f := firewall(External)
	a := reach(t, f)
	apply(t, a, sequence(5), nil)
	f.Reboot()
	held(t, a)
	apply(t, a, sequence(5), nil)
	held(t, a, sequence(5)...)
}

// The firewall lists a misspelt alias as an empty one.
func TestMissingAliasIsNotAnEmptyOne(t *testing.T) {
	f := firewall(External)
	a := reach(t, f, func(c *config.OPNsense) { c.Alias = "fail2ban_blacklist" })
	_, err := a.Held(t.Context())
	for what, err := range map[string]error{"Held": err, "Apply": a.Apply(t.Context(), enforce.Diff{Add: sequence(120)})} {
		if !edgeban.IsPermanent(err) || !strings.Contains(err.Error(), "fail2ban_blacklist") || !strings.Contains(err.Error(), "External (advanced)") {
			t.Errorf("%s: %v; want the alias and the way out", what, err)
		}
	}
	if n := f.Count("/add/"); n != 1 {
		t.Errorf("%d adds to an alias that is not there, want 1", n)
	}
}

func TestEntriesThatAreNoAddressesBreakNothing(t *testing.T) {
	f := firewall(External)
	f.Insert(alias, "!203.0.113.200", "evil.example.org", "203.0.113.13-203.0.113.20", "::ffff:203.0.113.9", "::ffff:203.0.113.0/120", "fe80::1%em0",
		"203.0.113.5", "198.51.100.0/25", "2001:db8::7")
	a := reach(t, f)
	held(t, a, prefixes("198.51.100.0/25", "203.0.113.5", "2001:db8::7")...)
	if notes := strings.Join(a.Notes(), "\n"); !strings.Contains(notes, "6 entries") {
		t.Errorf("notes %q do not count 6 entries", notes)
	}
}

func TestTenThousandEntriesAreListed(t *testing.T) {
	f := firewall(External)
	ps := sequence(10_000)
	for _, p := range ps {
		f.Insert(alias, p.Addr().String())
	}
	held(t, reach(t, f), ps...)
}

func TestOnlyCanonicalTextIsSent(t *testing.T) {
	f := firewall(External)
	a := reach(t, f)
	ps := prefixes("203.0.113.5", "198.51.100.0/24", "2001:db8::5", "2001:db8:5::/64")
	apply(t, a, ps, nil)
	apply(t, a, nil, append(ps, prefixes("203.0.113.99")...))
	_ = a.Apply(t.Context(), enforce.Diff{
		Add:    append(prefixes("0.0.0.0/0", "::/0", "::30", "::1", "::203.0.113.1", "10.1.2.3/8"), netip.Prefix{}),
		Remove: []netip.Prefix{{}},
	})
	for _, r := range f.Requests() {
		if !strings.Contains(r.Path, "/add/") && !strings.Contains(r.Path, "/delete/") {
			continue
		}
		want := slices.ContainsFunc([]string{"203.0.113.5", "198.51.100.0/24", "2001:db8::5", "2001:db8:5::/64", "203.0.113.99"}, func(s string) bool {
			return r.Body == `{"address":"`+s+`"}`
		})
		if !want || r.Method != "POST" || !strings.HasSuffix(r.Path, "/"+alias) {
			t.Errorf("sent %s %s %s", r.Method, r.Path, r.Body)
		}
	}
	held(t, a)
}

func TestSettingsThatCannotWorkAreNamed(t *testing.T) {
	for word, change := range map[string]func(*config.OPNsense){
		"alias":  func(c *config.OPNsense) { c.Alias = "../alias/del_item/x" },
		"31 at":  func(c *config.OPNsense) { c.Alias = strings.Repeat("a", 32) },
		"url":    func(c *config.OPNsense) { c.URL = "192.168.1.1" },
		"user":   func(c *config.OPNsense) { c.URL = "https://a:s3cret@192.168.1.1" },
		"https:": func(c *config.OPNsense) { c.URL = "https://192.168.1.1/?key=" + opnsensetest.Secret },
		"URL":    func(c *config.OPNsense) { c.URL = "https://x\x7f" + opnsensetest.Secret },
		"key":    func(c *config.OPNsense) { c.Key = config.Secret{} },
		"pin":    func(c *config.OPNsense) { c.Pin = "sha256:abc" },
		"ca":     func(c *config.OPNsense) { c.CA = "/does/not/exist" },
	} {
		c := firewall(External).Config()
		change(&c)
		_, err := New(c)
		if err == nil || !strings.Contains(err.Error(), word) || strings.Contains(err.Error(), opnsensetest.Secret) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("got %v, want an error that says %q and no secret", err, word)
		}
	}
}
