package ntfytest_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeban/edgeban/internal/notify/ntfytest"
)

// A pair is a request to the real ntfy 2.13.0 and what it answered.
type pair struct {
	Name    string
	From    string // the client's address; 127.0.0.1 if empty
	Host    string
	Times   int // how often in a row; once if 0
	Request struct {
		Method, Path string
		Headers      map[string]string
		Body         string // then Fill, Count times, then Rest
		Fill         string
		Count        int
		Rest         string
		Base64       []byte // in place of all these
	}
	Response struct {
		Status int
		Type   string
		Length int // 0 if it was not recorded
		Body   string
		Cut    bool // the recording holds the beginning only
	}
}

func recorded(t *testing.T, file string) []pair {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	var pairs []pair
	if err := json.Unmarshal(text, &pairs); err != nil {
		t.Fatal(err)
	}
	return pairs
}

// do sends the request of p to s.
func (p pair) do(t *testing.T, s *ntfytest.Server) *http.Response {
	t.Helper()
	body := p.Request.Body + strings.Repeat(p.Request.Fill, p.Request.Count) + p.Request.Rest
	if p.Request.Base64 != nil {
		body = string(p.Request.Base64)
	}
	host := p.Host
	if host == "" {
		host = "ntfy.example.org"
	}
	req, err := http.NewRequestWithContext(t.Context(), p.Request.Method, "http://"+host+p.Request.Path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range p.Request.Headers {
		req.Header.Set(k, v)
	}
	from := p.From
	if from == "" {
		from = "127.0.0.1"
	}
	resp, err := s.Transport(from + ":40000").RoundTrip(req)
	if err != nil {
		t.Fatalf("%s: %v", p.Name, err)
	}
	return resp
}

var (
	ids   = regexp.MustCompile(`"id":"[A-Za-z0-9]+"|/file/[A-Za-z0-9]+`)
	times = regexp.MustCompile(`"(time|expires)":\d+`)
)

// plain returns an answer without what differs on every run.
func plain(s string) string {
	s = ids.ReplaceAllStringFunc(s, func(m string) string {
		return regexp.MustCompile(`[A-Za-z0-9]{10,12}`).ReplaceAllStringFunc(m, func(id string) string { return strings.Repeat("#", len(id)) })
	})
	return times.ReplaceAllString(s, `"$1":0`)
}

func users() []ntfytest.User {
	return []ntfytest.User{
		{
			Name: "ips", Password: "pw-ips", Write: []string{"ips-*"},
			Tokens: map[string]time.Time{"tk_WRITER": {}, "tk_EXPIRED": time.Now().Add(-time.Minute)},
		},
		{Name: "phone", Password: "pw-phone", Tokens: map[string]time.Time{"tk_READER": {}}, Read: []string{"ips-*"}},
	}
}

// TestSameAsTheRealServer replays what was recorded, pair by pair and in order,
// so that the bucket of requests empties where the real one did.
func TestSameAsTheRealServer(t *testing.T) {
	for file, opt := range map[string]ntfytest.Options{
		"first.json":       {},
		"auth.json":        {},
		"sizes.json":       {},
		"attachments.json": {Attachments: true},
		"quota.json":       {Daily: 3},
	} {
		t.Run(file, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opt.Users = users()
				s := ntfytest.New(opt)
				for _, p := range recorded(t, file) {
					for range max(1, p.Times) {
						compare(t, p, p.do(t, s))
					}
				}
			})
		})
	}
}

func compare(t *testing.T, p pair, resp *http.Response) {
	t.Helper()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	want := p.Response
	if resp.StatusCode != want.Status {
		t.Errorf("%s: status %d, want %d: %s", p.Name, resp.StatusCode, want.Status, text)
	}
	if got := resp.Header.Get("Content-Type"); got != want.Type {
		t.Errorf("%s: type %q, want %q", p.Name, got, want.Type)
	}
	got, wanted := plain(string(text)), plain(want.Body)
	if want.Cut {
		got = got[:min(len(got), len(wanted))]
	}
	if strings.TrimSpace(got) != strings.TrimSpace(wanted) {
		t.Errorf("%s:\ngot  %s\nwant %s", p.Name, got, wanted)
	}
	// Times are a digit shorter in a bubble, where it is the year 2000.
	if n := len(text) + len(times.FindAllString(string(text), -1)); want.Length != 0 && n != want.Length {
		t.Errorf("%s: %d bytes, want %d", p.Name, n, want.Length)
	}
}

// TestBucketRefills proves the recorded "first 200 again 5.0 s later, then 1 every 5 s".
func TestBucketRefills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := ntfytest.New(ntfytest.Options{Users: users()})
		p := recorded(t, "quota.json")[0]
		status := func() int { return p.do(t, s).StatusCode }
		for i := range 60 {
			if got := status(); got != 200 {
				t.Fatalf("request %d of a fresh bucket: %d, want 200", i+1, got)
			}
		}
		for range 3 {
			if got := status(); got != 429 {
				t.Errorf("with an empty bucket: %d, want 429", got)
			}
			time.Sleep(4900 * time.Millisecond)
			if got := status(); got != 429 {
				t.Errorf("4.9 s later: %d, want 429", got)
			}
			time.Sleep(100 * time.Millisecond)
			if got := status(); got != 200 {
				t.Errorf("5 s later: %d, want 200", got)
			}
		}
	})
}

// TestQuotaEndsAtMidnight proves the recorded "resets at midnight UTC".
func TestQuotaEndsAtMidnight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := ntfytest.New(ntfytest.Options{Users: users(), Daily: 3})
		p := recorded(t, "quota.json")[0]
		for range 3 {
			p.do(t, s)
		}
		time.Sleep(24*time.Hour - time.Second) // a bubble begins at midnight UTC
		if got := p.do(t, s).StatusCode; got != 429 {
			t.Errorf("a second before midnight: %d, want 429", got)
		}
		time.Sleep(time.Second)
		if got := p.do(t, s).StatusCode; got != 200 {
			t.Errorf("at midnight: %d, want 200", got)
		}
	})
}

// TestOneTryAMinuteWhileLockedOut proves the recorded lock and its end.
func TestOneTryAMinuteWhileLockedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := ntfytest.New(ntfytest.Options{Users: users()})
		auth := recorded(t, "auth.json")
		bad, good := auth[0], auth[2]
		for range 30 {
			bad.do(t, s)
		}
		if got := good.do(t, s).StatusCode; got != 429 {
			t.Errorf("a good token while locked out: %d, want 429", got)
		}
		time.Sleep(time.Minute)
		if got := bad.do(t, s).StatusCode; got != 401 {
			t.Errorf("a bad token a minute later: %d, want 401", got)
		}
		if got := bad.do(t, s).StatusCode; got != 429 {
			t.Errorf("a second one at once: %d, want 429", got)
		}
		time.Sleep(time.Minute)
		if got := good.do(t, s).StatusCode; got != 200 {
			t.Errorf("a good token another minute later: %d, want 200", got)
		}
	})
}

// TestTheRecordingHoldsNoToken keeps what was once a real token out of the files.
func TestTheRecordingHoldsNoToken(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("recordings: %d, %v", len(files), err)
	}
	token := regexp.MustCompile(`tk_\w+`)
	known := map[string]bool{"tk_WRITER": true, "tk_READER": true, "tk_EXPIRED": true, "tk_" + strings.Repeat("a", 29): true}
	encoded := regexp.MustCompile(`(?:Basic |auth=)([A-Za-z0-9+/_-]{14,})`)
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all := string(text)
		for _, m := range encoded.FindAllStringSubmatch(all, -1) {
			decoded, err := base64.RawURLEncoding.DecodeString(m[1])
			if err != nil {
				t.Fatalf("%s: %s: %v", f, m[1], err)
			}
			all += " " + string(decoded)
		}
		for _, tk := range token.FindAllString(all, -1) {
			if !known[tk] {
				t.Errorf("%s holds %s", f, tk)
			}
		}
	}
}
