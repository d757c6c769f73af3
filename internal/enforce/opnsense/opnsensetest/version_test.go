package opnsensetest

import (
	"errors"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestReleasesDiffer(t *testing.T) {
	state := State{ID: "1/2", Src: "2001:db8::5", Dst: "2001:db8::2"}
	api := InProcess + "/api/"
	for name, test := range map[string]struct {
		path, body     string
		since          string // the release that answers with it
		before, answer string
	}{
		"direction any":          {"firewall/filter/add_rule", `{"rule":{"direction":"any"}}`, "26.1", `"rule.direction"`, `"saved"`},
		"search by IPv6":         {"diagnostics/firewall/query_states", `{"searchPhrase":"2001:db8::5"}`, "26.1.3", `"total":0`, `"total":1`},
		"a substring kills":      {"diagnostics/firewall/kill_states", `{"filter":"::5"}`, "26.1.3", `"dropped_states":0`, `"dropped_states":1`},
		"readonly in alias_util": {"firewall/alias_util/add/" + AliasName, `{"address":"203.0.113.5"}`, "26.7.1", `"done"`, `denied for write`},
		"old rules are listed":   {"firewall/filter/search_rule", `{"searchPhrase":"LAN"}`, "26.7", `"total":0`, `"total":3`},
		"old rules, if asked":    {"firewall/filter/search_rule", `{"searchPhrase":"LAN","show_all":"1"}`, "25.7", `"total":0`, `"total":3`},
		"the pager":              {"firewall/alias_util/list/" + AliasName, `{"rowCount":-1}`, "25.7", `"rowCount":-1`, `"rowCount":1`},
		"counters of a list":     {"firewall/alias_util/list/" + AliasName, `{}`, "25.7", `"in_block_p":0`, `{"ip":"192.0.2.1"}`},
		"statistics of tables":   {"firewall/alias/get_table_size", `{}`, "26.1", `{"count":1,"updated":null}`, `"eval_match":0`},
		"a savepoint":            {"firewall/filter/savepoint", `{}`, "26.7", "opnsensetest does not know", "Endpoint not found"},
		"expire is a field":      {"firewall/alias/add_item", `{"alias":{"name":"x","type":"external","expire":"1"}}`, "25.7", `"saved"`, `"alias.expire"`},
		"a url table in JSON":    {"firewall/alias/add_item", `{"alias":{"name":"x","type":"urljson"}}`, "25.7", `"alias.type"`, `"saved"`},
	} {
		for _, release := range []string{"25.1.12", "25.7.11", "26.1", "26.1.10", "26.7", "26.7.2"} {
			users := admin()
			if name == "readonly in alias_util" {
				users[0].Privileges = append(users[0].Privileges, ReadOnly)
			}
			f := New(Options{Version: release, Users: users})
			f.Insert(AliasName, "192.0.2.1")
			f.SetStates(state)
			want := test.before
			if f.sys.Conf.Version.Since(parts(test.since)...) {
				want = test.answer
			}
			if _, got, err := post(t, f.Client(), api+test.path, test.body); err != nil || !strings.Contains(got, want) {
				t.Errorf("%s in %s: %s %v, want %s in it", name, release, got, err, want)
			}
		}
	}
}

func parts(release string) (out []int) {
	for word := range strings.SplitSeq(release, ".") {
		n := 0
		for _, digit := range word {
			n = n*10 + int(digit-'0')
		}
		out = append(out, n)
	}
	return out
}

func TestAKeyWorksFromItsNetworksOnly(t *testing.T) {
	for release, want := range map[string]int{"25.1": 200, "25.7": 403} {
		users := admin()
		users[0].From = []netip.Prefix{netip.MustParsePrefix("192.168.1.0/24")}
		f := New(Options{Version: release, Users: users})
		if got, _, _ := post(t, f.Client(), InProcess+"/api/firewall/alias_util/aliases", "{}"); got != want {
			t.Errorf("%s, from elsewhere: %d, want %d", release, got, want)
		}
		users[0].From = append(users[0].From, netip.MustParsePrefix("127.0.0.0/8"))
		f.PutUser(users[0])
		if got, _, _ := post(t, f.Client(), InProcess+"/api/firewall/alias_util/aliases", "{}"); got != 200 {
			t.Errorf("%s, from there: %d, want 200", release, got)
		}
	}
}

func TestAFullTableSaysDone(t *testing.T) {
	f := New(Options{TableLimit: 2, Aliases: []Alias{{Name: "a"}, {Name: "h", Type: "host", Content: []string{"192.0.2.1"}}}})
	for _, address := range []string{"203.0.113.1", "203.0.113.2"} {
		if _, body, _ := post(t, f.Client(), InProcess+"/api/firewall/alias_util/add/a", `{"address":"`+address+`"}`); body != `{"status":"done"}` {
			t.Errorf("%s: %s, want done", address, body)
		}
	}
	if got := f.Table("a"); !slices.Equal(got, []string{"203.0.113.1"}) {
		t.Errorf("the table is %q, want what fits", got)
	}
	f.SetContent("h", "192.0.2.2", "192.0.2.3")
	f.Reconfigure()
	if got := f.Table("h"); !slices.Equal(got, []string{"192.0.2.1"}) {
		t.Errorf("a table without room for its new content is %q, want the old", got)
	}
}

func TestEntriesExpireByTheTimeTheyWereAdded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(Options{Aliases: []Alias{{Name: "short", Expire: "120"}, {Name: "none"}}})
		f.Insert("none", attacker)
		f.Insert("short", attacker, "203.0.113.6")
		for minute, want := range []int{2, 0} {
			time.Sleep(time.Minute)
			f.Insert("short", attacker) // a duplicate does not refresh
			f.Refresh()
			if got := f.Table("short"); len(got) != want {
				t.Errorf("after %d minutes: %q, want %d", minute+1, got, want)
			}
		}
		if len(f.Table("none")) != 1 {
			t.Error("an entry of an alias without expire is gone")
		}
	})
}

func TestAGroupHasTheEntriesOfItsMembers(t *testing.T) {
	f := New(Options{Aliases: []Alias{
		{Name: "ext"},
		{Name: "h", Type: "host", Content: []string{"192.0.2.1", "10.0.0.1-10.0.0.4"}},
		{Name: "g", Type: "networkgroup", Content: []string{"ext", "h"}},
	}})
	f.Insert("ext", attacker)
	if got := f.Table("g"); slices.Contains(got, attacker) {
		t.Errorf("the group has it before a refresh: %q", got)
	}
	f.Refresh()
	if got, want := f.Table("g"), []string{"10.0.0.1", "10.0.0.2/31", "10.0.0.4", "192.0.2.1", attacker}; !slices.Equal(got, want) {
		t.Errorf("the group is %q, want %q", got, want)
	}
}

// A list is fetched when its time comes. What cannot be had changes nothing; an
// empty list empties the table.
func TestURLTablesAreFetched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		status, list := 200, "192.0.2.1\n192.0.2.2"
		fetch := transport(func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("Authorization") != "Bearer word" {
				return nil, errors.New("no token")
			}
			return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(list)), Request: r}, nil
		})
		url := Alias{Name: "u", Type: "urltable", Content: []string{"https://feed/bans.txt"}, UpdateFreq: "0.0007", AuthType: "Bearer", Password: "word"}
		f := New(Options{Fetch: fetch, Aliases: []Alias{url}})
		for _, step := range []struct {
			status int
			list   string
			want   int
		}{{200, list, 2}, {503, "", 2}, {200, "192.0.2.3", 1}, {200, "", 0}} {
			status, list = step.status, step.list
			time.Sleep(time.Minute + time.Second)
			f.Refresh()
			if got := f.Table("u"); len(got) != step.want {
				t.Errorf("after %d %q: %q, want %d entries", step.status, step.list, got, step.want)
			}
		}
	})
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAnImportIsAllOrNothing(t *testing.T) {
	f := New(Options{Users: admin(), Aliases: []Alias{{Name: "a", Type: "host", Content: []string{"192.0.2.1"}}}})
	_, body, _ := post(t, f.Client(), InProcess+"/api/firewall/alias/import",
		`{"data":{"aliases":{"alias":{"x":{"name":"a","type":"host","content":"192.0.2.9"},"y":{"name":"bad-name","type":"host"}}}}}`)
	if !strings.Contains(body, "validations") || !slices.Equal(f.Content("a"), []string{"192.0.2.1"}) {
		t.Errorf("%s; content is now %q", body, f.Content("a"))
	}
}
