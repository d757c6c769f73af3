package ntfytest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/edgeban/edgeban/internal/notify/ntfytest"
)

// TestFaultsOverTCP proves that a client on a real socket sees each fault, and
// that only a lost answer leaves a message behind.
func TestFaultsOverTCP(t *testing.T) {
	for _, test := range []struct {
		fault  ntfytest.Fault
		status int // 0 for an error
		stored int
	}{
		{ntfytest.None, 200, 1},
		{ntfytest.Down, 0, 0},
		{ntfytest.Broken, 500, 0},
		{ntfytest.Hang, 0, 0},
		{ntfytest.LostAnswer, 0, 1},
	} {
		s := ntfytest.New(ntfytest.Options{Users: users()})
		server := httptest.NewServer(s)
		s.Fail(test.fault, 1)
		client := &http.Client{Timeout: 2 * time.Second}
		if test.fault == ntfytest.Hang {
			client.Timeout = 50 * time.Millisecond
		}
		post := func() (int, error) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/", strings.NewReader(`{"topic":"ips-alerts","message":"x"}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer tk_WRITER")
			resp, err := client.Do(req)
			if err != nil {
				return 0, err
			}
			resp.Body.Close()
			return resp.StatusCode, nil
		}
		if status, err := post(); status != test.status {
			t.Errorf("fault %d: status %d, %v, want %d", test.fault, status, err, test.status)
		}
		if got := len(s.Messages("ips-alerts")); got != test.stored {
			t.Errorf("fault %d: %d messages stored, want %d", test.fault, got, test.stored)
		}
		if status, err := post(); status != 200 {
			t.Errorf("after fault %d: status %d, %v, want 200", test.fault, status, err)
		}
		server.Close()
	}
}

// TestWhatIsOddIsKept proves that a client that sends what ntfy ignores is seen.
func TestWhatIsOddIsKept(t *testing.T) {
	s := ntfytest.New(ntfytest.Options{Users: users()})
	post := func(path, body string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://ntfy.example.org"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer tk_WRITER")
		resp, err := s.Transport("192.0.2.1:1000").RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode
	}
	if got := post("/", `{"topic":"ips-alerts","message":"x","prio":4}`); got != 200 {
		t.Errorf("a field that ntfy does not know: %d, want 200", got)
	}
	if got := post("/v2/publish", `x`); got != 404 {
		t.Errorf("a path that ntfy does not know: %d, want 404", got)
	}
	if odd := s.Odd(); len(odd) != 2 {
		t.Errorf("odd: %q, want the field and the path", odd)
	}
}
