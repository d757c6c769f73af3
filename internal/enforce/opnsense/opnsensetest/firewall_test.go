package opnsensetest

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// post makes one call and returns the status and the body; 0 and the error if
// there was no whole answer.
func post(t *testing.T, rt http.RoundTripper, url, body string) (int, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(Key+":"+Secret)))
	res, err := rt.RoundTrip(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}

func TestCallsTakeAsLongAsRecordedOneAfterTheOther(t *testing.T) {
	lines := make([]string, 50_000)
	for i := range lines {
		lines[i] = fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)
	}
	for _, test := range []struct {
		alias Alias
		call  string
		want  time.Duration // for two at once
	}{
		{Alias{Name: "a"}, "add/a", 28 * time.Millisecond},
		{Alias{Name: "a"}, "delete/a", 78 * time.Millisecond},
		{Alias{Name: "a"}, "list/a", 72 * time.Millisecond},
		{Alias{Name: "a", Type: "host"}, "add/a", 58 * time.Millisecond},
		{Alias{Name: "a", Type: "host", Content: lines[:10_000]}, "add/a", 116 * time.Millisecond},
		{Alias{Name: "a", Type: "host", Content: lines}, "add/a", 772 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := New(Options{Latency: true, Aliases: []Alias{test.alias}})
			start := time.Now()
			var both sync.WaitGroup
			for range 2 {
				both.Go(func() {
					_, _, _ = post(t, f.Client(), InProcess+"/api/firewall/alias_util/"+test.call, `{"address":"10.0.0.1"}`)
				})
			}
			both.Wait()
			if got := time.Since(start); got < test.want*95/100 || got > test.want*105/100 {
				t.Errorf("two %s at once with %d lines took %v, want %v", test.call, len(test.alias.Content), got, test.want)
			}
		})
	}
}

// A fault is the same in process and over a socket.
func TestFaultsLookAlikeOnBothWays(t *testing.T) {
	f := New(Options{})
	defer f.Close()
	socket, err := f.Listen()
	if err != nil {
		t.Fatal(err)
	}
	for url, rt := range map[string]http.RoundTripper{InProcess: f.Client(), socket: &http.Transport{DisableKeepAlives: true}} {
		for fault, want := range map[Fault]int{
			Healthy: 200, Unauthorized: 401, Forbidden: 403, ServerError: 500, BadGateway: 502, Page: 200,
			Refused: 0, Lost: 0, Half: 0,
		} {
			f.Remove(AliasName, "203.0.113.5")
			f.Fail(fault, 1)
			status, body, err := post(t, rt, url+"/api/firewall/alias_util/add/"+AliasName, `{"address":"203.0.113.5"}`)
			if (err != nil) != (want == 0) || want != 0 && status != want {
				t.Errorf("%s, fault %d: %d %q %v, want %d", url, fault, status, body, err, want)
			}
			done := fault == Healthy || fault == Lost || fault == Half
			if got := len(f.Entries(AliasName)) == 1; got != done {
				t.Errorf("%s, fault %d: the add was done: %v, want %v", url, fault, got, done)
			}
		}
	}
	f.Fail(Refused, 1)
	if _, _, err := post(t, f.Client(), InProcess+"/api/firewall/alias_util/aliases", "{}"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("refused: %v", err)
	}
}

func TestWhatWasNotRecordedIsNotMadeUp(t *testing.T) {
	f := New(Options{Users: []User{{Name: "root", Key: Key, Secret: Secret, Privileges: []string{All}}}})
	if status, body, _ := post(t, f.Client(), InProcess+"/api/firewall/filter_util/rule_stats", "{}"); status != 501 {
		t.Errorf("got %d %s, want 501", status, body)
	}
}
