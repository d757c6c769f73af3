package opnsensetest

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// A record is one exchange with the real product.
type record struct {
	Name, Method, Path string
	Auth, ContentType  *string
	Body               *string
	Status             int
	Headers            map[string]string
	Response           string
	Effect             map[string]json.RawMessage
}

func records(t *testing.T) []record {
	t.Helper()
	file, err := os.Open("testdata/transcripts.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var out []record
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var raw struct {
			record
			ContentType *string                    `json:"content_type"`
			Headers     map[string]string          `json:"response_headers"`
			Response    string                     `json:"response_body"`
			Effect      map[string]json.RawMessage `json:"side_effect"`
		}
		if err := json.Unmarshal(lines.Bytes(), &raw); err != nil {
			t.Fatal(err)
		}
		r := raw.record
		r.ContentType, r.Headers, r.Response, r.Effect = raw.ContentType, raw.Headers, raw.Response, raw.Effect
		out = append(out, r)
	}
	if len(out) != 218 {
		t.Fatalf("%d records, want 218", len(out))
	}
	return out
}

const writesConfiguration = "changes the firewall's configuration, which no client of this fake does"

// notReplayed names every record that is not replayed, and why. What a record
// did to the state is done by hand where later records need it.
var notReplayed = map[string]string{
	"readonly_additem": writesConfiguration, "alias_add_external": writesConfiguration, "alias_add_duplicate": writesConfiguration,
	"alias_add_badname": writesConfiguration, "alias_add_longname": writesConfiguration, "alias_add_reserved": writesConfiguration,
	"alias_add_badtype": writesConfiguration, "alias_add_expire_low": writesConfiguration, "alias_add_form": writesConfiguration,
	"alias_add_missing_root": writesConfiguration, "alias_set_upsert": writesConfiguration, "alias_del_in_use": writesConfiguration,
	"alias_import": writesConfiguration, "alias_import_again": writesConfiguration, "alias_set_host_bulk": writesConfiguration,
	"alias_set_host_bad": writesConfiguration, "alias_set_external_content": writesConfiguration, "alias_set_external_clear": writesConfiguration,
	"alias_expire_set": writesConfiguration, "host_set_two": writesConfiguration, "alias_view_cannot_set": writesConfiguration,
	"url_set_source": writesConfiguration, "url_set_bad_freq": writesConfiguration, "url_set_bearer": writesConfiguration,
	"rule_add_wan": writesConfiguration, "rule_add_floating": writesConfiguration, "rule_add_multi": writesConfiguration,
	"rule_add_bad_alias": writesConfiguration, "rule_add_bad_if": writesConfiguration, "rule_add_bad_action": writesConfiguration,
	"rule_set_upsert": writesConfiguration, "rule_toggle": writesConfiguration, "rule_del": writesConfiguration,
	"rule_del_unknown": writesConfiguration, "rule_add_floating_in": writesConfiguration, "rule_del2": writesConfiguration,

	"rule_search_before": "rules are not modelled", "rule_search_after": "rules are not modelled", "rule_search_min": "rules are not modelled",
	"rule_get_iflist": "rules are not modelled", "rule_search_show_all": "rules are not modelled", "rules_debug_floating": "rules are not modelled",
	"states_query_v4": "states are killed, never listed", "states_query_v6": "states are killed, never listed",
	"states_query_cidr": "states are killed, never listed", "states_query_get": "states are killed, never listed",
	"pf_states": "not asked by the client", "pf_states_f2b": "not asked by the client", "system_status": "not asked by the client",
	"firmware_status_forbidden": "not asked by the client", "firmware_info_root": "not asked by the client",
	"system_information": "not asked by the client", "alias_search": "not asked by the client", "alias_export": "not asked by the client",
	"alias_table_size": "not asked by the client", "alias_table_size_view": "not asked by the client",
	"alias_get_item":         "recorded shortened; TestTypeOfAnAliasIsAsRecorded compares what is there",
	"http_to_https_redirect": "another server's answer; derived, and tested over a real socket",
}

// byHand is what the records that are not replayed did to the state.
var byHand = map[string]func(*Firewall){
	"alias_add_external": func(f *Firewall) { f.AddAlias(Alias{Name: "f2b_new"}) },
	"alias_import":       func(f *Firewall) { f.AddAlias(Alias{Name: "f2b_imp", Type: "host"}) },
	"alias_set_host_bulk": func(f *Firewall) {
		f.SetContent("f2b_host", "10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4")
	},
	"alias_set_external_content": func(f *Firewall) { f.SetContent(AliasName, "203.0.113.80", "203.0.113.81") },
	"alias_set_external_clear":   func(f *Firewall) { f.SetContent(AliasName) },
	"host_set_two":               func(f *Firewall) { f.SetContent("f2b_host", "203.0.113.90", "203.0.113.91") },
	"cron_update_tables_quick":   (*Firewall).Refresh,
	"full_update_tables":         (*Firewall).Reconfigure,
	"reboot_simulation":          (*Firewall).Reboot,
}

// replayed by a control, not by a request.
var controls = []string{"cron_update_tables_quick", "full_update_tables", "reboot_simulation"}

func recorded() *Firewall {
	user := func(name string, privileges ...string) User {
		return User{Name: name, Key: "key of " + name, Secret: "secret of " + name, Privileges: privileges, Disabled: name == "f2b_disabled"}
	}
	return New(Options{
		Fresh: true, Latency: true,
		Users: []User{
			user("f2b_min", Tables), user("f2b_nopriv"), user("f2b_disabled", Tables), user("f2b_readonly", Tables, AliasEdit, ReadOnly),
			user("f2b_states", ShowStates, SystemState), user("f2b_setup", AliasEdit, FilterAPI), user("f2b_aliasview", AliasView), user("root", All),
		},
		Aliases: []Alias{
			{Name: AliasName, UUID: "a0000000-0000-4000-8000-000000000001"},
			{Name: "f2b_host", Type: "host"},
			{Name: "f2b_net", Type: "network"},
			{Name: "f2b_ports", Type: "port"},
			{Name: "f2b_url", Type: "urltable", Fetched: []string{
				"203.0.113.100", "203.0.113.101", "198.51.100.0/25", "2001:db8::100", "!203.0.113.200", "1.2.3.4/30", "192.0.2.7",
			}},
		},
	})
}

// pretendStates is the table of the recording, whose pf forgot nothing that was killed.
func pretendStates(f *Firewall) {
	f.SetStates(
		State{ID: "5f3b2b6500000001/5f3b2b65", Src: "203.0.113.5", Dst: "198.51.100.2"},
		State{ID: "5f3b2b6500000002/5f3b2b65", Src: "203.0.113.5", Dst: "192.168.1.10", NAT: "198.51.100.2"},
		State{ID: "5f3b2b6500000003/5f3b2b65", Src: "2001:db8::5", Dst: "2001:db8:1::2"},
		State{ID: "5f3b2b6500000004/5f3b2b65", Src: "192.168.20.66", Dst: "198.51.100.7"},
		State{ID: "5f3b2b6500000005/5f3b2b65", Src: "198.51.100.99", Dst: "192.168.1.10"},
	)
}

// TestEveryRecordedExchangeIsReproduced replays the recording in its order.
func TestEveryRecordedExchangeIsReproduced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := recorded()
		replayed := 0
		for _, r := range records(t) {
			if do := byHand[r.Name]; do != nil {
				do(f)
			}
			if notReplayed[r.Name] != "" {
				continue
			}
			replayed++
			if strings.HasPrefix(r.Name, "kill_states") || strings.HasPrefix(r.Name, "del_state") {
				pretendStates(f)
			}
			if !slices.Contains(controls, r.Name) {
				replay(t, f, r)
			}
			compareEffect(t, f, r)
		}
		if want := 218 - len(notReplayed); replayed != want {
			t.Errorf("%d records replayed, want %d: a name in notReplayed is not in the recording", replayed, want)
		}
	})
}

func replay(t *testing.T, f *Firewall, r record) {
	t.Helper()
	var body io.Reader = http.NoBody
	if r.Body != nil {
		body = strings.NewReader(*r.Body)
	}
	req, err := http.NewRequestWithContext(t.Context(), r.Method, InProcess+r.Path, body)
	if err != nil {
		t.Fatal(err)
	}
	if r.ContentType != nil {
		req.Header.Set("Content-Type", *r.ContentType)
	}
	if r.Auth != nil {
		req.Header.Set("Authorization", authorization(*r.Auth))
	}
	res, err := f.Client().RoundTrip(req)
	if err != nil {
		t.Fatalf("%s: %v", r.Name, err)
	}
	got, _ := io.ReadAll(res.Body)
	if res.StatusCode != r.Status {
		t.Errorf("%s: status %d, want %d", r.Name, res.StatusCode, r.Status)
	}
	for _, header := range []string{"content-type", "location", "cache-control"} {
		if res.Header.Get(header) != r.Headers[header] {
			t.Errorf("%s: %s is %q, want %q", r.Name, header, res.Header.Get(header), r.Headers[header])
		}
	}
	if !sameJSON(got, []byte(r.Response)) {
		t.Errorf("%s: got %s, want %s", r.Name, got, r.Response)
	}
}

// authorization makes the header of a recorded label.
func authorization(label string) string {
	pair := func(user, secret string) string {
		return base64.StdEncoding.EncodeToString([]byte("key of " + user + ":" + secret))
	}
	switch {
	case label == "bad:f2b_min":
		return "Basic " + pair("nobody", "secret of f2b_min")
	case label == "badsecret:f2b_min":
		return "Basic " + pair("f2b_min", "wrong")
	case label == "basic <f2b_min>":
		return "basic " + pair("f2b_min", "secret of f2b_min")
	case strings.Contains(label, " "):
		return label
	}
	return "Basic " + pair(label, "secret of "+label)
}

func sameJSON(a, b []byte) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return bytes.Equal(a, b)
	}
	return reflect.DeepEqual(x, y)
}

// compareEffect compares what a call did to pf and to the configuration. Which
// commands a reload runs is not modelled; what the tables hold after it is.
func compareEffect(t *testing.T, f *Firewall, r record) {
	t.Helper()
	for name, raw := range r.Effect {
		if alias, is := strings.CutPrefix(name, "table:"); is {
			var want []string
			if err := json.Unmarshal(raw, &want); err != nil {
				t.Fatal(err)
			}
			if got := f.Table(alias); !slices.Equal(got, want) {
				t.Errorf("%s: table %s is %q, want %q", r.Name, alias, got, want)
			}
		}
		if alias, is := strings.CutPrefix(name, "content:"); is {
			var want string
			if err := json.Unmarshal(raw, &want); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(f.Content(alias), "\n"); got != want {
				t.Errorf("%s: content of %s is %q, want %q", r.Name, alias, got, want)
			}
		}
	}
	if slices.Contains(controls, r.Name) {
		return
	}
	log := f.Requests()
	last := log[len(log)-1]
	var want []string
	_ = json.Unmarshal(r.Effect["pfctl"], &want)
	reload := strings.HasSuffix(r.Path, "/reconfigure") || strings.HasSuffix(r.Path, "/filter/apply")
	if !reload && !slices.Equal(last.Pfctl, want) {
		t.Errorf("%s: ran %q, want %q", r.Name, last.Pfctl, want)
	}
	if wrote := string(r.Effect["config_xml_written"]) == "true"; last.Wrote != wrote {
		t.Errorf("%s: config.xml written %v, want %v", r.Name, last.Wrote, wrote)
	}
}

func TestTypeOfAnAliasIsAsRecorded(t *testing.T) {
	f := recorded()
	f.AddAlias(Alias{Name: "f2b_new", UUID: "u1"})
	for _, r := range records(t) {
		if r.Name != "alias_get_item" {
			continue
		}
		_, rest, _ := strings.Cut(r.Response, `"type":`)
		var want any
		if err := json.NewDecoder(strings.NewReader(rest)).Decode(&want); err != nil {
			t.Fatal(err)
		}
		req, _ := http.NewRequestWithContext(t.Context(), "GET", InProcess+"/api/firewall/alias/get_item/u1", nil)
		req.Header.Set("Authorization", authorization("f2b_setup"))
		res, err := f.Client().RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Alias struct{ Type any }
		}
		if err := json.NewDecoder(res.Body).Decode(&got); err != nil || !reflect.DeepEqual(got.Alias.Type, want) {
			t.Errorf("got %v, want %v (%v)", got.Alias.Type, want, err)
		}
	}
}
