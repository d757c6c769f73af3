package opnsense

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeban/edgeban"
	"github.com/edgeban/edgeban/internal/config"
	"github.com/edgeban/edgeban/internal/enforce"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/api"
	"github.com/edgeban/edgeban/internal/enforce/opnsense/opnsensetest"
)

// keeps reports an error that holds the key or the secret, in any spelling.
func keeps(t *testing.T, err error) {
	t.Helper()
	pair := base64.StdEncoding.EncodeToString([]byte(opnsensetest.Key + ":" + opnsensetest.Secret))
	for _, secret := range []string{opnsensetest.Key, opnsensetest.Secret, pair} {
		if text := fmt.Sprintf("%v %+v %#v", err, err, err); err != nil && strings.Contains(text, secret) {
			t.Errorf("the error holds a secret: %s", text)
		}
	}
}

// A canned firewall gives every call the same answer.
type canned struct {
	status   int
	location string
	body     string
}

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: c.status, Header: http.Header{"Location": {c.location}}, Request: r,
		Body: io.NopCloser(strings.NewReader(c.body)),
	}, nil
}

// Hostile or merely talkative: every answer here echoes the key and the secret.
func TestEveryAnswerIsJudged(t *testing.T) {
	pair := base64.StdEncoding.EncodeToString([]byte(opnsensetest.Key + ":" + opnsensetest.Secret))
	echo := " " + opnsensetest.Key + " " + opnsensetest.Secret + " Basic " + pair
	for _, test := range []struct {
		answer    canned
		permanent bool
		says      string
	}{
		{canned{301, "https://192.168.1.1/api" + echo, ""}, true, "write the https URL"},
		{canned{302, "/?url=/api" + echo, ""}, true, "Authorization header was lost"},
		{canned{400, "", `{"status":400,"message":"Invalid JSON syntax` + echo + `"}`}, true, "Invalid JSON syntax"},
		{canned{401, "", `{"status":401,"message":"Authentication Failed` + echo + `"}`}, true, "System > Access > Users"},
		{canned{403, "", `{"status":403,"message":"Forbidden` + echo + `"}`}, true, "Diagnostics: PF Table IP addresses"},
		{canned{404, "", `{"errorMessage":"Endpoint not found` + echo + `"}`}, true, "OPNsense 24.1 or later"},
		{canned{405, "", "no" + echo}, true, "405"},
		{canned{408, "", "late" + echo}, false, "408"},
		{canned{429, "", "slowly" + echo}, false, "429"},
		{canned{500, "", `{"errorMessage":"User x denied for write access (user-config-readonly set)` + echo + `","errorTitle":"General access"}`}, true, "System: Deny config write"},
		{canned{500, "", `{"errorMessage":"Cannot` + echo + `","errorTitle":"In use"}`}, true, "In use"},
		{canned{500, "", `{"errorMessage":"Unexpected error, \u001b[2J\u009b\u202e\n check log for details` + echo + `"}`}, false, "Unexpected error"},
		{canned{502, "", "<html>" + echo}, false, "502"},
		{canned{503, "", ""}, false, "503"},
		{canned{200, "", "<html>" + echo}, true, "not an OPNsense API"},
		{canned{200, "", "OK" + echo}, true, "not an OPNsense API"},
		{canned{200, "", `{"echo":"` + echo + `"}`}, true, "not an OPNsense API"},
		{canned{200, "", `[]`}, true, "not what OPNsense says"},
		{canned{200, "", `{"total":1,"rows":[{"ip":"203.0`}, false, "broke off"},
		{canned{200, "", ``}, false, "empty"},
		{canned{200, "", `{"total":100000,"rowCount":1,"rows":[{"ip":"203.0.113.5"}]}`}, false, "100000 entries"},
	} {
		c := firewall(External).Config()
		a, err := NewWithTransport(c, test.answer)
		if err != nil {
			t.Fatal(err)
		}
		a.asked = time.Now() // what is judged is the list
		_, err = a.Held(t.Context())
		if err == nil || edgeban.IsPermanent(err) != test.permanent || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%d %q: got %v (permanent %v), want permanent %v and %q", test.answer.status, test.answer.body, err, edgeban.IsPermanent(err), test.permanent, test.says)
		}
		keeps(t, err)
		if strings.ContainsAny(err.Error(), "\n\r\x1b\u009b\u202e") {
			t.Errorf("the error has several lines: %q", err)
		}
	}
}

func TestAddIsJudgedByItsWords(t *testing.T) {
	for body, want := range map[string]struct {
		permanent bool
		says      string
	}{
		`{"status":"failed"}`: {true, "proxy"},
		`{"status":"failed","status_msg":"nonexistent alias fail2ban_blocklist"}`: {true, "type External (advanced)"},
		`{"status":"failed","status_msg":"the moon is full"}`:                     {false, "moon"},
		`{"status":"not_an_address"}`:                                             {false, "not_an_address"},
	} {
		a, err := NewWithTransport(firewall(External).Config(), canned{200, "", body})
		if err != nil {
			t.Fatal(err)
		}
		a.asked, a.kind = time.Now(), External
		err = a.Apply(t.Context(), enforce.Diff{Add: sequence(1)})
		if err == nil || edgeban.IsPermanent(err) != want.permanent || !strings.Contains(err.Error(), want.says) {
			t.Errorf("%s: got %v, want permanent %v and %q", body, err, want.permanent, want.says)
		}
	}
}

func TestFaultsOfTheFirewallAreTold(t *testing.T) {
	for fault, permanent := range map[opnsensetest.Fault]bool{
		opnsensetest.Refused: false, opnsensetest.Hang: false, opnsensetest.ServerError: false, opnsensetest.BadGateway: false,
		opnsensetest.Half: false, opnsensetest.Lost: false,
		opnsensetest.Unauthorized: true, opnsensetest.Forbidden: true, opnsensetest.Page: true,
	} {
		synctest.Test(t, func(t *testing.T) {
			f := firewall(External)
			a := reach(t, f)
			held(t, a)
			f.Fail(fault, -1)
			start := time.Now()
			_, heldErr := a.Held(t.Context())
			applyErr := a.Apply(t.Context(), enforce.Diff{Add: sequence(120)})
			for _, err := range []error{heldErr, applyErr} {
				if err == nil || edgeban.IsPermanent(err) != permanent {
					t.Errorf("fault %d: got %v, want permanent %v", fault, err, permanent)
				}
				keeps(t, err)
			}
			if took := time.Since(start); took > 2*30*time.Second {
				t.Errorf("fault %d: told after %v, with a timeout of 30s", fault, took)
			}
			f.Heal()
			apply(t, a, sequence(120), nil)
			held(t, a, sequence(120)...)
		})
	}
}

// A refused key costs the firewall 2 s a call, and locks out whoever shares it.
func TestWrongSecretIsNotHammered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := opnsensetest.New(opnsensetest.Options{Latency: true})
		a := reach(t, f, func(c *config.OPNsense) { c.Secret = config.NewSecret("wrong") })
		start := time.Now()
		err := a.Apply(t.Context(), enforce.Diff{Add: sequence(500), Remove: sequence(500)})
		if n := len(f.Requests()); !edgeban.IsPermanent(err) || n != 1 || time.Since(start) != 2*time.Second {
			t.Errorf("%d calls in %v: %v; want 1 call in 2s", n, time.Since(start), err)
		}
	})
	f := firewall(External)
	a := reach(t, f)
	held(t, a)
	before := len(f.Requests())
	f.Fail(opnsensetest.Unauthorized, -1)
	a.listedAt = time.Now().Add(time.Hour) // no list goes before the adds
	_ = a.Apply(t.Context(), enforce.Diff{Add: sequence(500), Remove: sequence(500)})
	if n := len(f.Requests()) - before; n != 1 {
		t.Errorf("%d calls with a key that was taken away, want 1", n)
	}
}

func TestPartOfABatchThatFailsIsSummed(t *testing.T) {
	f := firewall(External, opnsensetest.AliasView)
	a := reach(t, f)
	held(t, a)
	f.Fail(opnsensetest.ServerError, 3)
	err := a.Apply(t.Context(), enforce.Diff{Add: sequence(120)})
	if err == nil || !strings.Contains(err.Error(), "3 of 120 adds not done") || strings.Count(err.Error(), "\n") > 0 || len(err.Error()) > 400 {
		t.Errorf("got %v", err)
	}
	if n := len(f.Entries(alias)); n != 117 {
		t.Errorf("%d entries arrived, want 117", n)
	}
	apply(t, a, sequence(120), nil)
	held(t, a, sequence(120)...)
	f.Fail(opnsensetest.ServerError, -1)
	before := f.Count("/add/")
	_ = a.Apply(t.Context(), enforce.Diff{Add: sequence(500)})
	if n := f.Count("/add/") - before; n > enough+api.Workers {
		t.Errorf("%d adds to a firewall that fails each, want about %d", n, enough)
	}
}

// A gate counts how many calls are under way at once.
type gate struct {
	http.RoundTripper
	now, most atomic.Int32
	cookie    atomic.Bool
	mu        sync.Mutex
}

func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	n := g.now.Add(1)
	defer g.now.Add(-1)
	g.mu.Lock()
	g.most.Store(max(n, g.most.Load()))
	g.mu.Unlock()
	if r.Header.Get("Cookie") != "" {
		g.cookie.Store(true)
	}
	return g.RoundTripper.RoundTrip(r)
}

func TestCallsAtOnceAreBoundedAndKeepNoSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := opnsensetest.New(opnsensetest.Options{Latency: true})
		g := &gate{RoundTripper: f.Client()}
		a, err := NewWithTransport(f.Config(), g)
		if err != nil {
			t.Fatal(err)
		}
		var several sync.WaitGroup
		for part := range slices.Chunk(sequence(200), 40) {
			several.Go(func() {
				if err := a.Apply(t.Context(), enforce.Diff{Add: part}); err != nil {
					t.Error(err)
				}
			})
		}
		several.Wait()
		if most := g.most.Load(); most < 2 || most > api.Workers {
			t.Errorf("%d calls at once, want 2 to %d", most, api.Workers)
		}
		if g.cookie.Load() {
			t.Error("a session cookie was sent back")
		}
	})
}

func TestFirstBansAreSentFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order []netip.Prefix // guarded by the firewall's lock
		f := opnsensetest.New(opnsensetest.Options{Latency: true, OnAdd: func(_ string, p netip.Prefix) { order = append(order, p) }})
		ps := sequence(200)
		apply(t, reach(t, f), ps, nil)
		for i, p := range ps {
			if got := slices.Index(order, p); got < i-2*api.Workers || got > i+2*api.Workers {
				t.Errorf("ban %d was sent as number %d", i, got)
			}
		}
	})
}

func TestAContextThatEndsEndsTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := firewall(External)
		a := reach(t, f)
		f.Fail(opnsensetest.Hang, -1)
		start := time.Now()
		if _, err := a.Held(t.Context()); err == nil || time.Since(start) != 30*time.Second {
			t.Errorf("a firewall that hangs: %v after %v, want an error after the timeout", err, time.Since(start))
		}
	})
}
