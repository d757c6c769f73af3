package opnsensetest

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest/system"
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

// notCompared names what is not compared of a record, and why. All else of all
// records is.
var notCompared = map[string]string{
	"system_information":       "answer: the recording ran on Linux, from a source tree without a version",
	"alias_get_item":           "length: of its end, the words of some choices were not recorded",
	"alias_set_external_clear": "content: the recorder read that of the next alias, there being none",
	"rule_search_before":       "pfctl: the product migrated its rules, once, in the first call about them",
}

func unlike(r record, what string) bool { return strings.HasPrefix(notCompared[r.Name], what+": ") }

// controls are replayed by what the console does, not by a request.
var controls = map[string]func(*Firewall, *system.Commands) string{
	"cron_update_tables_quick": func(f *Firewall, log *system.Commands) string { f.sys.UpdateTables(log, true); return "" },
	"full_update_tables":       func(f *Firewall, log *system.Commands) string { f.sys.UpdateTables(log, false); return "" },
	"reboot_simulation":        func(f *Firewall, log *system.Commands) string { f.sys.Boot(log); return "" },
	"rules_debug_floating": func(f *Firewall, _ *system.Commands) string {
		var found string
		for line := range strings.Lines(f.RulesText()) {
			if strings.Contains(line, "ban daemon: ") { // the recorder kept those of one rule
				found += line
			}
		}
		return found
	},
}

// lists is the server that the recording's url table was fetched from.
type lists struct{}

func (lists) RoundTrip(r *http.Request) (*http.Response, error) {
	body := "203.0.113.100\n203.0.113.101 # two\n\n# comment\n 203.0.113.102\n198.51.100.0/25\n2001:DB8::100\n!203.0.113.200\n1.2.3.4/30\n192.0.2.7;x\n"
	if agent := r.Header.Get("User-Agent"); agent != "OPNsense" {
		return nil, errors.New("fetched as " + agent)
	}
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func recorded() *Firewall {
	user := func(name string, privileges ...string) User {
		return User{Name: name, Key: "key of " + name, Secret: "secret of " + name, Privileges: privileges, Disabled: name == "f2b_disabled"}
	}
	described := func(name, kind, n string, content ...string) Alias {
		return Alias{Name: name, Type: kind, UUID: "a0000000-0000-4000-8000-00000000000" + n, Content: content, Description: name + " (" + kind + ")"}
	}
	return New(Options{
		Fresh: true, Latency: true, Fetch: lists{},
		Users: []User{
			user("f2b_min", Tables), user("f2b_nopriv"), user("f2b_disabled", Tables), user("f2b_readonly", Tables, AliasEdit, ReadOnly),
			user("f2b_states", ShowStates, SystemState), user("f2b_setup", AliasEdit, FilterAPI), user("f2b_aliasview", AliasView), user("root", All),
		},
		Aliases: []Alias{
			described(AliasName, "external", "1"), described("f2b_host", "host", "2"), described("f2b_net", "network", "3"),
			described("f2b_url", "urltable", "4", "http://127.0.0.1:18099/other.txt"), described("f2b_ports", "port", "5"),
		},
	})
}

// pretendStates is the table of the recording, whose pf forgot nothing that was
// killed. Of the last two the addresses were not recorded, but for what matched.
func pretendStates(f *Firewall) {
	state := func(n int, src, srcPort, dst, dstPort string, age int) State {
		return State{
			ID: fmt.Sprintf("5f3b2b65%08x/5f3b2b65", n), Src: src, SrcPort: srcPort, Dst: dst, DstPort: dstPort,
			Since: time.Now().Add(-time.Duration(age) * time.Second), InPackets: 30, OutPackets: 20, InBytes: 2000, OutBytes: 3000,
		}
	}
	nat := state(2, "203.0.113.5", "51300", "192.168.1.10", "22", 20)
	nat.NAT, nat.NATPort, nat.InPackets, nat.OutPackets, nat.InBytes, nat.OutBytes = "198.51.100.2", "22", 3, 2, 200, 300
	f.SetStates(
		state(1, "203.0.113.5", "51234", "198.51.100.2", "443", 80), nat,
		state(3, "2001:db8::5", "51234", "2001:db8::2", "443", 80),
		state(4, "192.168.20.66", "5000", "203.0.113.77", "443", 80),
		state(5, "198.51.100.99", "5001", "192.168.1.10", "25", 80),
	)
}

// TestEveryRecordedExchangeIsReproduced replays the recording in its order.
func TestEveryRecordedExchangeIsReproduced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := recorded()
		made := map[string]string{} // the recording's UUIDs to ours
		for _, r := range records(t) {
			if strings.Contains(r.Path, "/diagnostics/firewall/") {
				pretendStates(f)
			}
			if r.Name == "pf_states" { // its pf counted one more than it listed
				f.SetStates(append(f.States(), State{})...)
			}
			replay(t, f, r, made)
		}
		for name := range notCompared {
			if !slices.ContainsFunc(records(t), func(r record) bool { return r.Name == name }) {
				t.Errorf("notCompared has %s, which is not in the recording", name)
			}
		}
	})
}

func replay(t *testing.T, f *Firewall, r record, made map[string]string) {
	t.Helper()
	var log system.Commands
	if do := controls[r.Name]; do != nil {
		if got, want := strings.TrimSpace(do(f, &log)), translated(r.Response, made); r.Name == "rules_debug_floating" && got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", r.Name, got, want)
		}
		compareEffect(t, f, r, Request{Pfctl: log})
		return
	}
	start := time.Now()
	res := roundTrip(t, f, r, made)
	if took := time.Since(start); took >= 2*time.Second != slices.Contains([]string{"auth_unknown_key", "auth_bad_secret", "auth_disabled_user"}, r.Name) {
		t.Errorf("%s: took %v; bad credentials take 2 s, nothing else", r.Name, took)
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
	var ours, theirs struct{ UUID string }
	if json.Unmarshal(got, &ours) == nil && json.Unmarshal([]byte(r.Response), &theirs) == nil && strings.Contains(r.Path, "/add_") && theirs.UUID != "" {
		made[theirs.UUID] = ours.UUID
	}
	want := translated(r.Response, made)
	switch {
	case unlike(r, "answer"):
		if a, b := shape(t, got), shape(t, []byte(want)); !reflect.DeepEqual(a, b) {
			t.Errorf("%s: got the shape %v, want %v", r.Name, a, b)
		}
	case cut.MatchString(want):
		compareCut(t, r.Name, got, want)
	case !sameJSON(got, []byte(want)):
		t.Errorf("%s: got %s, want %s", r.Name, got, want)
	}
	if r.Name != "http_to_https_redirect" {
		log := f.Requests()
		compareEffect(t, f, r, log[len(log)-1])
	}
}

// translated puts our UUIDs into a recorded text.
func translated(text string, made map[string]string) string {
	for theirs, ours := range made {
		text = strings.ReplaceAll(text, theirs, ours)
	}
	return text
}

func roundTrip(t *testing.T, f *Firewall, r record, made map[string]string) *http.Response {
	t.Helper()
	var body io.Reader = http.NoBody
	if r.Body != nil {
		body = strings.NewReader(*r.Body)
	}
	url := InProcess + translated(r.Path, made)
	if strings.HasPrefix(r.Path, "http:") {
		url = r.Path
	}
	req, err := http.NewRequestWithContext(t.Context(), r.Method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if r.ContentType != nil {
		req.Header.Set("Content-Type", *r.ContentType)
	}
	if r.Auth != nil {
		req.Header.Set("Authorization", authorization(*r.Auth))
	}
	if req.URL.Scheme == "http" {
		w := httptest.NewRecorder()
		Redirect("https://FIREWALL").ServeHTTP(w, req)
		return w.Result()
	}
	res, err := f.Client().RoundTrip(req)
	if err != nil {
		t.Fatalf("%s: %v", r.Name, err)
	}
	return res
}

// cut is how the recording ends an answer that it kept the beginning of.
var cut = regexp.MustCompile(`\.\.\.\((\d+) bytes\)$`)

// compareCut compares the leaves that were recorded, and the length of the whole.
func compareCut(t *testing.T, name string, got []byte, want string) {
	t.Helper()
	var ours any
	if err := json.Unmarshal(got, &ours); err != nil {
		t.Fatal(err)
	}
	there := leaves("", ours)
	for path, value := range beginning(want) {
		if there[path] != value {
			t.Errorf("%s: %s is %v, want %v", name, path, there[path], value)
		}
	}
	if length := fmt.Sprint(len(php(got))); notCompared[name] == "" && length != cut.FindStringSubmatch(want)[1] {
		t.Errorf("%s: %s bytes, want %s", name, length, cut.FindStringSubmatch(want)[1])
	}
}

// php spells JSON as PHP does.
func php(text []byte) []byte {
	for spelled, plain := range map[string]string{`\u003c`: "<", `\u003e`: ">", `\u0026`: "&", "/": `\/`} {
		text = bytes.ReplaceAll(text, []byte(spelled), []byte(plain))
	}
	return text
}

// leaves are the values of a document by their paths.
func leaves(path string, v any) map[string]any {
	out := map[string]any{}
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			maps.Copy(out, leaves(path+"."+key, inner))
		}
	case []any:
		for i, inner := range v {
			maps.Copy(out, leaves(fmt.Sprintf("%s[%d]", path, i), inner))
		}
	default:
		out[path] = v
	}
	return out
}

// beginning are the leaves of a document whose end is missing: of all ways to
// close it, the one that makes JSON of the most.
func beginning(text string) map[string]any {
	text = cut.ReplaceAllString(text, "")
	for end := len(text); end > 0; end-- {
		if text[end-1] != ',' && text[end-1] != '}' {
			continue
		}
		head := strings.TrimSuffix(text[:end], ",")
		var doc any
		if json.Unmarshal([]byte(head+closing(head)), &doc) == nil {
			return leaves("", doc)
		}
	}
	return nil
}

// closing closes what is open. No recorded string holds a bracket.
func closing(text string) (end string) {
	for _, c := range text {
		switch c {
		case '{':
			end = "}" + end
		case '[':
			end = "]" + end
		case '}', ']':
			end = end[1:]
		}
	}
	return end
}

// shape is a document with the kinds of its values in their place.
func shape(t *testing.T, text []byte) map[string]string {
	t.Helper()
	var doc any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for path, v := range leaves("", doc) {
		out[path] = fmt.Sprintf("%T", v)
	}
	return out
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

// compareEffect compares what a call did to pf and to the configuration. The
// recording kept the first 12 commands.
func compareEffect(t *testing.T, f *Firewall, r record, did Request) {
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
		if alias, is := strings.CutPrefix(name, "content:"); is && !unlike(r, "content") {
			var want string
			if err := json.Unmarshal(raw, &want); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(f.Content(alias), "\n"); got != want {
				t.Errorf("%s: content of %s is %q, want %q", r.Name, alias, got, want)
			}
		}
	}
	var want []string
	_ = json.Unmarshal(r.Effect["pfctl"], &want)
	got := did.Pfctl
	if len(want) == 12 && len(got) > 12 {
		got = got[:12]
	}
	if !slices.Equal(got, want) && !unlike(r, "pfctl") {
		t.Errorf("%s: ran %q, want %q", r.Name, got, want)
	}
	if wrote := string(r.Effect["config_xml_written"]) == "true"; did.Wrote != wrote {
		t.Errorf("%s: config.xml written %v, want %v", r.Name, did.Wrote, wrote)
	}
}
