package certs

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeban/edgeban/internal/config"
)

// A dovecot answers as doveadm's HTTP API of Dovecot 2.3.19 does: see
// testdata/doveadm.jsonl, which was recorded from one.
type dovecot struct {
	key     string
	broken  atomic.Bool // its master process does not answer
	reloads atomic.Int64
}

func (d *dovecot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/doveadm/v1" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if r.Header.Get("Authorization") != "X-Dovecot-API "+base64.StdEncoding.EncodeToString([]byte(d.key)) {
		w.Header().Set("WWW-Authenticate", "X-Dovecot-API")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var commands [][3]json.RawMessage
	if err := json.NewDecoder(r.Body).Decode(&commands); err != nil || len(commands) != 1 {
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, "Request must be a JSON array")
		return
	}
	answer := `["doveadmResponse",[],`
	switch c := commands[0]; {
	case string(c[0]) == `"kick"` && string(c[1]) == "{}":
		answer = `["error",{"type":"exitCode", "exitCode":64},`
	case string(c[0]) != `"reload"`:
		answer = `["error",{"type":"unknownMethod", "exitCode":0},`
	case d.broken.Load():
		answer = `["error",{"type":"exitCode", "exitCode":75},`
	default:
		d.reloads.Add(1)
	}
	io.WriteString(w, "["+answer+string(commands[0][2])+"]]")
}

func TestTheFakeAnswersAsDovecotDid(t *testing.T) {
	f, err := os.Open("testdata/doveadm.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := 0
	for s := bufio.NewScanner(f); s.Scan(); lines++ {
		var c struct {
			Key, Body, Answer string
			Status            int
		}
		if err := json.Unmarshal(s.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodPost, "/doveadm/v1", strings.NewReader(c.Body))
		r.Header.Set("Authorization", "X-Dovecot-API "+base64.StdEncoding.EncodeToString([]byte(c.Key)))
		w := httptest.NewRecorder()
		(&dovecot{key: "geheim"}).ServeHTTP(w, r)
		if w.Code != c.Status || w.Body.String() != c.Answer {
			t.Errorf("%s: got %d %s, want %d %s", c.Body, w.Code, w.Body, c.Status, c.Answer)
		}
	}
	if lines < 6 {
		t.Errorf("%d exchanges, want 6", lines)
	}
}

func TestDovecotReloads(t *testing.T) {
	d := &dovecot{key: "geheim"}
	server := httptest.NewServer(d)
	defer server.Close()
	if err := NewDoveadm(server.URL, config.NewSecret("geheim"), nil).Reload(t.Context(), nil); err != nil || d.reloads.Load() != 1 {
		t.Errorf("%v and %d reloads, want one", err, d.reloads.Load())
	}
	err := NewDoveadm(server.URL, config.NewSecret("hidden"), nil).Reload(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "not the one of doveadm_api_key") || strings.Contains(err.Error(), "hidden") {
		t.Errorf("a wrong key: %v", err)
	}
	d.broken.Store(true)
	if err := NewDoveadm(server.URL, config.NewSecret("geheim"), nil).Reload(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "log of Dovecot") {
		t.Errorf("it could not reload: %v", err)
	}
	server.Config.Handler = http.RedirectHandler("http://elsewhere.example/", http.StatusTemporaryRedirect)
	if err := NewDoveadm(server.URL, config.NewSecret("geheim"), nil).Reload(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "status 307") {
		t.Errorf("a redirect: %v, want it not followed", err)
	}
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>welcome") })
	if err := NewDoveadm(server.URL, config.NewSecret("geheim"), nil).Reload(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "something else listens") {
		t.Errorf("another server: %v", err)
	}
}

func TestHookIsToldTheNames(t *testing.T) {
	var got, auth string
	status := http.StatusNoContent
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, auth = string(b), r.Header.Get("Authorization")
		w.WriteHeader(status)
	}))
	h := NewHook(server.URL+"/reload?key=hidden", config.NewSecret("hush"), nil)
	if err := h.Reload(t.Context(), []string{"a.example", "b.example"}); err != nil || got != `{"certificates":["a.example","b.example"]}` || auth != "Bearer hush" {
		t.Errorf("it was told %s with %q, %v", got, auth, err)
	}
	status = http.StatusBadGateway
	if err := h.Reload(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "502") {
		t.Errorf("status 502: %v", err)
	}
	server.Close()
	if err := h.Reload(t.Context(), nil); err == nil || strings.Contains(err.Error()+h.String(), "hidden") || strings.Contains(err.Error(), "hush") {
		t.Errorf("nobody there: %v of %s; want an error without secrets", err, h)
	}
}

// A flaky reload fails until it is well.
type flaky struct {
	well  atomic.Bool
	tries atomic.Int64
}

func (f *flaky) String() string { return "flaky" }

func (f *flaky) Reload(context.Context, []string) error {
	if f.tries.Add(1); !f.well.Load() {
		return errors.New("nobody there")
	}
	return nil
}

// A process that ends between the change and the reload leaves it to the next one.
func TestAReloadIsOwedUntilItIsDone(t *testing.T) {
	p, ca := newPlace(t), newAuthority(t)
	p.write(acmeJSON(t, ca.issue(60*day, "a.example")))
	o := p.options()
	r := &flaky{}
	touched := filepath.Join(p.dir, "touched")
	o.Reloads = []Reload{r, Touch(touched)}
	if _, err := Export(t.Context(), o); err == nil || !strings.Contains(err.Error(), "nobody there") {
		t.Errorf("first: %v, want the reload's error", err)
	}
	if _, err := os.Stat(touched); err != nil {
		t.Errorf("one that fails keeps the other from being told: %v", err)
	}
	r.well.Store(true)
	for n, want := range []int64{2, 2, 2} {
		if got, err := Export(t.Context(), o); err != nil || len(got) != 1 || got[0].Changed || r.tries.Load() != want {
			t.Errorf("run %d: %+v, %v, and %d reloads; want nothing changed and %d", n+2, got, err, r.tries.Load(), want)
		}
	}
}

// A Dovecot that starts with these files comes later: it is tried again, more and more slowly.
func TestAReloadIsTriedAgainWhileWatching(t *testing.T) {
	p, ca := newPlace(t), newAuthority(t)
	p.write(acmeJSON(t, ca.issue(60*day, "a.example")))
	synctest.Test(t, func(t *testing.T) {
		e := ca.issue(60*day, "a.example")
		p.write(acmeJSON(t, e))
		o := p.options()
		o.NoInotify = true
		r := &flaky{}
		o.Reloads = []Reload{r}
		stop := start(t, o)
		time.Sleep(time.Minute)
		synctest.Wait()
		if r.tries.Load() < 5 || r.tries.Load() > 7 {
			t.Errorf("%d tries in the first minute, want 6", r.tries.Load())
		}
		r.well.Store(true)
		time.Sleep(lastTry)
		synctest.Wait()
		tries := r.tries.Load()
		time.Sleep(time.Hour)
		synctest.Wait()
		if r.tries.Load() != tries {
			t.Errorf("%d reloads after it was done, want none", r.tries.Load()-tries)
		}
		stop()
	})
}
